"""A small size for any script: the names of its environment that make it small, and tiny data."""

import ast
import re
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from pgolf_compose.data import HEADER_BYTES, MAGIC, VERSION, Dataset, make_tiny
from pgolf_compose.errors import ComposeError
from pgolf_compose.unpack import Unpacked, unpack

__all__ = ["DECISIVE", "SIZES", "read_script", "small_data", "small_environment", "vocabulary"]

# what public scripts read; a name that a script does not read does nothing
SIZES = {
    "MODEL_DIM": "128",
    "EMBEDDING_DIM": "128",
    "NUM_HEADS": "4",
    "NUM_KV_HEADS": "2",
    "ROPE_DIMS": "16",
    "TRAIN_SEQ_LEN": "64",
    "EVAL_SEQ_LEN": "64",
    "TTT_EVAL_SEQ_LEN": "64",
    "ROPE_TRAIN_SEQ_LEN": "64",
    "TRAIN_BATCH_TOKENS": "1024",
    "VAL_BATCH_SIZE": "8192",
    "VAL_BATCH_TOKENS": "8192",
    "ITERATIONS": "6",
    "WARMUP_STEPS": "1",
    "WARMDOWN_ITERS": "3",
    "MAX_WALLCLOCK_SECONDS": "0",
    "VAL_LOSS_EVERY": "0",
    "TRAIN_LOG_EVERY": "1",
    "PRECISION": "fp32",
    "EVAL_STRIDE": "32",
    "EVAL_BATCH_SEQS": "16",
    "SW_EVAL_BATCH": "16",
    "BIGRAM_VOCAB_SIZE": "256",
    "BIGRAM_HASH_BUCKETS": "256",
    "BIGRAM_BUCKETS": "256",
    "BIGRAM_DIM": "16",
    "INT8_KEEP_FLOAT_MAX_NUMEL": "4096",
    "GPTQ_CALIBRATION_BATCHES": "2",
    "GPTQ_CALIB_BATCHES": "2",
    "GPTQ_CALIB_SAMPLES": "2",
    "GPTQ_CALIB_SEQS": "2",
    "GPTQ_RESERVE_SECONDS": "0",
    "TTT_EPOCHS": "1",
    "TTT_CHUNK_TOKENS": "2048",
    "TTT_CHUNK_SIZE": "32",
    "TTT_BATCH_SEQS": "8",
    "TTT_BATCH_SIZE": "8",
    "TTT_LORA_RANK": "4",
    "LORA_RANK": "4",
    "PHASED_TTT_PREFIX_DOCS": "4",
    "GLOBAL_TTT_CHUNK_TOKENS": "1024",
    "GLOBAL_TTT_BATCH_SEQS": "4",
    "SLOT_STEPS": "2",
    "SLOT_LBFGS_MAX_ITER": "2",
}
# what decides whether a CPU can run a script at all
DECISIVE = ("MODEL_DIM", "TRAIN_SEQ_LEN", "TRAIN_BATCH_TOKENS", "ITERATIONS")
VOCABULARY = 1024  # of a script that can be told; a larger one takes longer to make
VAL_TOKENS = 8193


def read_script(script: Path) -> Unpacked:
    """A script's text, unpacked where that can be told: what cannot is left to the run."""
    try:
        data = script.read_bytes()
    except FileNotFoundError:
        raise ComposeError("there is no such file", script) from None
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", script) from None
    try:
        return unpack(data)
    except ComposeError:
        return Unpacked(data.decode("utf-8", "replace"), ())


def vocabulary(source: str) -> int:
    """The pieces of the tokenizer that a script wants, going by its text."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return VOCABULARY
    values = []
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value="VOCAB_SIZE"):
                return VOCABULARY
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(
                target=target, value=value
            ) if "vocab_size" in (getattr(target, "id", ""), getattr(target, "attr", "")):
                values += [
                    n.value
                    for n in ast.walk(value or node)
                    if type(getattr(n, "value", None)) is int
                ]
            case ast.Constant(value=str() as text):
                values += map(int, re.findall(r"fineweb10B_sp(\d+)", text))
    return values[0] if values else VOCABULARY


def small_environment(data: Path, pieces: int, sizes: Mapping[str, str] = SIZES) -> dict[str, str]:
    """What to run a script with, as torchrun would start its only process."""
    dataset = Dataset("tiny", "", pieces)
    return {
        **sizes,
        "DATA_DIR": str(data),
        "DATA_PATH": str(dataset.shard_folder(data)),
        "DATASETS_DIR": str(dataset.shard_folder(data)),
        "TOKENIZER_PATH": str(dataset.tokenizer_file(data)),
        "VOCAB_SIZE": str(pieces),
        "RUN_ID": "smoke",
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",  # so small, threads would only wait for each other
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
    }


def small_data(folder: Path, cache: Path, pieces: int) -> Path:
    """The tiny dataset below `folder`/data, with few tokens to validate on."""
    made = cache / f"tiny-{pieces}"
    make_tiny(made, pieces, more=pieces > 1024)
    data, dataset = folder.resolve() / "data", Dataset("tiny", "", pieces)
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(made, data)
    for shard in dataset.shard_folder(data).glob("fineweb_val_*.bin"):
        content = bytearray(shard.read_bytes()[: HEADER_BYTES + 2 * VAL_TOKENS])
        struct.pack_into("<3i", content, 0, MAGIC, VERSION, (len(content) - HEADER_BYTES) // 2)
        shard.write_bytes(content)
    return data

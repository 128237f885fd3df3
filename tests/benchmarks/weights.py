"""What stored integers take: bits for each under general compressors, and under ours.

`python tests/benchmarks/weights.py FOLDER` trains and quantises a small model of a record's recipe
in FOLDER, unless it has one already, which takes some ten minutes of two cores; without FOLDER the
sets are made up only.
"""

import io
import lzma
import os
import subprocess
import sys
import time
import types
import zlib
from pathlib import Path

import brotli
import numpy as np
import torch
import zstandard

import pgolf_compose

RECIPE = "2026-04-05"
# full width, two of eleven layers and a vocabulary of 1024; the public rates at a tiny batch
TRAINED = {
    "NUM_LAYERS": "2",
    "LOOP_START": "1",
    "LOOP_END": "1",
    "ENABLE_LOOPING_AT": "0.95",
    "VOCAB_SIZE": "1024",
    "TRAIN_SEQ_LEN": "64",
    "TRAIN_BATCH_TOKENS": "512",
    "EMA_DECAY": "0.95",
    "MUON_BACKEND_STEPS": "4",
    "MUON_MOMENTUM": "0.95",
    "MUON_MOMENTUM_WARMUP_STEPS": "30",
    "MAX_WALLCLOCK_SECONDS": "480",
    "GPTQ_RESERVE_SECONDS": "30",
    "WARMUP_STEPS": "0",
    "VAL_LOSS_EVERY": "0",
    "PRECISION": "fp32",
    "TORCH_COMPILE": "0",
}
ROLES = ["c_q", "c_k", "c_v", "attn.proj", "mlp.fc", "mlp.proj"]
SHAPES = [(512, 512), (256, 512), (256, 512), (512, 512), (2048, 512), (512, 2048)]


def as_module(build) -> types.ModuleType:
    module = sys.modules["composed"] = types.ModuleType("composed")
    module.__file__ = "train_gpt.py"
    exec(compile(build.script.code, "train_gpt.py", "exec"), module.__dict__)
    return module


def made_up(structured: bool) -> dict[str, np.ndarray]:
    """One of eleven layers, six bits at 12.85 deviations, and 1,024 tokens, eight bits at 20.

    Normal numbers (set G), or t-distributed ones of eight degrees of freedom whose columns differ
    in scale by a log-normal factor of deviation 0.25 (set S). Rows differ in scale in both.
    """
    random = np.random.default_rng(0)

    def matrix(rows: int, columns: int, k: float, bits: int) -> np.ndarray:
        w = random.standard_normal((rows, columns))
        if structured:
            w = random.standard_t(8, (rows, columns)) * np.exp(
                0.25 * random.standard_normal(columns)
            )
        w *= np.exp(0.3 * random.standard_normal((rows, 1)))
        top = 2 ** (bits - 1) - 1
        step = (k * w.std(1, keepdims=True) / top).astype(np.float16)
        return np.rint(w / step).clip(-top, top).astype(np.int8)

    layers = {
        f"blocks.0.{role}": matrix(*shape, 12.85, 6)
        for role, shape in zip(ROLES, SHAPES, strict=True)
    }
    return {"tok_emb": matrix(1024, 512, 20, 8), **layers}


def trained(folder: Path) -> tuple[types.ModuleType, dict]:
    """The recipe's script, and what its own quantiser made of a short training."""
    path, build = folder / "final_model.int6.ptz", pgolf_compose.compose(RECIPE)
    if not path.exists():
        from pgolf_compose.data import make_tiny

        make_tiny(folder / "tiny", 1024, more=True)
        (folder / "train_gpt.py").write_bytes(build.readable)
        env = {**os.environ, **TRAINED, "DATA_DIR": str(folder / "tiny")}
        subprocess.run([sys.executable, "train_gpt.py"], cwd=folder, env=env, check=True)
    script = as_module(build)
    data = script.decompress(path.read_bytes())
    return script, script.unpack(torch.load(io.BytesIO(data), "cpu", weights_only=True))


def entropy(tensors: dict[str, np.ndarray]) -> float:
    """Bits in all, at each tensor's own frequencies."""
    bits = 0.0
    for q in tensors.values():
        counts = np.unique(q, return_counts=True)[1]
        bits -= (counts * np.log2(counts / q.size)).sum()
    return bits


def joined(tensors: dict[str, np.ndarray]) -> bytes:
    return b"".join(q.tobytes() for q in tensors.values())


def grouped(tensors: dict[str, np.ndarray]) -> bytes:
    """All matrices of a role together, column after column."""
    names = sorted(tensors, key=lambda name: name.split(".")[-3:])
    return b"".join(np.ascontiguousarray(tensors[name].T).tobytes() for name in names)


def shuffled(data: bytes) -> bytes:
    return data[::2] + data[1::2]


def lzma_raw(data: bytes) -> bytes:
    """Without the contexts of text: the low and high bits of a neighbour say nothing here."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 0, "lp": 0, "pb": 0}]
    return lzma.compress(data, lzma.FORMAT_RAW, filters=filters)


GENERAL = {
    "zlib 9": lambda q: len(zlib.compress(joined(q), 9)),
    "zstd 22": lambda q: len(zstandard.ZstdCompressor(level=22).compress(joined(q))),
    "lzma 9, lc 0, pb 0": lambda q: len(lzma_raw(joined(q))),
    "brotli 11, bytes shuffled": lambda q: len(brotli.compress(shuffled(joined(q)))),
    "grouped by role, transposed, brotli 11": lambda q: len(brotli.compress(grouped(q))),
    "grouped by role, transposed, zstd 22": lambda q: len(
        zstandard.ZstdCompressor(level=22).compress(grouped(q))
    ),
}


def ours(tables: str):
    setting = f"entropy_coded_weights.tables={tables}"
    script = as_module(
        pgolf_compose.compose("baseline", added=["entropy_coded_weights"], set=[setting])
    )

    class Model:
        @staticmethod
        def state_dict():
            return {}

    def timed(*given):
        begin = time.process_time()
        decode(*given)
        size.seconds = (begin - size.begin, time.process_time() - begin)

    def size(tensors: dict[str, np.ndarray]) -> int:
        """The words, and the tables that are stored, as brotli leaves them."""
        kept = {}
        script.pack = lambda stored, state: kept.update(stored) or {}
        stored = {
            name: (torch.from_numpy(q.copy()), torch.ones(len(q), dtype=torch.float16))
            for name, q in tensors.items()
        }
        size.begin = time.process_time()
        script.encode(Model, stored)
        shares = kept[" "].numpy().tobytes() if tables == "static" else b""
        return kept[""].nbytes + len(brotli.compress(shares))

    decode, script.decode = script.decode, timed
    return size


def print_sizes(sets: dict[str, dict[str, np.ndarray]]) -> None:
    count = {name: sum(q.size for q in tensors.values()) for name, tensors in sets.items()}
    print(f"| bits per weight | {' | '.join(sets)} |\n|---|{'--:|' * len(sets)}")
    print(f"| weights | {' | '.join(f'{n:,}' for n in count.values())} |")
    rows = {"entropy, tensor by tensor": lambda q: entropy(q) / 8, **GENERAL}
    rows |= {f"entropy_coded_weights, {one}": ours(one) for one in ("static", "columns")}
    for title, size in rows.items():
        found = [f"{8 * size(q) / count[name]:.4f}" for name, q in sets.items()]
        print(f"| {title} | {' | '.join(found)} |", flush=True)


def print_times(sets: dict[str, dict[str, np.ndarray]]) -> None:
    """At the size of a full model: the layer twelve times."""
    print("\nThe six-bit layer twelve times, one thread:\n")
    print("| set, tables | weights | entropy | bits per weight | encode | decode |")
    print("|---|--:|--:|--:|--:|--:|")
    for name in ("G", "S"):
        large = {f"{n}.{k}": q for n in range(12) for k, q in sets[name].items() if k != "tok_emb"}
        count = sum(q.size for q in large.values())
        for tables in ("static", "columns"):
            size = ours(tables)
            bits = f"{entropy(large) / count:.4f} | {8 * size(large) / count:.4f}"
            encode, decode = size.seconds
            row = f"{count:,} | {bits} | {encode:.1f} s | {decode:.1f} s"
            print(f"| {name}, {tables} | {row} |", flush=True)


def permuted(tensors: dict[str, np.ndarray], order) -> dict[str, np.ndarray]:
    """Hidden units of each MLP in another order: rows of what makes them, columns of what reads."""
    found = dict(tensors)
    for name in tensors:
        if ".mlp.proj" in name:
            units, fc = order(tensors[name]), name.replace("proj", "fc")
            found[name], found[fc] = tensors[name][:, units], tensors[fc][units]
    return found


def print_permutations(tensors: dict[str, np.ndarray]) -> None:
    by_size = permuted(tensors, lambda q: np.abs(q.astype(int)).sum(0).argsort())
    print("\n| bytes, hidden units | as trained | by size | gain |\n|---|--:|--:|--:|")
    names = [name for name in GENERAL if "brotli" in name]
    rows = {name: GENERAL[name] for name in names} | {"entropy_coded_weights": ours("columns")}
    for title, size in rows.items():
        before, after = size(tensors), size(by_size)
        print(f"| {title} | {before:,} | {after:,} | {before - after:,} |", flush=True)


def print_scales(stored: dict) -> None:
    """Steps with fewer bits, as the recipe's codec stores them, and what rounding them costs."""
    scales = torch.cat([value[1] for value in stored.values() if isinstance(value, tuple)])
    print(f"\n{len(scales):,} steps:\n")
    print(
        "| mantissa bits | bits each, brotli 11 shuffled | error of a step, deviations | bits lost |"
    )
    print("|--:|--:|--:|--:|")
    for bits in (10, 5, 4, 3, 2):
        setting = f"coarse_scales.mantissa_bits={bits}"
        script = as_module(
            pgolf_compose.compose("baseline", added=["coarse_scales"], set=[setting])
        )
        coarse = script.as_stored(scales.float())
        data = shuffled(coarse.half().numpy().tobytes())
        error = (coarse / scales.float()).log()
        # the error is a step's square, the bits its logarithm: at equal bits the spread costs
        spread = (error - error.mean()).exp().square().mean().log2() / 2
        row = f"{8 * len(brotli.compress(data)) / len(scales):.2f} | {error.std():.4f} "
        print(f"| {bits} | {row}| {spread:.5f} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    sets = {"G": made_up(False), "S": made_up(True)}
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if folder:
        _, stored = trained(folder)
        integers = {name: value[0] for name, value in stored.items() if isinstance(value, tuple)}
        sets["trained"] = {name: q.numpy() for name, q in integers.items()}
    print_sizes(sets)
    if folder:
        print_scales(stored)
    print_times(sets)
    if folder:
        print_permutations(sets["trained"])

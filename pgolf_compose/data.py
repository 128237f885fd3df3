"""Dataset variants, the shards they are made of, and a tiny one from text at hand."""

import ast
import hashlib
import importlib
import io
import json
import os
import shutil
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pgolf_compose.errors import ComposeError

__all__ = [
    "DATASETS",
    "Dataset",
    "Shard",
    "check_dataset",
    "check_files",
    "make_tiny",
    "read_header",
]

MAGIC, VERSION, HEADER_BYTES = 20240520, 1, 1024
BOS = 1
MANIFEST = "tiny.json"
SKIPPED = {"test", "tests", "idlelib", "lib2to3", "site-packages", "turtledemo", "pydoc_data"}


@dataclass(frozen=True)
class Dataset:
    """Shards and a tokenizer below a data folder, in the challenge's layout, or plain `files`."""

    name: str
    summary: str
    vocab_size: int = 0
    shards: str = ""  # folder below datasets/; empty: the script's own rule, by vocabulary
    tokenizer: str = ""  # file below tokenizers/; likewise
    fetch: str = ""  # the command that puts it below data/, in the root of the contest's repository
    files: tuple[str, ...] = ()  # below the data folder, where it is not made of shards
    settings: Mapping[str, object] = field(default_factory=dict)  # of the host, besides

    def shard_folder(self, folder: Path) -> Path:
        return folder / "datasets" / (self.shards or f"fineweb10B_sp{self.vocab_size}")

    def tokenizer_file(self, folder: Path) -> Path:
        return folder / "tokenizers" / (self.tokenizer or f"fineweb_{self.vocab_size}_bpe.model")


FETCH = "python data/cached_challenge_fineweb.py --variant "
OTHER_MIRROR = "MATCHED_FINEWEB_REPO_ID=kevclark/parameter-golf "  # the first lacks them
DATASETS = [
    Dataset(
        "sp1024",
        "FineWeb in 1,024 SentencePiece BPE pieces, the baseline's",
        1024,
        fetch=FETCH + "sp1024",
    ),
    Dataset("sp4096", "FineWeb in 4,096 pieces", 4096, fetch=OTHER_MIRROR + FETCH + "sp4096"),
    Dataset("sp8192", "FineWeb in 8,192 pieces", 8192, fetch=OTHER_MIRROR + FETCH + "sp8192"),
    Dataset(
        "tiny",
        "English text that every Python has: its documentation",
        1024,
        fetch="pgolf-compose data tiny data",
    ),
]


@dataclass(frozen=True)
class Shard:
    """A file of tokens."""

    path: Path
    tokens: int


def read_header(path: Path) -> Shard:
    """A shard by its header; one that is damaged or cut short is refused."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        size = file.seek(0, io.SEEK_END)
    if len(header) < HEADER_BYTES:
        raise ComposeError(f"is cut short: {size} bytes are less than a header", path)
    magic, version, tokens = struct.unpack_from("<3i", header)
    if (magic, version) != (MAGIC, VERSION):
        raise ComposeError(
            f"is no token shard: it starts with {magic}, {version}, not {MAGIC}, {VERSION}",
            path,
        )
    if size != HEADER_BYTES + 2 * tokens:
        raise ComposeError(
            f"is damaged: {tokens} tokens are {HEADER_BYTES + 2 * tokens} bytes, it has {size}; "
            "fetch it again",
            path,
        )
    return Shard(path, tokens)


def check_dataset(dataset: Dataset, folder: Path) -> tuple[list[Shard], list[Shard]]:
    """Train and validation shards of a dataset below a folder; refuses what would not run."""
    shards = dataset.shard_folder(folder)
    found = {}
    for split in ("train", "val"):
        paths = sorted(p for p in shards.glob(f"fineweb_{split}_*.bin") if p.is_file())
        if not paths:
            raise ComposeError(
                f"holds no {split} shards; the challenge's own script fetches them: "
                f"cached_challenge_fineweb.py --variant {dataset.name}",
                shards,
            )
        found[split] = [read_header(path) for path in paths]
    tokenizer = dataset.tokenizer_file(folder)
    if not tokenizer.is_file():
        raise ComposeError("there is no tokenizer here", tokenizer)
    try:
        model = needed("sentencepiece").SentencePieceProcessor(model_file=str(tokenizer))
        pieces = model.vocab_size()
    except (RuntimeError, OSError):
        raise ComposeError("is no SentencePiece model; fetch it again", tokenizer) from None
    if pieces != dataset.vocab_size:
        raise ComposeError(
            f"has {pieces} pieces, {dataset.name} has {dataset.vocab_size}", tokenizer
        )
    return found["train"], found["val"]


def check_files(dataset: Dataset, folder: Path) -> dict[str, int]:
    """Bytes of each plain file of a dataset below a folder; refuses what is missing or empty."""
    found = {}
    for name in dataset.files:
        path = folder / name
        if not path.is_file():
            raise ComposeError(f"is not there; {dataset.name} needs it", path)
        if not (size := path.stat().st_size):
            raise ComposeError("is empty", path)
        found[name] = size
    return found


def make_tiny(folder: Path, vocab_size: int = 1024, more: bool = True) -> bool:
    """Shards and a tokenizer from Python's documentation; False if they are there already.

    `more` adds the docstrings of the standard library. One document in ten is validation. The
    layout is the challenge's, so any script of it runs with DATA_DIR set to the folder.
    """
    about = {
        "text": "documentation of Python's standard library; not FineWeb",
        "python": ".".join(map(str, sys.version_info[:3])),
        "vocab_size": vocab_size,
        "docstrings": more,
    }
    if folder.exists() and not folder.is_dir():
        raise ComposeError("is a file; name a folder", folder)
    made_by_us = read_manifest(folder)
    if folder.exists() and sha256(folder).keys() - made_by_us.get("sha256", {}).keys():
        raise ComposeError("holds other files; name a new folder", folder)
    if made_by_us == {**about, "sha256": sha256(folder)}:
        return False
    documents = [*topics(), *(docstrings() if more else [])]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
            hashes = write_tiny(Path(made), documents, vocab_size)
            (Path(made) / MANIFEST).write_text(json.dumps({**about, "sha256": hashes}, indent=1))
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(made, folder)
            Path(made).mkdir()  # for TemporaryDirectory to remove
    except OSError as error:
        raise ComposeError(f"cannot be written: {error.strerror}", folder) from None
    folder.chmod(0o755)
    return True


def read_manifest(folder: Path) -> dict:
    """What was written here before; empty where nothing readable says so."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return manifest if isinstance(manifest.get("sha256"), dict) else {}
    except (OSError, ValueError, AttributeError):
        return {}


def sha256(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def topics() -> list[str]:
    """What `help()` knows by topic: prose about the language, the same in every Python."""
    from pydoc_data.topics import topics

    return [topics[name] for name in sorted(topics)]


def docstrings() -> Iterator[str]:
    """The longer docstrings of each module of the standard library, as one document."""
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.rglob("*.py")):
        if SKIPPED.intersection(path.relative_to(library).parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            continue
        with_doc = (ast.Module, ast.ClassDef, ast.FunctionDef)
        texts = [ast.get_docstring(n) or "" for n in ast.walk(tree) if isinstance(n, with_doc)]
        if document := "\n\n".join(text for text in texts if len(text) > 200):
            yield document


def write_tiny(folder: Path, documents: Sequence[str], vocab_size: int) -> dict[str, str]:
    """Train the tokenizer, write the shards; returns their hashes by relative path."""
    dataset = Dataset("tiny", "", vocab_size)
    tokenizer = dataset.tokenizer_file(folder)
    tokenizer.parent.mkdir(parents=True)
    spm = needed("sentencepiece")
    model = io.BytesIO()
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(line for text in documents for line in text.split("\n") if line),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            byte_fallback=True,
            pad_id=0,
            bos_id=BOS,
            eos_id=2,
            unk_id=3,
            num_threads=1,  # more would make the pieces depend on the machine
            minloglevel=2,
        )
    except (RuntimeError, ValueError):
        raise ComposeError(
            f"this text does not make a tokenizer of {vocab_size} pieces; ask for 400 to 8000"
        ) from None
    tokenizer.write_bytes(model.getvalue())
    pieces = spm.SentencePieceProcessor(model_proto=model.getvalue())
    encoded = pieces.encode([*documents], out_type=int)
    shards = dataset.shard_folder(folder)
    shards.mkdir(parents=True)
    val, train = encoded[::10], [one for n, one in enumerate(encoded) if n % 10]
    half = len(train) // 2
    for name, group in (
        ("fineweb_train_000000.bin", train[:half]),
        ("fineweb_train_000001.bin", train[half:]),
        ("fineweb_val_000000.bin", val),
    ):
        write_shard(shards / name, [token for document in group for token in (BOS, *document)])
    return sha256(folder)


def write_shard(path: Path, tokens: Sequence[int]) -> None:
    """A shard of the challenge: 256 little-endian int32 words, then the tokens as uint16."""
    np = needed("numpy")
    header = np.zeros(HEADER_BYTES // 4, dtype="<i4")
    header[:3] = MAGIC, VERSION, len(tokens)
    path.write_bytes(header.tobytes() + np.asarray(tokens, dtype="<u2").tobytes())


def needed(package: str):
    """An import of the extra that only training needs."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise ComposeError(
            f"{package} is not installed; pip install 'pgolf-compose[train]'"
        ) from None

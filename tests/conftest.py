"""What the tests share: file trees, the command line, composed scripts as modules."""

import ast
import functools
import gc
import hashlib
import itertools
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
import types
from pathlib import Path

import black
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from runs import Starter

import pgolf_compose.build
from pgolf_compose.cli import main
from pgolf_compose.render import fill
from pgolf_compose.script import DEFINITIONS

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"  # captured numbers; the suite passes without them

INIT = '''"""{summary}"""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(__name__{declared})
'''


def technique(fragments: str, declared: str = "", summary: str = "A technique of a test.") -> dict:
    """The two files of a technique's folder."""
    declared = f", {declared}" if declared else ""
    return {
        "__init__.py": INIT.format(summary=summary, declared=declared),
        "fragments.py": fragments,
    }


def write_tree(folder: Path, tree: dict) -> Path:
    """Nested dicts are folders, texts are files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        if isinstance(content, dict):
            write_tree(folder / name, content)
        elif isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            (folder / name).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Write a file tree into an empty folder and stand in it."""
    monkeypatch.chdir(tmp_path)
    return lambda files: write_tree(tmp_path, files)


@pytest.fixture
def cli():
    """Run the command line in this process: `.output`, `.stderr`, `.exit_code`."""
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args], prog_name="pgolf")


@pytest.fixture
def refuses(cli):
    """Run a command that must end with code 2, no traceback and nothing on standard output."""

    def run(*args) -> str:
        result = cli(*args)
        assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        return result.stderr

    return run


def as_module(build) -> types.SimpleNamespace:
    """A composed script's classes and functions, without running its main."""
    code = compile(build.script.code, f"{build.name}.py", "exec")
    module = types.ModuleType("composed")
    module.__file__ = f"{build.name}.py"
    sys.modules["composed"] = module
    exec(code, module.__dict__)
    return module


class Kept:
    """What was made once in a run of the tests, by any of its workers: files of one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def __call__(self, make, *key: str):
        path = self.folder / hashlib.sha256("\0".join(key).encode()).hexdigest()
        if not path.exists():
            new = path.with_suffix(f".{os.getpid()}")
            new.write_bytes(pickle.dumps(make()))
            new.replace(path)
        return pickle.loads(path.read_bytes())


@pytest.fixture(scope="session", autouse=True)
def nothing_is_made_twice(tmp_path_factory):
    """Rendering, black and the passes take most of a composition: what they made is kept.

    A script is rendered once for what its templates filled in say, and made small once; black
    formats functions and classes one by one, of which a composition shares most with others.
    """
    base = tmp_path_factory.getbasetemp()
    kept = Kept((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kept")
    render, form = pgolf_compose.build.render, black.format_str
    shrink = pgolf_compose.build.Build.shrunk.func
    settle = pgolf_compose.build.Build.simple.func
    known = {}

    def rendered(composition):
        script = fill(composition)
        origins = "".join(f"{one.owner} {one.file} {one.line}\n" for one in script.origins)
        return kept(lambda: render(composition), script.name, script.code, origins)

    def formatted(text, **options):
        if text not in known:
            known[text] = kept(lambda: form(text, **options).strip("\n"), "black", text)
        return known[text]

    def by_pieces(text, **options):
        return "\n\n\n".join(formatted(one, **options) for one in pieces(text)) + "\n"

    def shrunk(build):
        return kept(lambda: shrink(build), "shrunk", build.script.code, *sorted(build.keep))

    def simple(build):
        return kept(lambda: settle(build), "simple", build.script.code, *sorted(build.keep))

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)  # xdist's workers have it
        patch.setenv("XDG_CACHE_HOME", str(kept.folder / "cache"))
        patch.setattr(pgolf_compose.build, "render", rendered)
        patch.setattr(black, "format_str", by_pieces)
        patch.setattr(pgolf_compose.build.Build, "shrunk", property(shrunk))
        patch.setattr(pgolf_compose.build.Build, "simple", property(simple))
        yield


def pieces(text: str) -> list[str]:
    """A script, cut where two blank lines stand above a function or class, or below it."""
    lines, cuts = text.split("\n"), [0]
    for one, other in itertools.pairwise(ast.parse(text).body):
        end = one.end_lineno
        if isinstance(one, DEFINITIONS) or isinstance(other, DEFINITIONS):
            cuts += [end] if lines[end : end + 2] == ["", ""] else []
    return ["\n".join(lines[a:b]) for a, b in itertools.pairwise([*cuts, len(lines)])]


@pytest.fixture(scope="session")
def baseline():
    return pgolf_compose.compose("baseline")


@pytest.fixture(scope="session")
def host(baseline):
    """The baseline's script as a module."""
    return as_module(baseline)


def hyperparameters(module, **values):
    """The script's hyperparameters with some set, in float32."""
    h = module.Hyperparameters()
    if "train_seq_len" in values:
        values = {"eval_seq_len": values["train_seq_len"], **values}
    for name, value in {"precision": "fp32", **values}.items():
        assert hasattr(h, name), name
        setattr(h, name, value)
    return h


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A dataset of a few thousand tokens of real text."""
    from pgolf_compose.data import make_tiny

    folder = tmp_path_factory.mktemp("data") / "tiny"
    make_tiny(folder, 512, more=False)
    return folder


@pytest.fixture(scope="session")
def short(tiny, tmp_path_factory) -> Path:
    """The tiny dataset with 4,097 tokens to validate on."""
    folder = tmp_path_factory.mktemp("data") / "short"
    shutil.copytree(tiny, folder)
    [shard] = folder.glob("datasets/*/fineweb_val_*.bin")
    header = np.fromfile(shard, "<i4", 256)
    tokens = np.fromfile(shard, "<u2", 4097, offset=1024)
    header[2] = len(tokens)
    shard.write_bytes(header.tobytes() + tokens.tobytes())
    return folder


SMALL = {
    "NUM_LAYERS": "3",
    "MODEL_DIM": "32",
    "NUM_HEADS": "4",
    "NUM_KV_HEADS": "2",
    "VOCAB_SIZE": "512",
    "TRAIN_SEQ_LEN": "32",
    "TRAIN_BATCH_TOKENS": "512",
    "VAL_BATCH_SIZE": "16384",
    "ITERATIONS": "3",
    "WARMUP_STEPS": "0",
    "MAX_WALLCLOCK_SECONDS": "0",
    "VAL_LOSS_EVERY": "0",
    "TRAIN_LOG_EVERY": "1",
    "PRECISION": "fp32",
    "TORCH_COMPILE": "0",
    "OMP_NUM_THREADS": "1",
    "RUN_ID": "test",
}


# what lets any technique run at that size, and do something
ANY = {
    "WARMDOWN_ITERS": "0",  # full rates, so that what starts at zero leaves it
    "INT8_KEEP_FLOAT_MAX_NUMEL": "1000",  # so that matrices are quantised at this size
    "QUANT_SCALE_FLOOR": "0",
    "ROPE_DIMS": "4",
    "ROPE_TRAIN_SEQ_LEN": "16",
    "EVAL_STRIDE": "16",
    "TTT_CHUNK_TOKENS": "1024",
    "TTT_CHUNK_SIZE": "16",
    "EMA_DECAY": "0.5",
    "SWA_EVERY": "1",
    "SWA_START_FRAC": "1",
    "LOOP_START": "1",
    "LOOP_END": "1",
    "PARALLEL_RESIDUAL_START": "2",
    "RECUR_LAYERS": "1",
    "RECUR_START_STEP": "1",
    "REPEAT_UNTIE_MLP_LAYERS": "1",
    "GPTQ_CALIBRATION_BATCHES": "8",
    "GPTQ_CALIB_SEQS": "16",
    "N_INT6_LAYERS": "4",
    "MATRIX_BITS": "7",  # several that each make a grid coarser come together
    "INT4_STEP": "2",
    "CLIP_SEARCH_LEAST_CLIP": "0",
    "MAGNITUDE_PRUNING_ABOVE_NUMEL": "1000",
}


@functools.cache
def starter() -> Starter:
    """This worker's. torch's optimizers import torch._dynamo, which takes as long as torch."""
    return Starter("numpy", "sentencepiece", "torch", "torch._dynamo")


def pytest_collection_finish():
    gc.freeze()  # so that no collection walks what all these imports made


def pytest_sessionfinish():
    if starter.cache_info().currsize:
        starter().stop()


def run_script(
    code: str | bytes, folder: Path, *, processes: int = 1, as_users_do: bool = False, **env
) -> types.SimpleNamespace:
    """Run a script in a folder of its own; its streams, exit code and metrics.

    A variable of None is taken out of the environment. One process is forked from one that has
    imported torch already, unless it is to start `as_users_do`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "train_gpt.py"
    script.write_bytes(code.encode() if isinstance(code, str) else code)
    environment = {**os.environ, **SMALL, "METRICS_PATH": "metrics.jsonl", **env}
    environment = {k: v for k, v in environment.items() if v is not None}
    if processes == 1 and not as_users_do and sys.platform == "linux":
        done = starter().run(script, environment, timeout=300)
    else:
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        done = subprocess.run(
            [sys.executable, *(torchrun if processes > 1 else []), script.name],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
    metrics = folder / "metrics.jsonl"
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    events = [json.loads(line) for line in lines]
    return types.SimpleNamespace(
        stdout=done.stdout, stderr=done.stderr, exit_code=done.returncode, events=events
    )


@pytest.fixture(scope="session")
def shared():
    if not SHARED.is_dir():
        pytest.skip("the captured numbers in ../shared are not here")
    return SHARED


TIGHT = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture
def golden(shared):
    """The arrays of one captured vector, by name."""

    def load(name):
        with np.load(shared / "golden" / f"{name}.npz") as arrays:
            return {
                key: torch.from_numpy(array) if array.ndim else array.item()
                for key, array in arrays.items()
                if key != "meta"
            }

    return load


def under(arrays, prefix):
    """The arrays whose names begin with `prefix/`, without it: parameters stand under w/."""
    return {k[len(prefix) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{prefix}/")}


def loaded(module, arrays):
    module.load_state_dict(under(arrays, "w"), strict=True)
    return module


def sizes(arrays):
    """num_heads and num_kv_heads, and the widths that the weights have."""
    kept = {key: int(arrays[key]) for key in ("num_heads", "num_kv_heads")}
    return {**kept, "model_dim": 32, "rope_base": 10000.0}


def validation_of(module, arrays):
    """The validation split that a captured evaluation read."""
    counts = module.ByteCounts.__new__(module.ByteCounts)
    counts.base, counts.space, counts.boundary = (
        arrays[key] for key in ("base_bytes", "leading_space", "boundary")
    )
    validation = module.Validation.__new__(module.Validation)
    validation.byte_counts, validation.tokens = counts, arrays["tokens"].to(torch.int64)
    return validation


def ramp(*shape, scale=0.1):
    """Numbers that are the same everywhere and in no order."""
    count = math.prod(shape)
    return (torch.sin(torch.arange(1, count + 1, dtype=torch.float32) ** 1.5) * scale).view(shape)

"""Run a composed script end to end on a CPU, tiny, and tell each stage as it is reached."""

import itertools
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.build import Build
from pgolf_compose.data import Dataset, make_tiny
from pgolf_compose.errors import ComposeError
from pgolf_compose.files import write_files
from pgolf_compose.launch import follow, read_progress

__all__ = ["Stage", "smoke"]

VOCABULARY = 512


@dataclass(frozen=True)
class Stage:
    """A stage that went through: its name, its figures, seconds since the one before."""

    name: str
    detail: str
    seconds: float


# the log line that shows a stage went through, and what to tell of it
LINES = [
    ("imports", re.compile(r"python:(\S+) torch:(\S+)"), "python {0}, torch {1}"),
    ("parameters", re.compile(r"model_params:(\d+)"), "{0}"),
    ("warm up", re.compile(r"warmup_step:(\d+)/\1"), "{0} steps, undone"),
    ("artifact", re.compile(r"Serialized model (int\S+): (\d+) bytes"), "{1} bytes, {0}"),
    ("evaluate", re.compile(r"(\S.*)_exact val_loss:\S+ val_bpb:(\S+)"), "{1} bits per byte, {0}"),
]


def smoke(build: Build, folder: Path) -> Iterator[Stage]:
    """Every stage of the readable script, then whether the small file computes the same."""
    clock = time.perf_counter()

    def stage(name: str, detail: str) -> Stage:
        nonlocal clock
        before, clock = clock, time.perf_counter()
        return Stage(name, detail, clock - before)

    readable, small = folder / "train_gpt_human.py", folder / "train_gpt.py"
    write_files({readable: build.readable, small: build.packed})
    yield stage("compose", f"{len(build.readable)} bytes readable, {len(build.packed)} small")
    tiny, data = Dataset("tiny", "", VOCABULARY), cache() / f"tiny-{VOCABULARY}"
    make_tiny(data, VOCABULARY, more=False)
    yield stage("data", f"{VOCABULARY} pieces, {data}")
    env = {
        **build.composition.host.smoke,
        **{k: v for one in build.composition.techniques for k, v in one.smoke.items()},
        "DATA_DIR": str(data),
        "DATA_PATH": str(tiny.shard_folder(data)),
        "TOKENIZER_PATH": str(tiny.tokenizer_file(data)),
        "VOCAB_SIZE": str(VOCABULARY),
        "CUDA_VISIBLE_DEVICES": "",
        "RUN_ID": "smoke",
        "OMP_NUM_THREADS": "1",  # so small, threads would only wait for each other
    }
    lines = []
    losses: list[float] = []
    for line in follow(readable, folder, env, origins=build.script.origins):
        lines.append(line)
        if progress := read_progress(line):
            if progress.kind == "train":
                losses.append(progress.loss)
                if not math.isfinite(progress.loss):
                    raise ComposeError(f"the loss of step {progress.step} is {progress.loss}")
                if progress.step == progress.steps:
                    yield stage("train", f"{len(losses)} steps, loss {losses[0]} to {losses[-1]}")
            continue
        for name, pattern, told in LINES:
            if found := pattern.match(line):
                yield stage(name, told.format(*found.groups()))
    wanted, again = figures(lines), figures(list(follow(small, folder, env)))
    for one, other in itertools.zip_longest(wanted, again):
        if one != other:
            raise ComposeError(f"computes {other!r} where its readable twin has {one!r}", small)
    yield stage("small file", f"the same {len(wanted)} losses, scores and sizes")


def figures(lines: list[str]) -> list[str]:
    """What two runs of one program must print alike: no times, no size of the code."""
    kept = [re.sub(r" \w+_(?:time|avg):\S+", "", line) for line in lines if "_loss:" in line]
    return kept + [line for line in lines if line.startswith("Serialized model")]


def cache() -> Path:
    """Where things that can be made again are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home).resolve() / "pgolf-compose"

"""Run any script on the CPU under the stand-ins; tell what it did, and compare two that did."""

import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.environment import (
    SIZES,
    script_text,
    small_data,
    small_environment,
    vocabulary,
)
from pgolf_compose.errors import ComposeError
from pgolf_compose.launch import command

__all__ = [
    "STAGES",
    "Comparison",
    "Trace",
    "compare_traces",
    "first_difference",
    "is_packed",
    "last_line",
    "run_both",
    "trace",
    "unpacked",
    "watch",
]

CHILD = Path(__file__).parent / "standins" / "__main__.py"
STAGES = [
    "imports",
    "hyperparameters",
    "parameters",
    "forward",
    "step",
    "quantise",
    "artifact",
    "read back",
    "evaluate",
]
KINDS = {
    "loss": "losses",
    "rate": "learning rates",
    "figure": "figures",
    "output": "outputs",
    "score": "scores",
    "tensors": "tensors",
}


def watch(
    script: Path,
    folder: Path,
    env: Mapping[str, str],
    *,
    record: bool = False,
    timeout: float = 600,
    seconds_per_step: float = 0,
) -> Iterator[dict]:
    """What a run tells, as it happens; the last is `{"end": exit code, ...}`.

    The run's output lies in stdout.txt and stderr.txt in the folder. With `record` it tells every
    loss and tensor as well. `seconds_per_step`: the script's clock goes by steps, not by time.
    """
    script, folder = script.resolve(), folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("tensors-*.npz"):
        old.unlink()
    events = folder / "events.jsonl"
    events.unlink(missing_ok=True)
    asked = {
        "script": str(script),
        "events": str(events),
        "stages": STAGES,
        "trace": record,
        "memory": half_of_memory(),
        "seconds_per_step": seconds_per_step,
    }
    process = start(asked, folder, {**os.environ, **env})
    try:
        ended = yield from follow_events(events, process, time.monotonic() + timeout)
    finally:
        end(process)
    if not ended:
        yield from last_words(process.returncode, folder, timeout)


def start(asked: dict, folder: Path, env: Mapping[str, str]) -> subprocess.Popen:
    """The process that executes the script."""
    python = command(CHILD)  # refuses where there is no torch
    with (folder / "stdout.txt").open("wb") as out, (folder / "stderr.txt").open("wb") as err:
        return subprocess.Popen(
            [*python, json.dumps(asked)],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


def is_packed(text: str) -> bool:
    """Whether a script's text unpacks another, going by what it lacks."""
    return "exec" in text and not re.search(r"^(import|from) +torch\b", text, re.MULTILINE)


def unpacked(script: Path, folder: Path) -> str:
    """The text that a packed script would execute: it runs up to there, without stand-ins."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("unpacked-*.py"):
        old.unlink()
    process = start({"script": str(script.resolve()), "peek": True}, folder, os.environ)
    until = time.monotonic() + 60
    try:
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        end(process)
    texts = sorted(folder.glob("unpacked-*.py"), key=lambda path: int(path.stem[9:]))
    return (texts or [script])[-1].read_text(encoding="utf-8")


def half_of_memory() -> int:
    """Bytes: what a script may take without taking the machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def follow_events(events: Path, process: subprocess.Popen, until: float):
    """Each event as it is written, to the process's end or the time's; whether it told its end."""
    ended, rest, read = False, b"", 0
    while True:
        alive = process.poll() is None
        text = rest
        if events.exists():
            with events.open("rb") as file:
                file.seek(read)
                more = file.read()
            text, read = rest + more, read + len(more)
        *lines, rest = text.split(b"\n")
        for line in lines:
            event = json.loads(line)
            ended |= "end" in event
            yield event
        if (not alive and not lines) or time.monotonic() > until:
            break
        if not lines:
            time.sleep(0.02)
    return ended


def end(process: subprocess.Popen) -> None:
    """Nothing that the run started is left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError, AttributeError):
        process.kill()
    process.wait()


def last_words(status: int, folder: Path, timeout: float) -> Iterator[dict]:
    """Of a run that did not tell its own end."""
    if status == -signal.SIGKILL:
        message = f"took longer than {timeout:g} s"
    elif status < 0:
        message = f"ended by {signal.Signals(-status).name}"
    else:
        message = last_line(folder / "stderr.txt") or f"ended with {status}"
    yield {"failed": "", "message": message, "line": None, "file": "", "text": "", "at": ""}
    yield {"end": status or 1, "used": [], "names": {}}


def last_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    return next((line for line in reversed(text.splitlines()) if line.strip()), "").strip()


@dataclass(frozen=True)
class Trace:
    """All that a run computed, in order, and the folder that holds its tensors."""

    script: Path
    folder: Path
    events: tuple[dict, ...]


def trace(script: Path, folder: Path, env: Mapping[str, str], timeout: float = 600) -> Trace:
    """Run a script to its end and keep what it computed; raises with its own words if it fails."""
    events = []
    for event in watch(script, folder, env, record=True, timeout=timeout, seconds_per_step=0.1):
        events.append(event)
        if "failed" in event:
            where = f" (line {event['line']}: {event['text']})" if event["line"] else ""
            raise ComposeError(f"{event['message']}{where}", script)
    if events[-1]["end"]:
        told = last_line(folder / "stderr.txt") or f"ended with {events[-1]['end']}"
        raise ComposeError(told, script)
    return Trace(script, folder, tuple(one for one in events if "kind" in one))


def run_both(
    a: Path, b: Path, folder: Path, cache: Path, sizes: Mapping[str, str] = SIZES, timeout=600
) -> tuple[Trace, Trace]:
    """Two scripts at the smoke size, with one environment and the same data."""
    texts = [
        unpacked(script, folder / side) if is_packed(text) else text
        for script, side in ((a, "a"), (b, "b"))
        for text in [script_text(script)]
    ]
    pieces = max(map(vocabulary, texts))
    env = small_environment(small_data(folder, cache, pieces), pieces, sizes)
    one, other = (
        trace(script, folder / side, env, timeout) for script, side in ((a, "a"), (b, "b"))
    )
    return one, other


@dataclass(frozen=True)
class Comparison:
    """What two traces have of one kind, pair by pair."""

    kind: str  # in the plural
    counts: tuple[int, int]
    different: int
    largest: float | None  # absolute difference of two numbers
    first: str  # where and what; empty if all agree
    position: int  # of the first difference in the first trace

    @property
    def agrees(self) -> bool:
        return not self.first


def compare_traces(a: Trace, b: Trace) -> list[Comparison]:
    """Each kind that either has; in the order of what happened first."""
    found = []
    for kind in KINDS:
        one, other = of_kind(a, kind), of_kind(b, kind)
        if one or other:
            found.append(compare_kind(kind, a, one, b, other))
    return found


def first_difference(found: list[Comparison]) -> str:
    """What differs first, told in one line; empty if all agree."""
    differing = [one for one in found if not one.agrees]
    return min(differing, key=lambda one: one.position).first if differing else ""


def of_kind(trace: Trace, kind: str) -> list[tuple[int, dict]]:
    return [(n, one) for n, one in enumerate(trace.events) if one["kind"] == kind]


def compare_kind(kind: str, a: Trace, one: list, b: Trace, other: list) -> Comparison:
    different, largest, first, position = 0, None, "", len(a.events)
    counts = [len(one), len(other)]
    if kind == "tensors":
        counts = [sum(len(event["names"]) for _, event in side) for side in (one, other)]
    for number, (left, right) in enumerate(itertools.zip_longest(one, other), 1):
        if left is None or right is None:
            told, most, count = f"{len(one)} against {len(other)}", None, 0
            if kind == "tensors":
                told += " sets"
            count = abs(len(one) - len(other))
        elif kind == "tensors":
            told, most, count = compare_tensors(a, left[1], b, right[1])
        else:
            told, most = compare_values(left[1], right[1])
            count = bool(told)
        if told and not first:
            name = f"tensors {(left or right)[1]['what']}" if kind == "tensors" else kind
            at = f" {number}" if kind != "tensors" and left and right else ""
            label = KINDS[kind] if left is None or right is None else f"{name}{at}"
            first = f"{label}: {told}"
            position = left[0] if left else len(a.events)
        different += count
        if most is not None:
            largest = most if largest is None else max(largest, most)
        if left is None or right is None:
            break
    return Comparison(KINDS[kind], tuple(counts), different, largest, first, position)


def compare_values(a: dict, b: dict) -> tuple[str, float | None]:
    """What differs between two numbers, or two lists of them, and by how much."""
    keys = [key for key in ("shape", "hash", "value") if key in a and key in b]
    if all(json.dumps(a[key]) == json.dumps(b[key]) for key in keys):
        return "", None
    one, other = a.get("value"), b.get("value")
    if isinstance(one, dict):
        keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
        keys = keys or [*one]
        said = [", ".join(f"{key} {side.get(key)}" for key in keys) for side in (one, other)]
        pairs = [(one.get(key), other.get(key)) for key in keys]
        return " against ".join(said), largest_of(pairs)
    if one is None or other is None:
        return f"shape {a.get('shape')} against {b.get('shape')}, other numbers", None
    pairs = zip(one, other, strict=False) if isinstance(one, list) else [(one, other)]
    return f"{one} against {other}", largest_of(pairs)


def largest_of(pairs) -> float | None:
    apart = [
        abs(x - y) for x, y in pairs if isinstance(x, int | float) and isinstance(y, int | float)
    ]
    return max(apart, default=None)


def compare_tensors(a: Trace, one: dict, b: Trace, other: dict) -> tuple[str, float | None, int]:
    """Two sets of tensors, by name where the names are the same, else by order and shape."""
    left, right = (rows(event) for event in (one, other))
    if len(left) != len(right):
        return f"{len(left)} against {len(right)} of them", None, abs(len(left) - len(right))
    if sorted(left) == sorted(right):
        by_name = {name: n for n, name in enumerate(other["names"])}
        pairs = [(n, by_name[name]) for n, name in enumerate(one["names"])]
    else:
        # renamed ones may stand in another order, as sorting by name puts them
        if sorted(left.values()) == sorted(right.values()):
            return "", None, 0
        pairs = [(n, n) for n in range(len(left))]
    count, largest, first = 0, None, ""
    for n, m in pairs:
        mine, its = [*left.values()][n], [*right.values()][m]
        if mine == its:
            continue
        count += 1
        name = one["names"][n]
        if mine[:2] != its[:2]:
            told = f"{name}: {mine[1]} {mine[0]} against {its[1]} {its[0]}"
        else:
            apart = tensors_apart(a.folder / one["file"], n, b.folder / other["file"], m)
            told = f"{name}: {apart:.3g} apart at most"
            largest = apart if largest is None else max(largest, apart)
        first = first or told
    return first, largest, count


def rows(event: dict) -> dict[str, tuple]:
    """Shape, type and hash of each tensor by name."""
    columns = zip(event["shapes"], event["dtypes"], event["hashes"], strict=True)
    return dict(zip(event["names"], ((str(s), d, h) for s, d, h in columns), strict=True))


def tensors_apart(one: Path, n: int, other: Path, m: int) -> float:
    """The largest absolute difference of two tensors' numbers."""
    import numpy as np

    with np.load(one) as left, np.load(other) as right:
        a, b = left[f"t{n}"].astype(np.float64), right[f"t{m}"].astype(np.float64)
    return float(np.abs(a - b).max()) if a.size else 0.0

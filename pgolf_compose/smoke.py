"""Run a script end to end on a CPU, tiny, and tell each stage as it is reached."""

import hashlib
import itertools
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pgolf_compose import cache
from pgolf_compose.alike import differ_only_in_constants
from pgolf_compose.build import Build
from pgolf_compose.environment import (
    DECISIVE,
    SIZES,
    read_script,
    small_data,
    small_environment,
    vocabulary,
)
from pgolf_compose.errors import ComposeError, listed, shown
from pgolf_compose.files import write_files
from pgolf_compose.launch import follow
from pgolf_compose.trace import STAGES, last_line, watch

__all__ = ["Failure", "Stage", "smoke", "smoke_script", "smoke_sizes"]

VOCABULARY = 512
LARGE = 4_000_000  # parameters that a CPU does not train within minutes


@dataclass(frozen=True)
class Stage:
    """A stage that went through: its name, its figures, seconds since the one before."""

    name: str
    detail: str
    seconds: float


@dataclass(frozen=True)
class Failure:
    """The stage that did not, why, and the script's line that stopped it, where there is one."""

    stage: str
    message: str
    status: int = 1
    line: int | None = None
    text: str = ""
    file: str = ""  # the line's, where it is not the script's own

    def __str__(self) -> str:
        inside = f" of {self.file}" if self.file else ""
        where = f" (line {self.line}{inside}: {self.text})" if self.line else ""
        return f"{self.stage}: {self.message}{where}"


class Stopwatch:
    def __init__(self):
        self.clock = time.perf_counter()

    def stage(self, name: str, detail: str) -> Stage:
        before, self.clock = self.clock, time.perf_counter()
        return Stage(name, detail, self.clock - before)


def smoke(build: Build, folder: Path) -> Iterator[Stage]:
    """Every stage of the readable script, then whether the small file computes the same."""
    watched = Stopwatch()
    host = build.composition.host
    if "torch" not in host.packages:
        raise ComposeError(
            f"a smoke run follows torch, which the host {host.name} does not use; "
            "run it at a small size, by --set"
        )
    readable, small = folder / f"{host.script}_human.py", folder / f"{host.script}.py"
    env = small_environment(
        small_data(folder, cache.folder(), VOCABULARY), VOCABULARY, smoke_sizes(build)
    )
    write_files({readable: build.readable, small: build.packed_at(env)})
    yield watched.stage(
        "compose", f"{len(build.readable)} bytes readable, {len(build.packed)} small"
    )
    yield watched.stage("data", f"{VOCABULARY} pieces, {cache.folder() / f'tiny-{VOCABULARY}'}")
    for one in stages(readable, folder, env):
        if isinstance(one, Failure):
            raise crash(one, build, readable, folder)
        yield one
    wanted = figures((folder / "stdout.txt").read_text(encoding="utf-8").splitlines(), folder)
    watched = Stopwatch()
    compare_small_file(small, folder, env, wanted)
    yield watched.stage("small file", f"the same {len(wanted)} losses, scores, sizes and files")
    if told := differ_only_in_constants(build.simplified(), build.simplified(env)):
        raise ComposeError(
            "went through, but is not the program of the file that counts, which this leaves "
            f"unproven: the smoke run's sizes decide otherwise than the recipe's values at {told}",
            small,
        )
    yield watched.stage("shipped", "the file that counts differs from it in constants only")


def smoke_sizes(*builds: Build) -> dict[str, str]:
    """The environment in which these run in seconds: the host's, and each technique's own.

    What a single recipe turns off by a zero stays off: its code is not in the small file.
    """
    sizes, off = {}, set()
    for build in builds:
        for one in (build.composition.host, *build.composition.techniques):
            sizes |= one.smoke
        for one in build.composition.assignments:
            if one.value == 0 and not one.hyperparameter.settled:
                off.update(one.declared.env(one.hyperparameter).split())
    return sizes if len(builds) > 1 else {**sizes, **dict.fromkeys(off & {*sizes}, "0")}


def crash(failure: Failure, build: Build, script: Path, folder: Path) -> ComposeError:
    """A script that stopped itself says why; a crash is told with the line of whoever wrote it."""
    said = last_line(folder / "stderr.txt")
    if said.startswith(f"{script.name}: "):
        return ComposeError(said.removeprefix(f"{script.name}: "), script)
    line, origins = failure.line or 0, build.script.origins
    where = origins[line - 1] if 0 < line <= len(origins) else script
    log = shown(folder / "stderr.txt")
    return ComposeError(
        f"{failure.message} (the run ended with {failure.status}; all of it in {log})", where
    )


def compare_small_file(small: Path, folder: Path, env: Mapping[str, str], wanted: list) -> None:
    """The small file as a user runs it, without stand-ins, does what its readable twin did."""
    again = figures(list(follow(small, folder, env)), folder)
    for one, other in itertools.zip_longest(wanted, again):
        if one != other:
            raise ComposeError(f"computes {other!r} where its readable twin has {one!r}", small)


def figures(lines: list[str], folder: Path) -> list[str]:
    """What two runs of one program must print and write alike: no times, no size of the code."""
    kept = [re.sub(r" \w+_(?:time|avg):\S+", "", line) for line in lines if "_loss:" in line]
    written = sorted(folder.glob("final_model*"))
    kept += [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in written]
    return kept + [line for line in lines if line.startswith("Serialized model")]


def smoke_script(
    script: Path, folder: Path, timeout: float, sizes: Mapping[str, str] = SIZES
) -> Iterator[Stage | Failure]:
    """Any script, as it is; ends with a failure where one stage did not go through."""
    watched, inside = Stopwatch(), read_script(script)
    size = f"{script.stat().st_size:,}"
    if inside.layers:
        size += f", {len(inside.source.encode()):,} unpacked: {', '.join(inside.layers)}"
    yield watched.stage("code bytes", size)
    pieces = vocabulary(inside.source)
    env = small_environment(small_data(folder, cache.folder(), pieces), pieces, sizes)
    yield watched.stage("data", f"{pieces} pieces, tiny")
    yield from stages(script, folder, env, timeout)


def stages(
    script: Path, folder: Path, env: Mapping[str, str], timeout: float = 600
) -> Iterator[Stage | Failure]:
    """Each stage as it goes through, what could not be made small, and the failure, if any."""
    seen, failure, parameters = [], None, 0
    for event in watch(script, folder, env, timeout=timeout):
        if "stage" in event:
            seen.append(event["stage"])
            yield Stage(event["stage"], event["detail"], event["seconds"])
        elif "parameters" in event:
            parameters = event["parameters"]
        elif "failed" in event:
            failure = event
        elif "end" in event:
            frozen = [name for name in DECISIVE if event["names"] and name not in event["names"]]
            if frozen:
                yield Stage("as it is", f"{listed(frozen)}: the script does not read them", 0.0)
            if failure or event["end"]:
                found = failed(script, folder, failure, event["end"], seen)
                if frozen and found.message.startswith("too large"):
                    found = replace(found, message=f"frozen: {found.message}")
                elif frozen and parameters > LARGE:
                    large = f"frozen: {parameters:,} parameters are too large for a CPU smoke run"
                    found = replace(found, message=f"{large}; {found.message}")
                yield found
            elif missing := [one for one in STAGES if one not in (*seen, "quantise")]:
                yield Failure(missing[0], "the script ended without it")
            elif "quantise" not in seen:
                yield Stage("not seen", "quantise: no tensor was made one of 8 bits", 0.0)


def failed(script: Path, folder: Path, event: dict | None, status: int, seen: list) -> Failure:
    under_way = next((one for one in STAGES if one not in seen), "after the last evaluation")
    if event is None:
        said = last_line(folder / "stderr.txt") or f"ended with {status}"
        return Failure(under_way, said.removeprefix(f"{script.name}: "), status)
    message = f"{event['message']}, {event['at']}" if event["at"] else event["message"]
    file = Path(event["file"]).name if event["file"] else script.name
    file = "" if file == script.name else file
    return Failure(under_way, message, status, event["line"], event["text"], file)

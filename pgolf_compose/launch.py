"""Run a composed script on this machine and follow what it logs."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.errors import ComposeError, shown
from pgolf_compose.origin import Origin

__all__ = ["Progress", "command", "follow", "read_progress"]

STEP = re.compile(
    r"step:(?P<step>\d+)/(?P<steps>\d+) (?P<kind>train|val)_loss:(?P<loss>[\d.]+|nan|inf)"
    r".*train_time:(?P<ms>\d+)ms"
)
CAP = re.compile(r"max_wallclock_seconds:(?P<seconds>[\d.]+)")


@dataclass(frozen=True)
class Progress:
    """One logged step: which of how many, its loss in nats, and seconds of training so far."""

    step: int
    steps: int
    kind: str  # "train" or "val"
    loss: float
    seconds: float


def read_progress(line: str) -> Progress | None:
    found = STEP.match(line)
    if not found:
        return None
    seconds = int(found["ms"]) / 1000
    return Progress(
        int(found["step"]), int(found["steps"]), found["kind"], float(found["loss"]), seconds
    )


def command(script: Path, processes: int = 1, packages: Sequence[str] = ("torch",)) -> list[str]:
    """The command that runs a script, under torchrun where there are several processes.

    Raises ComposeError where one of the packages is not installed.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ComposeError(
                f"running needs {package}, which this Python does not have; "
                "pip install 'pgolf-compose[train]'"
            )
    if processes > 1 and "torch" not in packages:
        raise ComposeError("this host's script runs in one process; leave out --processes")
    if processes == 1:
        return [sys.executable, str(script)]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*torchrun, f"--nproc_per_node={processes}", str(script)]


def follow(
    script: Path,
    folder: Path,
    env: Mapping[str, str],
    processes: int = 1,
    origins: Sequence[Origin] = (),
    lines: Sequence[tuple[int, int]] = (),
    packages: Sequence[str] = ("torch",),
) -> Iterator[str]:
    """Lines of standard output as they come; raises with the script's own words if it fails.

    `origins` of a readable script's lines tell where a line that crashed was written. `lines` of a
    small script tell for each line of its text which lines of its readable twin it is, from and to.
    """
    as_text = {"encoding": "utf-8", "errors": "replace"}
    with tempfile.TemporaryFile("w+", **as_text) as errors:
        with subprocess.Popen(
            command(script.resolve(), processes, packages),
            cwd=folder,
            env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=errors,
            **as_text,
        ) as process:
            try:
                for line in process.stdout:
                    yield line.rstrip("\n")
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            errors.seek(0)
            raise failure(script, process.returncode, errors.read(), folder, origins, lines)


def failure(
    script: Path,
    status: int,
    errors: str,
    folder: Path,
    origins: Sequence[Origin],
    lines_of_twin: Sequence[tuple[int, int]],
) -> ComposeError:
    """A script that stopped itself says why in one line; a crash leaves its traceback in a file."""
    lines = [line for line in errors.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith(f"{script.name}: ")]
    if own:
        return ComposeError(own[0].removeprefix(f"{script.name}: "), script)
    readable = script
    if lines_of_twin:
        readable = script.with_name(f"{script.stem}_human.py")
        errors = at_twin(errors, readable, lines_of_twin)
    log = folder / "stderr.txt"
    log.write_text(errors, encoding="utf-8")
    raised = [
        line
        for line in lines
        if re.match(r"(\[rank\d+\]: )?[\w.]*(Error|Exception|Interrupt)\b", line)
    ]
    last = (raised or lines or ["no message"])[-1]
    crashed = re.findall(rf'File "[^"]*{re.escape(readable.name)}", line (\d+)', errors)
    where: object = script
    if crashed and 0 < int(crashed[-1]) <= len(origins):
        where = origins[int(crashed[-1]) - 1]
    return ComposeError(f"{last} (the run ended with {status}; all of it in {shown(log)})", where)


def at_twin(errors: str, twin: Path, lines: Sequence[tuple[int, int]]) -> str:
    """Tracebacks through the text of a small script, told by the lines of its readable twin."""

    def told(found: re.Match) -> str:
        first, last = lines[int(found[1]) - 1]
        return f'File "{twin}", line {first}' + (f" to {last}" if last > first else "")

    known = "|".join(str(n) for n in range(1, len(lines) + 1))
    return re.sub(rf'File "<string>", line ({known})\b', told, errors)

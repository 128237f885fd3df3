"""Time whole processes of the composer, and its growth with installed techniques.

    python tests/benchmarks/speed.py            # prints the table of README.md beside this file

Each command runs several times after one warm-up; the median is printed, with the least and the
most. Phases are timed inside one process.
"""

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRIES = 9
LARGEST = "pr1539"
COMMAND = [sys.executable, "-m", "pgolf_compose"]


def measured(command: list[str], tries: int = TRIES) -> tuple[list[float], int]:
    """Wall seconds of each run, and the largest memory of any in bytes."""
    seconds = []
    for attempt in range(tries + 1):
        started = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr.decode()
        if attempt:
            seconds.append(time.perf_counter() - started)
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def row(what: str, goal: str, seconds: list[float], memory: int | None = None) -> None:
    middle, least, most = statistics.median(seconds), min(seconds), max(seconds)
    told = f"{memory / 1e6:.0f} MB" if memory else ""
    print(
        f"| {what} | {middle * 1000:.0f} ms | {least * 1000:.0f} to {most * 1000:.0f} | {goal} | {told} |"
    )


def commands() -> None:
    for what, goal, args in (
        ("`--help`", "120 ms", ["--help"]),
        ("`list`", "250 ms", ["list"]),
        ("`baseline --readable --stdout`", "1.5 s", ["baseline", "--readable", "--stdout"]),
        ("`baseline --check`", "", ["baseline", "--check"]),
        (f"`{LARGEST} --check`, the largest", "10 s", [LARGEST, "--check"]),
    ):
        # memory of this command alone: a fresh process measures it
        command = [*COMMAND, *args, *["--allow-noncompliant"] * (LARGEST in args)]
        row(f"`pgolf-compose` {what}", goal, *fresh(command))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        row(f"`pgolf-compose` {what}, from the cache", "0.5 s", *fresh(command))
    os.environ["XDG_CACHE_HOME"] = os.devnull


def fresh(command: list[str]) -> tuple[list[float], int]:
    """As `measured`, with the memory of no other command in it."""
    code = "import json, sys; sys.path.insert(0, sys.argv[1]); import speed; " + (
        "print(json.dumps(speed.measured(json.loads(sys.argv[2]))))"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, here, json.dumps(command)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


def phases() -> None:
    """One process, imports done: what each stage of a compose takes."""
    from pgolf_compose.build import Build, resolve_recipe
    from pgolf_compose.render import fill
    from pgolf_compose.script import drop_unused, tidy

    times: dict[str, list[float]] = {}
    for attempt in range(TRIES + 1):
        marks = [("", time.perf_counter())]

        def mark(name: str, marks: list = marks) -> None:
            marks.append((name, time.perf_counter()))

        library, composition = resolve_recipe("baseline")
        mark("read and resolve")
        filled = fill(composition)
        mark("fill the templates")
        pruned = drop_unused(filled)
        mark("drop what is unused")
        script = tidy(pruned)
        mark("black")
        build = Build(library, composition, script, library.packers["instant"])
        assert build.minified
        mark("shrink")
        assert build.packed
        mark("pack")
        if attempt:
            for (_, before), (name, after) in itertools.pairwise(marks):
                times.setdefault(name, []).append(after - before)
    for name, seconds in times.items():
        row(name, "", seconds)
    plain = [sum(parts) for parts in zip(*list(times.values())[:3], strict=True)]
    row("a readable compose without black", "300 ms", plain)


def growth() -> None:
    """`list` and a compose with more and more techniques installed in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        for count in (10, 100, 300):
            for number in range(count):
                home = Path(folder, f"technique_{number:03}")
                home.mkdir(exist_ok=True)
                (home / "__init__.py").write_text(
                    f'"""Technique {number} of a benchmark."""\n\n'
                    "from pgolf_compose import Hyperparameter, Technique\n\n"
                    'technique = Technique(__name__, source="none", hyperparameters=('
                    'Hyperparameter("size", 4, "of it"),))\n'
                )
                (home / "fragments.py").write_text(
                    f"# @fill main.finish\nlog(h, h.technique_{number:03}_size)\n"
                )
            for args in (["list"], ["baseline", "--readable", "--stdout"]):
                command = [*COMMAND, *args, "--plugins", folder]
                row(f"`{' '.join(args)}`, {count} techniques more", "", *fresh(command))
            used = [f"--with=technique_{number:03}" for number in range(count)]
            command = [*COMMAND, "baseline", "--readable", "--stdout", *used, "--plugins", folder]
            row(f"a compose that uses all {count}", "", *fresh(command))


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, median of {TRIES}\n")
    os.environ["XDG_CACHE_HOME"] = os.devnull  # nothing is kept there: each run makes it all
    print("| what | median | from, to | goal | memory |")
    print("|---|--:|--:|--:|--:|")
    commands()
    phases()
    growth()

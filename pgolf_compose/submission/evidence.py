"""What logs show of a submission: its figures, each with its line, and which demands are met.

A log that is of another script, recipe or seed is refused: figures would stand beside a file that
did not give them. So is, where results stand on a leaderboard, a run that is no result: cut off,
too large, or trained for longer than allowed. Elsewhere such a run may be shown, and the page says
so.
"""

import ast
import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from pgolf_compose.build import Build
from pgolf_compose.errors import ComposeError, shown
from pgolf_compose.files import sha256
from pgolf_compose.logs import Figure, Log, Source, marked_lines, read_log
from pgolf_compose.origin import Location
from pgolf_compose.recipe import written
from pgolf_compose.resolve import Assignment
from pgolf_compose.technique import Value

__all__ = ["Results", "Run", "read_runs", "script_name"]

DUMPED = re.compile(r"\s*([a-z][a-z0-9_]*): ?(\S.*)")  # a line of its own for a value
PAIR = re.compile(r"(?<![\w/])([a-z][a-z0-9_]*):(\S+)")
# of a run or a machine: any value of these is the recipe's
ANY = {"SEED", "RUN_ID", "DATA_DIR", "DATA_PATH", "TOKENIZER_PATH"}
NUMBER = re.compile(r"\d[\d,_]*(?:\.\d+)?")
KEEP_ONE = "keep one of them, and say in your part of the README why the other does not count"
MOVE = "it lies in the folder already: move it away, or name another run of its seed with --force"
MOST = 100_000_000  # bytes of a log that GitHub takes


@dataclass(frozen=True)
class Run:
    """A log under the name it has in the folder. What it does not tell is None."""

    log: Log
    seed: int
    sha256: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    script: str = ""  # "small" or "readable": which of ours the log holds, or has the size of
    script_line: int = 0
    whole: bool = False  # the log holds the script byte for byte
    values: int = 0  # of the recipe that the log states alike

    @property
    def path(self) -> Path:
        return self.log.path

    @property
    def name(self) -> str:
        return f"train_seed{self.seed}.log"

    def value(self, name: str) -> Decimal | None:
        return self.figures[name].value if name in self.figures else None

    def at(self, *names: str) -> str:
        """`train_seed42.log:118`, where figures stand, as code."""
        return self.line(*{line for name in names for line in self.lines(name)})

    def line(self, *numbers: int) -> str:
        lines = ",".join(map(str, sorted(numbers)))
        return f"`{self.name}:{lines}`" if lines else f"`{self.name}`"

    def lines(self, name: str) -> list[int]:
        """Where a figure stands; what is a sum has several lines."""
        found = [self.figures[name].line] if name in self.figures else []
        if name == "eval_ms" and found:
            timed = (one for one in self.log.scores if one.seconds is not None and one.final)
            found = [one.line for one in timed]
        return [line for line in found if line]

    @property
    def train_seconds(self) -> Decimal | None:
        ms = self.value("train_ms")
        return None if ms is None else ms / 1000

    @property
    def eval_seconds(self) -> Decimal | None:
        ms = self.value("eval_ms")
        return None if ms is None else ms / 1000


@dataclass(frozen=True)
class Results:
    """Runs in the order of their seeds, and the seeds that are still to be run."""

    runs: tuple[Run, ...] = ()
    pending: tuple[int, ...] = ()

    @property
    def status(self) -> str:
        """Empty where every seed has a run that went to its end."""
        if self.pending or not self.runs:
            return "pending"
        return "" if all(run.log.complete for run in self.runs) else "incomplete"

    def values(self, name: str) -> list[Decimal]:
        found = [run.value(name) for run in self.runs]
        return [one for one in found if one is not None]

    def mean(self, name: str) -> Decimal | None:
        """With the decimals that the logs print."""
        values = self.values(name)
        if not values or len(values) < len(self.runs):
            return None
        return rounded(statistics.mean(values), values)

    def std(self, name: str) -> Decimal | None:
        """Sample standard deviation, with the decimals that the logs print."""
        values = self.values(name)
        if len(values) < 2 or len(values) < len(self.runs):
            return None
        return rounded(statistics.stdev(values), values)

    def largest(self, name: str) -> Decimal | None:
        values = self.values(name)
        return max(values) if values and len(values) == len(self.runs) else None

    def common(self, values: Sequence[object]) -> object:
        """What all runs tell alike, or None."""
        return values[0] if values and values[0] and len(set(map(str, values))) == 1 else None


def rounded(value: Decimal, like: Sequence[Decimal]) -> Decimal:
    places = max(-one.as_tuple().exponent for one in like)
    return value.quantize(Decimal(1).scaleb(-places))


def read_runs(
    build: Build,
    paths: Sequence[Path],
    seeds: Sequence[int],
    there: Sequence[Path] = (),
    force: bool = False,
) -> Results:
    """Logs read and held against the build; `seeds` are those that the recipe names.

    Logs that are `there` already count as well; with `force`, others take their place.
    """
    runs: dict[int, Run] = {}
    for path in paths:
        add(runs, read_run(build, path), KEEP_ONE)
    replaced = {run.name for run in runs.values()} if force else ()
    for path in there:
        if path.name in replaced:
            continue
        try:
            run = read_run(build, path)
        except ComposeError as error:
            raise ComposeError(f"{error.message}; {MOVE}", error.where) from None
        add(runs, run, f"{KEEP_ONE}; --force puts the new one in its place")
    order = {seed: n for n, seed in enumerate(seeds)}
    found = sorted(runs.values(), key=lambda run: (order.get(run.seed, len(order)), run.seed))
    return Results(tuple(found), tuple(seed for seed in seeds if seed not in runs))


def add(runs: dict[int, Run], run: Run, mend: str) -> None:
    """The run with the others; two runs of a seed are refused, one log twice is not."""
    other = runs.setdefault(run.seed, run)
    if other.sha256 != run.sha256:
        raise ComposeError(
            f"is a log of seed {run.seed}, and {shown(run.path)} is another; {mend}", other.path
        )


def read_run(build: Build, path: Path) -> Run:
    digest = sha256_of(path)
    log = read_log(path)
    if log.score is None and not log.points and log.steps is None:
        raise ComposeError("tells of no training; name the logs of this script's runs", path)
    if log.seed is None:
        raise ComposeError(
            "does not tell its seed; name the file train_seed42.log, for the seed it had", path
        )
    check_seed(build, log)
    scan = Scan(build, log)
    found = dict(scan.places.figures())
    if (total := artifact(build, log)) is not None:
        at = found.get("bytes_total") or found["bytes_model"]
        found["artifact_bytes"] = Figure(str(total), Decimal(total), at.line)
    same = len(scan.agreeing)
    run = Run(log, log.seed, digest, found, *scan.script, whole=scan.whole, values=same)
    check_values(scan)
    check_script(build, run, scan)
    check_result(build, run)
    return run


def sha256_of(path: Path) -> str:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ComposeError("is no file; name logs, or folders of them", path)
        if size > MOST:
            raise ComposeError(
                f"has {size:,} bytes, GitHub takes {MOST:,} at most; cut out what other processes "
                "repeat, and nothing else",
                path,
            )
        return sha256(path)
    except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
        raise ComposeError(f"cannot be read: {getattr(error, 'strerror', error)}", path) from None


def check_seed(build: Build, log: Log) -> None:
    declared = next((o for o in build.composition.assignments if o.attribute == "seed"), None)
    if declared and not declared.hyperparameter.within(log.seed):
        raise ComposeError(f"its seed {log.seed} is none that this script takes", log.path)


class Places:
    """Where a log prints the figures of a submission: fed with lines, the last one counts."""

    def __init__(self, log: Log):
        self.log = log
        self.wanted = {
            "steps": (log.steps, ("step", "/")),
            "train_ms": (log.train_ms, ("time",)),
            "bytes_model": (log.bytes_model, ("model",)),
            "bytes_code": (log.bytes_code, ("code", "Code")),
            "bytes_total": (log.bytes_total, ("otal",)),
        }
        values = (value for value, _ in self.wanted.values())
        self.values = {value for value in values if value is not None}
        self.lines: dict[str, int] = {}
        self.loss = ""

    def read(self, number: int, line: str) -> None:
        scored = self.log.score is not None and number == self.log.score.line
        for match in NUMBER.finditer(line):
            text = re.sub("[,_]", "", match[0])
            value = float(text)
            if value in self.values:
                for name, (wanted, words) in self.wanted.items():
                    if value == wanted and any(word in line for word in words):
                        self.lines[name] = number
            if scored and value == self.log.score.val_loss:
                self.loss = text

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """By name, as the log prints them. Times are in milliseconds, whatever unit it has."""
        log, score = self.log, self.log.score
        for name, (value, _) in self.wanted.items():
            if value is not None:
                yield name, Figure(f"{value:.0f}", exact(value), self.lines.get(name, 0))
        if score and finite(score.val_bpb):
            text = score.text or f"{score.val_bpb:.{score.digits}f}"
            yield "val_bpb", Figure(text, Decimal(text), score.line)
        if score and finite(score.val_loss):
            text = self.loss or repr(score.val_loss)
            yield "val_loss", Figure(text, Decimal(text), score.line)
        if log.eval_seconds is not None:
            ms = exact(round(1000 * log.eval_seconds, 3))
            yield "eval_ms", Figure(str(ms), ms, score.line if score else 0)


def finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def printed(log: Log) -> Iterator[tuple[int, str]]:
    """Lines of a log but those of the script in it."""
    for number, line, is_source in marked_lines(log.path, Source(log.source_ends)):
        if not is_source:
            yield number, line


def exact(value: float) -> Decimal:
    whole = Decimal(repr(value))
    return whole.to_integral_value() if whole == whole.to_integral_value() else whole


class Scan:
    """A log held against the build: which script it holds, which values it states."""

    def __init__(self, build: Build, log: Log):
        self.build, self.log = build, log
        self.names = {one.attribute: one for one in build.composition.assignments}
        self.open = {
            name for name, one in self.names.items() if set(one.env.split()) & (build.keep - ANY)
        }
        self.agreeing: dict[str, int] = {}
        self.contrary: dict[str, tuple[int, str]] = {}
        self.code = 0  # the line that tells the script's size
        self.places = Places(log)
        for number, line in printed(log):
            self.read(number, line)
            self.places.read(number, line)

    def read(self, number: int, line: str) -> None:
        pairs = dict(PAIR.findall(line))
        # lines of several tell what a run came to: only what the environment sets is a setting
        stated = {name: text for name, text in pairs.items() if name in self.open}
        if len(pairs) < 2 and (alone := DUMPED.fullmatch(line.rstrip())):
            stated |= {alone[1]: alone[2]}
        if re.match(r"code size", line.strip(), re.I):
            self.code = number
        for name, text in stated.items():
            if name in self.names and not set(self.names[name].env.split()) & ANY:
                if self.agrees(self.names[name], text):
                    self.agreeing.setdefault(name, number)
                else:
                    self.contrary.setdefault(name, (number, text))

    def agrees(self, one: Assignment, text: str) -> bool:
        if one.hyperparameter.settled or (not one.value and one.attribute in self.derived):
            return True
        return alike(one.value, text)

    @cached_property
    def derived(self) -> set[str]:
        """Values that the script itself fills in where the recipe leaves them empty."""
        body = next(
            (
                node.body
                for node in self.build.script.tree.body
                if isinstance(node, ast.ClassDef) and node.name == "Hyperparameters"
            ),
            [],
        )
        return {
            target.id
            for node in body
            if isinstance(node, ast.If)
            for inner in ast.walk(node)
            if isinstance(inner, ast.Assign)
            for target in inner.targets
            if isinstance(target, ast.Name)
        }

    @cached_property
    def held(self) -> str:
        """ "small", "readable" or "other": the script that the log begins with; empty if none."""
        scripts = {"small": self.build.packed, "readable": self.build.readable}
        most = max(map(len, scripts.values()))
        with self.log.path.open("rb") as file:
            start = newlines(file.read(2 * most))
        for name, script in scripts.items():
            if start.startswith(newlines(script)):
                return name
        return "other" if start.startswith((b"#pgolf-compose\n", b'"""Recipe ')) else ""

    @property
    def whole(self) -> bool:
        return self.held in ("small", "readable")

    @cached_property
    def script(self) -> tuple[str, int]:
        """Which script of ours the log is of, "other", or nothing where it does not tell."""
        sizes = {len(self.build.packed): "small", len(self.build.readable): "readable"}
        if self.held:
            return self.held, 1
        if self.log.bytes_code is None:
            return "", 0
        return sizes.get(self.log.bytes_code, "other"), self.code


def newlines(data: bytes) -> bytes:
    """As text that was read and written again has them."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def alike(value: Value, text: str) -> bool:
    """Whether a printed value is the recipe's."""
    text = text.strip().strip("'\"")
    if isinstance(value, bool):
        return text.lower() in (("true", "1") if value else ("false", "0"))
    if isinstance(value, tuple):
        return [int(one) for one in re.findall(r"-?\d+", text)] == list(value)
    if isinstance(value, str):
        return text == value
    try:
        printed = float(text)
    except ValueError:
        return False
    # a log may print fewer digits than the recipe has
    decimals = len(text.partition(".")[2]) if re.fullmatch(r"-?\d+\.\d+", text) else None
    near = decimals is not None and decimals >= 3 and round(value, decimals) == printed
    return near or printed == value


def check_values(scan: Scan) -> None:
    for name, (line, text) in scan.contrary.items():
        value = written(scan.names[name].value)
        raise ComposeError(
            f"{name} was {text} in this run, the recipe has {value}: this log is not of this "
            f"recipe; set it there, or give the log of a run with {value}",
            Location(scan.log.path, line),
        )


def check_script(build: Build, run: Run, scan: Scan) -> None:
    name, size = script_name(build), len(build.packed)
    where = Location(run.path, run.script_line or 1)
    again = f"run {name} as `submit` writes it, then give that run's log"
    if run.script == "other" and scan.held:
        raise ComposeError(
            f"this log holds another script than {name} as composed now: the recipe or "
            f"pgolf-compose has changed since; {again}",
            where,
        )
    if run.script == "other":
        raise ComposeError(
            f"the script of this run had {run.log.bytes_code:,} bytes, {name} has {size:,}: it is "
            f"another; {again}",
            where,
        )
    if run.script == "readable" and build.composition.track.record:
        raise ComposeError(
            f"this log is of the readable script, not of {name}; {again}, or show it on a track "
            "without records",
            where,
        )
    code = run.log.bytes_code
    if code is not None and run.script == "small" and code != size:
        raise ComposeError(
            f"this log holds {name}, of {size:,} bytes, and tells of {code:,}: somebody has "
            "changed it; give it as the run wrote it",
            Location(run.path, scan.code or 1),
        )


def check_result(build: Build, run: Run) -> None:
    """On a track of records, a run that is no result is refused."""
    track = build.composition.track
    if not track.record:
        return
    mend = "leave this log out, or show it on a track without records"
    if not run.log.complete:
        reason = run.log.reason or "it does not end with a score"
        raise ComposeError(f"this run is not complete: {reason}; {mend}", run.path)
    if run.value("val_bpb") is None:
        told = run.log.score.val_bpb if run.log.score else None
        raise ComposeError(
            f"this run's score is {'not told' if told is None else told}; {mend}", run.path
        )
    total = run.value("artifact_bytes")
    if track.artifact_bytes and total is not None and total > track.artifact_bytes:
        raise ComposeError(
            f"the artifact has {total:,} bytes, {track.name} allows {track.artifact_bytes:,}; "
            f"{mend}",
            Location(run.path, run.figures["artifact_bytes"].line or 1),
        )
    if over_time(build, run):
        raise ComposeError(
            f"training took {run.train_seconds:f} s, more than a step over the "
            f"{track.train_seconds:g} s of {track.name}; {mend}",
            Location(run.path, run.figures["train_ms"].line or 1),
        )


def over_time(build: Build, run: Run) -> bool:
    """Whether training ended later than the step in which its time was up."""
    limit, seconds, steps = build.composition.track.train_seconds, run.train_seconds, run.log.steps
    if not limit or seconds is None:
        return False
    return seconds > Decimal(str(limit)) + (seconds / steps if steps else 0)


def artifact(build: Build, log: Log) -> int | None:
    """Bytes of the script as shipped and of the run's compressed model."""
    model = log.bytes_model
    if model is None and log.bytes_total is not None and log.bytes_code is not None:
        model = log.bytes_total - log.bytes_code
    return None if model is None else model + len(build.packed)


def script_name(build: Build) -> str:
    """What the track's host ships its script as."""
    return f"{build.composition.host.script}.py"

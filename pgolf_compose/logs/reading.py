"""From a file's lines to a Log; the rule by which a score counts stands in `__init__.py`."""

import re
from dataclasses import replace
from pathlib import Path

from pgolf_compose.logs.curve import TIME_KEY, Point
from pgolf_compose.logs.ending import begins_stage
from pgolf_compose.logs.lines import Reading, clean, flat_json, readings, step_of
from pgolf_compose.logs.log import Log
from pgolf_compose.logs.pairs import Pair, finite, pairs, spelled_out
from pgolf_compose.logs.result import log_of
from pgolf_compose.logs.run import Run
from pgolf_compose.logs.scores import evaluations
from pgolf_compose.logs.source import Source, marked_lines
from pgolf_compose.logs.words import of_training, starts_run

__all__ = ["read_log"]

MOST_PAIRS = 60  # of a line
MOST_RUNS = 20  # that are told of
MOST_TRIES = 8
# nine lines of ten
COMMON = re.compile(
    r"step:(\d{1,12})/(\d{1,12}) train_loss:(\d{1,6}\.\d{1,12}) train_time:(\d{1,15})ms"
    r"(?: step_avg:[\d.]{1,20}ms)?(?: tok/s:\d+)?\n"
)


def read_log(path: Path) -> Log:
    """What a log tells, whatever it holds; ComposeError if it cannot be opened or is no text."""
    path, ends, first = Path(path), frozenset(), None
    while True:
        source = Source(ends)
        log = replace(read_once(path, source), source_ends=ends)
        if log.points or first is None:
            first = log
        if log.points or not (source.inside and source.rule) or len(ends) > MOST_TRIES:
            return first
        ends |= {source.rule}  # perhaps a string that we saw no end of, and the rule was the end


def read_once(path: Path, source: Source) -> Log:
    reader, empty, script = Reader(), True, 0
    for number, line, is_source in marked_lines(path, source):
        empty = False
        if is_source:
            script = source.began
        else:
            if script and line.strip():  # a script is of the run whose lines follow it
                reader.starts_anew(script)
                script = 0
            reader.take(number, line)
    log = log_of(reader.run, path, in_source=source.inside)
    if empty:
        log = replace(log, reason="the file is empty")
    return replace(log, notes=(*reader.earlier, *log.notes), runs=reader.runs)


class Reader:
    """Takes the lines of a log one by one, into the run that it is in."""

    def __init__(self) -> None:
        self.run = Run(1)
        self.runs = 1
        self.earlier: list[str] = []  # what to tell of runs before

    def starts_anew(self, line: int) -> None:
        """A header: of another run, if this one has trained or scored."""
        if not self.run.began:
            return
        ended = evaluations(self.run.settled())
        told = f"its score is {ended[-1].text}" if ended else "without a final score"
        name = f"run {self.runs} of the file (from line {self.run.first_line})"
        self.earlier.append(f"{name}: {told}")
        del self.earlier[:-MOST_RUNS]
        self.runs += 1
        self.run = Run(line)

    def take(self, number: int, raw: str) -> None:
        """A line, as `lines_of` gives it: one that ends within the file has its newline."""
        if self.run.curve.began and (match := COMMON.match(raw)):
            step, total, loss, ms = match.groups()
            point = Point(int(step), float(loss), None, None, float(ms))
            self.take_point(number, int(total), point)
            return
        line = raw.rstrip("\n")
        whole = len(line) < len(raw)
        stripped = line.strip()
        if not stripped:
            return
        if stripped[0] == "{" and stripped[-1] == "}":
            line = stripped = flat_json(stripped)
        if starts_run(stripped):
            self.starts_anew(number)
        low = stripped.lower()
        if ("bpb" in low or "loss" in low or "byte" in low) and self.take_metrics(
            number, spelled_out(stripped), whole
        ):
            if "bytes" in low:  # two lines glued
                self.run.sizes.take(stripped)
            return
        self.take_other(line, stripped, low)

    def take_metrics(self, number: int, line: str, whole: bool) -> bool:
        """Whether the line has a loss or a score, which are kept."""
        found = pairs(line)
        told = readings(line, found) if len(found) <= MOST_PAIRS else []
        step = step_of(line)
        train = next((pair for pair in found if pair.quantity == "train"), None)
        if step and not train and not told:
            train = next((pair for pair in found if pair.quantity == "loss?"), None)
        of_step = step is not None and of_training(clean(line[: step.start()]))
        if of_step and (train or any(of_training(reading.name) for reading in told)):
            total = int(step[2][:12]) if step[2] else None
            self.take_point(number, total, point_of(int(step[1][:12]), found, train, told))
        for reading in told:
            self.run.take_score(number, line, reading, step is not None, whole)
        return bool(told) or train is not None

    def take_point(self, number: int, total: int | None, point: Point) -> None:
        if self.run.curve.is_new(point.step, total):
            self.starts_anew(number)
        elif self.run.curve.is_later(point.step, total):
            self.run.ending.stage = f"later training at step {point.step:,}"
            return
        self.run.ending.went_on()
        self.run.curve.take(number, total, point)

    def take_other(self, line: str, stripped: str, low: str) -> None:
        run = self.run
        if ("train" in low and "time" in low) or "stopping_early" in low:
            run.curve.take_time(stripped)
        if "byte" in low or "size" in low or "budget" in low:
            run.sizes.take(stripped)
        run.curve.take_end(stripped)
        if "nvidia" in low or "device" in low or "00" in low or "gpu" in low:
            run.setup.take_hardware(stripped)
        if low.startswith(("running py", "python:", "nccl version", "| nvidia-smi")):
            run.setup.take_versions(stripped)
        if not run.curve.began:
            run.setup.take_values(line)
        elif begins_stage(stripped):
            run.ending.take_stage(stripped)
        if "(limited)" in low:
            run.note("an evaluation reads part of the split only: " + stripped[:80])
        run.ending.take_failure(stripped)


def point_of(step: int, found: list[Pair], train: Pair | None, told: list[Reading]) -> Point:
    took = next((pair for pair in found if TIME_KEY.fullmatch(pair.key)), None)
    ms = None if took is None or took.seconds is None else round(1000 * took.seconds, 6)
    val = told[0] if told else Reading("")
    return Point(step, finite(train), finite(val.loss), finite(val.bpb), ms)

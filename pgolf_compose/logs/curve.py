"""Training as a log tells it: points, steps, time."""

import re
from dataclasses import dataclass, fields

from pgolf_compose.logs.lines import STEP
from pgolf_compose.logs.pairs import pairs

__all__ = ["TIME_KEY", "Curve", "Point"]

TIME_KEY = re.compile(
    r"(?:total_)?train(?:ing)?_(?:time|elapsed|ms|seconds)(?:_m?s)?|elapsed_ms", re.I
)
ENDED = re.compile(
    r"stopping_early|^peak memory|^Serialized model|training (?:done|complete|finished)", re.I
)
MOST_POINTS = 20_000


@dataclass(frozen=True)
class Point:
    """A step of training; train_ms is what training had taken by then."""

    step: int
    train_loss: float | None
    val_loss: float | None
    val_bpb: float | None
    train_ms: float | None

    def joined(self, later: "Point") -> "Point":
        """With what another line says of the same step."""
        pairs = ((getattr(later, f.name), getattr(self, f.name)) for f in fields(self))
        return Point(*(new if new is not None else old for new, old in pairs))


class Curve:
    """Takes points; of very many it keeps every second, then every fourth, and so on."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.last_step: int | None = None
        self.total_steps: int | None = None  # planned
        self.train_ms: float | None = None
        self.last_line = 0  # of a step
        self.ended = False
        self.seen = 0
        self.every = 1

    @property
    def began(self) -> bool:
        return self.last_line > 0

    def is_new(self, step: int, total: int | None) -> bool:
        """Whether a step can only be of another run: a first one, of no fewer than were run."""
        last = self.last_step or 0
        if total is None or step > 1 or last <= 10:
            return False
        return total == self.total_steps or total >= last

    def is_later(self, step: int, total: int | None) -> bool:
        """Whether a step is of a training after training, at test time, of its own count."""
        return self.ended and step < (self.last_step or 0) and total != self.total_steps

    def take(self, number: int, total: int | None, point: Point) -> None:
        if total is not None:
            self.total_steps = total
        self.last_step, self.last_line = point.step, number
        if point.train_ms is not None:
            self.train_ms = point.train_ms
        if self.points and self.points[-1].step == point.step:
            self.points[-1] = self.points[-1].joined(point)
            return
        self.seen += 1
        if self.seen % self.every and point.val_loss is None:
            return
        self.points.append(point)
        if len(self.points) >= MOST_POINTS:
            self.every *= 2
            self.points = self.points[::2]

    def take_time(self, line: str) -> None:
        """`stopping_early: wallclock_cap train_time:600038ms step:13780/20000`."""
        for pair in pairs(line):
            if TIME_KEY.fullmatch(pair.key) and pair.seconds is not None:
                self.train_ms = round(1000 * pair.seconds, 6)
        if line.startswith("stopping_early") and (step := STEP.search(line)):
            self.last_step = int(step[1][:12])
            if step[2]:
                self.total_steps = int(step[2][:12])

    def take_end(self, line: str) -> None:
        self.ended = self.ended or ENDED.search(line) is not None

    @property
    def done(self) -> bool:
        return self.ended or (self.last_step is not None and self.last_step == self.total_steps)

    @property
    def reached(self) -> str:
        """`step 8,120 of 20,000 (41%)`."""
        told = f"step {self.last_step:,}"
        if self.total_steps:
            share = 100 * self.last_step / self.total_steps
            told += f" of {self.total_steps:,} ({share:.0f}%)"
        return told

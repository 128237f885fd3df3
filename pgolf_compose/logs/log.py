"""A log as a value."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from pgolf_compose.logs.curve import Point
from pgolf_compose.logs.scores import Score, evaluations
from pgolf_compose.logs.source import Source, marked_lines

__all__ = ["Figure", "Log"]

FIGURE = re.compile(r"(?<![\w.])[-+]?\d{1,40}(?:[,_]\d{3})*(?:\.\d{1,40})?(?:[eE][-+]?\d{1,3})?")


@dataclass(frozen=True)
class Figure:
    """A number as a log prints it."""

    text: str
    value: Decimal
    line: int


@dataclass(frozen=True)
class Log:
    """What one log tells; of several runs in one file, what the last of them tells."""

    path: Path
    scores: tuple[Score, ...] = ()
    score: Score | None = None  # the submission's
    points: tuple[Point, ...] = ()
    seed: int | None = None
    seed_from: str = ""  # "printed" or "file name"
    steps: int | None = None
    total_steps: int | None = None  # planned
    train_ms: float | None = None
    eval_seconds: float | None = None  # of the artifact's evaluations, each counted once
    bytes_model: int | None = None
    bytes_code: int | None = None
    bytes_total: int | None = None
    world_size: int | None = None
    hardware: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    hyperparameters: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    reason: str = ""  # why it is not complete
    notes: tuple[str, ...] = ()  # what a reader should know of it
    runs: int = 1  # in this file
    source_ends: frozenset[int] = field(default=frozenset(), repr=False)  # see Source

    @property
    def metric(self) -> str:
        return self.score.name if self.score else ""

    @property
    def val_bpb(self) -> float | None:
        return self.score.val_bpb if self.score else None

    @property
    def val_loss(self) -> float | None:
        """Nats per token."""
        return self.score.val_loss if self.score else None

    @property
    def evaluations(self) -> tuple[Score, ...]:
        """The artifact's, each once in its printing with most digits, in order."""
        return evaluations(self.scores)

    @property
    def better(self) -> Score | None:
        """An earlier evaluation of the artifact that was better than the one that counts."""
        value = self.val_bpb
        if value is None or math.isnan(value):
            return None
        lower = [s for s in self.evaluations if s.val_bpb is not None and s.val_bpb < value]
        return min(lower, key=lambda s: s.val_bpb, default=None)

    def figures(self) -> Iterator[Figure]:
        """Every number of the file but those of the script it prints; read anew each time."""
        for number, line, is_source in marked_lines(self.path, Source(self.source_ends)):
            if not is_source:
                for match in FIGURE.finditer(line):
                    text = match[0]
                    yield Figure(text, Decimal(re.sub("[,_]", "", text)), number)
                    if "," in text:  # or a list: `42,314,999`
                        for part in text.split(","):
                            yield Figure(part, Decimal(part), number)

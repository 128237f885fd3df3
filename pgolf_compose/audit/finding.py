"""What an audit says: findings, what passed and by which evidence, what could not be checked."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgolf_compose.audit.audited import Audited

__all__ = ["LEVELS", "Check", "Finding", "Passed", "Place", "Report", "Unchecked", "listed_some"]

LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Place:
    """A file of the folder, by its path within, with line and column from 1; 0 is none."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        numbers = [str(one) for one in (self.line, self.column) if one]
        return ":".join([self.file, *numbers])


@dataclass(frozen=True)
class Finding:
    """What is wrong, where, and what to do. Only an error makes an audit fail."""

    level: str  # one of LEVELS
    where: Place
    what: str
    todo: str


@dataclass(frozen=True)
class Passed:
    """What holds, with the evidence, so that a reader need not take our word."""

    what: str


@dataclass(frozen=True)
class Unchecked:
    """What could not be checked, and why."""

    what: str
    why: str


Outcome = Finding | Passed | Unchecked
Check = Callable[["Audited"], Iterable[Outcome]]


@dataclass(frozen=True)
class Report:
    """An audit's outcome."""

    path: Path
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    passed: tuple[Passed, ...]
    unchecked: tuple[Unchecked, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.level == "error")


def listed_some(words: Iterable[object], most: int = 4) -> str:
    """`a, b, c and 7 more`."""
    words = [str(one) for one in words]
    if len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))

"""Where something was written: a recipe's value, a script's line."""

from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.errors import shown

__all__ = ["File", "Location", "Origin"]


@dataclass(frozen=True)
class Location:
    """A place in a file of the user's; line and column count from 1."""

    path: Path
    line: int
    column: int = 0

    def __str__(self) -> str:
        column = f":{self.column}" if self.column else ""
        return f"{shown(self.path)}:{self.line}{column}"


@dataclass(frozen=True)
class File:
    """A file that lines of a script come from; `label` names it alike on every machine."""

    path: Path
    label: str


@dataclass(frozen=True)
class Origin:
    """Where one line of a script was written, and which technique (or `host`) wrote it."""

    owner: str
    file: File
    line: int

    def __str__(self) -> str:
        return f"{shown(self.file.path)}:{self.line}"

    @property
    def location(self) -> Location:
        return Location(self.file.path, self.line)

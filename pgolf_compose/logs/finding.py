"""Which files of a folder are training logs."""

import re
from collections.abc import Iterator
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.logs.reading import read_log

__all__ = ["find_logs", "natural"]

NO_LOG = re.compile(r"(requirements|readme|license|licence|notes?|todo|pip|constraints)", re.I)
DEPTH = 2


def find_logs(folder: Path, links: bool = True) -> list[Path]:
    """What in a folder, two levels deep, looks like a training log: by name, then by a look inside.

    `.log` and `.out` files count by their name; of `.txt` files those that hold a step or a score.
    Links to files count as files if `links`.
    """
    files = sorted(files_of(folder, DEPTH), key=natural)
    return [path for path in files if (links or not path.is_symlink()) and is_log(path)]


def is_log(path: Path) -> bool:
    kind = path.suffix.lower()
    if kind != ".txt" or NO_LOG.match(path.name):
        return kind in (".log", ".out")
    try:
        log = read_log(path)
    except ComposeError:
        return False
    return bool(log.points or log.scores)


def natural(path: Path) -> list:
    """A key that puts seed 42 before seed 1337."""
    parts = re.split(r"(\d{1,18})", str(path))
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]


def files_of(folder: Path, depth: int) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", folder) from None
    for path in inside:
        if path.name.startswith((".", "__")):
            continue
        if path.is_file():
            yield path
        elif depth and path.is_dir() and not path.is_symlink():
            yield from files_of(path, depth - 1)

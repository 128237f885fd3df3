"""The one error that the command line prints without a traceback."""

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["ComposeError", "did_you_mean", "listed", "shown"]


def shown(path: Path) -> str:
    """The path as the user would type it: relative where it lies below the current folder."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError, RuntimeError):
        return str(path)


class ComposeError(Exception):
    """A mistake that a user can mend: where it is, what it is, what to do about it.

    `where` is a path, or anything whose text is a place in a file, such as a `Location`;
    `paste` holds lines that a user can copy, such as a corrected piece of a recipe.
    """

    def __init__(self, message: str, where: object = None, paste: str = ""):
        super().__init__(message)
        self.message, self.where, self.paste = message, where, paste

    def __str__(self) -> str:
        where = shown(self.where) if isinstance(self.where, Path) else self.where
        line = self.message if where is None else f"{where}: {self.message}"
        return f"{line}\n{self.paste.rstrip()}" if self.paste else line


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean xsa?` for a near miss or other case, nothing for a word unlike all others."""
    spelled = {one.lower(): one for one in known if one != word}
    near = difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=0.6)
    return f" Did you mean {spelled[near[0]]}?" if near else ""


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    words = list(words)
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))

"""From a script's text to a small file that runs it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["MARK", "Packer", "is_ours"]

MARK = "#pgolf-compose"  # the first line of every packed file
OURS = re.compile(
    rf'\A({MARK}\n|\{{"pgolf-compose": |"""[^"]*^Recipe \S+, composed by pgolf-compose \d)', re.M
)


@dataclass(frozen=True)
class Packer:
    """A named way to pack: `pack` takes source text and returns the bytes of the whole file."""

    name: str
    summary: str
    pack: Callable[[str], bytes]
    slow: float = 0  # seconds that decoding adds to each start, for each byte of the source


def is_ours(text: str) -> bool:
    """Whether a file begins as those do that are written here: packed, readable, or a map."""
    return OURS.search(text) is not None

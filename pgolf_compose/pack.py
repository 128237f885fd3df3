"""From a script's text to a small file that runs it."""

import base64
import lzma
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["MARK", "Packer", "is_ours", "lzma_packer"]

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


def is_ours(text: str) -> bool:
    """Whether a file begins as those do that are written here: packed, readable, or a map."""
    return OURS.search(text) is not None


def pack_lzma(source: str) -> bytes:
    """Raw LZMA2 behind base85: ASCII, and nothing but the standard library to start it."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    packed = lzma.compress(source.encode("utf-8"), lzma.FORMAT_RAW, filters=filters)
    text = base64.b85encode(packed).decode("ascii")
    loader = (
        f"{MARK}\n"
        "import base64 as b,lzma as l\n"
        f"exec(l.decompress(b.b85decode('{text}'),3,None,[{{'id':33}}]))\n"
    )
    return loader.encode("ascii")


lzma_packer = Packer("lzma", "raw LZMA2 in base85, standard library only", pack_lzma)

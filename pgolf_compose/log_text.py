"""Lines of a text as people's terminals leave it: any encoding, colours, progress bars, no end.

Memory stays bounded whatever the file holds: a longer line keeps its two ends.
"""

import codecs
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from pgolf_compose.errors import ComposeError

__all__ = ["LONGEST", "lines_of"]

LONGEST = 16_384  # characters of a line that are kept, half of them from its end
CHUNK = 1 << 18
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
BREAK = re.compile(r"\r\n|\n|\r")
MARKS = (  # utf-32's begins as utf-16's does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
KINDS = {
    b"PK\x03\x04": "a zip or .pt file",
    b"\x1f\x8b": "a gzip file",
    b"\x80\x02": "a pickle",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\xfd7zXZ": "an xz file",
    b"\x7fELF": "a program",
    b"%PDF": "a PDF",
}


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1, as an editor counts) and text of each line, without colours and its end.

    What a lone carriage return overwrote is a line of its own under the same number. The text of
    the last line ends in a newline only if the file's does.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ComposeError("is a folder, not a log", path)
        if not stat.S_ISREG(mode):
            raise ComposeError("is no file; write what it gives to one first", path)
        with path.open("rb") as file:
            first = file.read(CHUNK)
            decoder = codecs.getincrementaldecoder(encoding_of(first, path))("replace")
            yield from numbered(decoded(decoder, first, file))
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", path) from None
    except ValueError as error:  # a NUL in the path
        raise ComposeError(f"cannot be read: {error}", path) from None


def encoding_of(first: bytes, path: Path) -> str:
    for mark, name in MARKS:
        if first.startswith(mark):
            return name
    for mark, kind in KINDS.items():
        if first.startswith(mark):
            raise ComposeError(f"is {kind}, not a log", path)
    sample = first[:65536]
    if sample.strip(b"\0").count(0) > len(sample.strip(b"\0")) // 3:
        odd, even = sample[1::2].count(0), sample[::2].count(0)
        if odd > 10 * even:
            return "utf-16-le"
        if even > 10 * odd:
            return "utf-16-be"
    sample = sample.rstrip(b"\0")  # what a full disk or a power cut leaves behind
    control = len(sample) - len(sample.translate(None, bytes([*range(7), *range(14, 27), 127])))
    broken = sample.decode("utf-8", "replace").count("\ufffd")
    if control + broken > len(sample) // 4:  # a packed script at a log's top is less
        raise ComposeError("is binary, not a log", path)
    return "utf-8"


def decoded(decoder, first: bytes, file) -> Iterator[str]:
    while first:
        yield decoder.decode(first)
        first = file.read(CHUNK)
    yield decoder.decode(b"", True)


def numbered(pieces: Iterator[str]) -> Iterator[tuple[int, str]]:
    number, head, tail, cut, pending = 1, "", "", False, False

    def text() -> str:
        whole = f"{head} … {tail}" if cut else head + tail
        whole = ANSI.sub("", whole) if "\x1b" in whole else whole
        return whole.replace("\0", "") if "\0" in whole else whole

    for piece in pieces:
        if pending and piece:  # a carriage return ended the last piece
            piece, pending = "\r" + piece, False
        if piece.endswith("\r"):
            piece, pending = piece[:-1], True
        start = 0
        for match in BREAK.finditer(piece):
            head, tail, cut = grown(head, tail, cut, piece[start : match.start()])
            line = text()
            start = match.end()
            ends = match[0] != "\r"
            if ends or line:
                yield number, line + "\n" * ends
            number += ends
            head, tail, cut = "", "", False
        head, tail, cut = grown(head, tail, cut, piece[start:])
    if head or tail:
        yield number, text()


def grown(head: str, tail: str, cut: bool, more: str) -> tuple[str, str, bool]:
    """A line's kept start and end, and whether something between was dropped."""
    room = LONGEST // 2 - len(head)
    if room > 0:
        head, more = head + more[:room], more[room:]
    if more:
        tail += more
        if len(tail) > LONGEST // 2:
            tail, cut = tail[-LONGEST // 2 :], True
    return head, tail, cut

"""A README as lines that know what they are: prose, headings, rows of tables, code.

No renderer: one line after another, each within a bounded length, no HTML built.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

__all__ = ["COMPUTED", "Line", "Readme", "cells", "read_markdown"]

LONGEST = 4_000  # characters of a line that is looked at
FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^`\n]{0,100})")
MARK = re.compile(r"<!-- (/?)pgolf-compose:([a-z][a-z-]{0,40}) -->")
HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*+\|?[ \t]*$")

# sections of ours that come from composing and from the leaderboard: hashes hold them
COMPUTED = ("changes", "comparison")


@dataclass(frozen=True)
class Line:
    """One line: `kind` is text, heading, row, header, rule, code, comment or blank."""

    number: int
    text: str
    kind: str
    section: tuple[str, ...] = ()  # headings above it, the outermost first, "" for the title
    header: tuple[str, ...] = ()  # of a row: its table's column titles
    language: str = ""  # of code
    mark: str = ""  # the section of ours that it stands in

    @property
    def cells(self) -> tuple[str, ...]:
        return cells(self.text)


@dataclass(frozen=True)
class Readme:
    name: str
    lines: tuple[Line, ...]
    long: tuple[int, ...] = ()  # lines too long to be looked at as a whole
    cut: bool = False  # larger than is read
    broken: int = 0  # the first line that is not UTF-8

    def of(self, *kinds: str) -> Iterator[Line]:
        return (line for line in self.lines if line.kind in kinds)


def cells(text: str) -> tuple[str, ...]:
    """A row's cells. A bar in backticks or behind a backslash parts none."""
    found, cell, ticked, escaped = [], [], False, False
    for char in text.strip().removeprefix("|"):
        if char == "|" and not ticked and not escaped:
            found.append("".join(cell).strip())
            cell = []
            continue
        ticked ^= char == "`"
        escaped = char == "\\"
        cell.append(char)
    last = "".join(cell).strip()
    return (*found, last) if last else tuple(found)


def read_markdown(name: str, data: bytes, cut: bool = False) -> Readme:
    try:
        text, broken = data.decode("utf-8-sig"), 0
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", "replace")
        broken = data.count(b"\n", 0, error.start) + 1
    lines = [one.rstrip("\r") for one in text.split("\n")]
    long = tuple(n for n, one in enumerate(lines, 1) if len(one) > LONGEST)
    found = tuple(marked(outline([one[:LONGEST] for one in lines])))
    return Readme(name, found, long, cut, broken)


def marked(lines: Iterator[Line]) -> Iterator[Line]:
    """Lines with the section of ours that they stand in."""
    mark = ""
    for line in lines:
        if line.kind == "comment" and (found := MARK.match(line.text)):
            mark = "" if found[1] else found[2]
        yield replace(line, mark=mark) if mark else line


def outline(lines: list[str]) -> Iterator[Line]:
    section: list[str] = []
    levels: list[int] = []
    fence, language, header, comment, titled = "", "", (), False, False
    for number, text in enumerate(lines, 1):
        here = tuple(section)
        mark = FENCE.match(text)
        if fence:
            closes = mark and mark[1].startswith(fence) and not mark[2].strip()
            fence = "" if closes else fence
            yield Line(number, text, "rule" if closes else "code", here, (), language)
            continue
        if comment or text.lstrip().startswith("<!--"):
            comment = "-->" not in text
            yield Line(number, text, "comment", here)
            continue
        if mark:
            fence, language = mark[1], mark[2].strip().lower()
            yield Line(number, text, "rule", here)
            continue
        if not text.strip():
            header = ()
            yield Line(number, text, "blank", here)
        elif found := HEADING.match(text):
            level = len(found[1])
            while levels and levels[-1] >= level:
                levels.pop()
                section.pop()
            # the first heading is the page's title, no section's
            section.append(found[2].strip("# \t") if titled else "")
            levels.append(level)
            titled = True
            header = ()
            yield Line(number, text, "heading", tuple(section))
        elif header and "|" in text:
            kind = "rule" if RULE.match(text) else "row"
            yield Line(number, text, kind, here, header)
        elif "|" in text and number < len(lines) and is_rule(lines[number]):
            header = cells(text)
            yield Line(number, text, "header", here, header)
        else:
            header = ()
            yield Line(number, text, "text", here)


def is_rule(text: str) -> bool:
    return "|" in text and bool(RULE.match(text))

"""A page of which some sections are written here and all else is its author's.

A section stands between `<!-- pgolf-compose:NAME -->` and `<!-- /pgolf-compose:NAME -->`, each on
a line of its own. It is written anew as a whole; what stands outside stays byte for byte.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.origin import Location

__all__ = ["Section", "digests", "read_sections", "section", "updated"]

MARK = re.compile(r"^<!-- (/?)pgolf-compose:([a-z][a-z-]*) -->\r?\n?", re.M)


@dataclass(frozen=True)
class Section:
    """Text between two marks: from `start` to `end` of its page, with marks `opens` to `closes`."""

    name: str
    text: str
    start: int
    end: int
    opens: int
    closes: int
    line: int  # of its first line, from 1


def section(name: str, text: str) -> str:
    """A section with its marks."""
    return f"<!-- pgolf-compose:{name} -->\n{text.strip()}\n<!-- /pgolf-compose:{name} -->\n"


def read_sections(page: str, path: Path | None = None) -> dict[str, Section]:
    """Every section of a page by name; marks that do not pair are refused, with their line."""
    found: dict[str, Section] = {}
    opened = None
    for mark in MARK.finditer(page):
        closing, name = mark.groups()
        line = page.count("\n", 0, mark.start()) + 1
        wrong = ""
        if closing and (opened is None or opened[2] != name):
            wrong = f"ends the section {name}, which does not begin above"
        elif not closing and opened is not None:
            above = f"<!-- /pgolf-compose:{opened[2]} -->"
            raise ComposeError(
                f"the section {name} begins before {opened[2]} has ended; put {above} back above",
                location(path, line),
            )
        elif not closing and name in found:
            wrong = f"begins the section {name} a second time"
        if wrong:
            raise ComposeError(f"this mark {wrong}; take it out", location(path, line))
        if closing:
            start = opened.end()
            text = page[start : mark.start()]
            edges = start, mark.start(), opened.start(), mark.end()
            found[name] = Section(name, text, *edges, line_of(page, start))
            opened = None
        else:
            opened = mark
    if opened is not None:
        raise ComposeError(
            f"the section {opened[2]} has no <!-- /pgolf-compose:{opened[2]} --> below it",
            location(path, line_of(page, opened.start())),
        )
    return found


def updated(
    old: str, new: str, known: Mapping[str, str], path: Path, force: bool = False
) -> tuple[str, list[str]]:
    """The old page with the new one's sections, and the names of those that its author took out.

    `known` holds the digest of each section as it was written last. One that somebody has changed
    since is refused, with its line, unless `force`. A section that the new page has no more goes,
    one that the old page never had goes below the one it follows.
    """
    there, wanted = read_sections(old, path), read_sections(new)
    if not there and not force:
        raise ComposeError(
            "has none of the sections that are written here, so it is another's and stays as it "
            "is; move it away, or replace it with --force",
            path,
        )
    if not there:
        return new, []
    for name, one in there.items():
        if (name in wanted or name in known) and not force:
            check_own(one, wanted.get(name), known.get(name), path)
    ends = "\r\n" if old.count("\r\n") * 2 > old.count("\n") else "\n"
    pieces, at = [], 0
    for one in there.values():
        if one.name in wanted:
            text = wanted[one.name].text.replace("\n", ends)
            pieces += [old[at : one.start], text]
            at = one.end
        elif one.name in known:
            pieces.append(old[at : one.opens].removesuffix(ends))
            at = one.closes
    page = "".join([*pieces, old[at:]])
    missing = [name for name in wanted if name not in there]
    for name in missing:
        if name not in known:
            page = inserted(page, name, list(wanted), wanted[name].text, ends)
    return page, [name for name in missing if name in known]


def check_own(old: Section, new: Section | None, known: str | None, path: Path) -> None:
    """Refuse to write over what somebody changed inside of a section."""
    if digest(old.text) in (known, new and digest(new.text)):
        return
    before, after = old.text.splitlines(), new.text.splitlines() if new else []
    strange = [n for n, line in enumerate(before) if line not in after]
    # where the section is to change in itself as well, its first line must do
    line = strange[0] if strange and sum(one not in before for one in after) < 2 else 0
    raise ComposeError(
        f"the section {old.name} is written here, and somebody has changed it; move your words "
        "out of its marks and they stay, or give --force to write it anew",
        location(path, old.line + line),
    )


def inserted(page: str, name: str, order: list[str], text: str, ends: str) -> str:
    """The page with one section more, below the nearest that comes before it in `order`."""
    there = read_sections(page)
    above = [one for one in order[: order.index(name)] if one in there]
    whole = section(name, text).replace("\n", ends)
    at = 0
    if above:
        at = there[above[-1]].closes
    return f"{page[:at]}{ends if at else ''}{whole}{'' if at else ends}{page[at:]}"


def digests(page: str) -> dict[str, str]:
    """The digest of each section's text, by name."""
    return {name: digest(one.text) for name, one in read_sections(page).items()}


def digest(text: str) -> str:
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8")).hexdigest()


def line_of(page: str, at: int) -> int:
    return page.count("\n", 0, at) + 1


def location(path: Path | None, line: int) -> object:
    return Location(path, line) if path else None

"""Where the bytes of a small file go: by technique, and by section of the readable script."""

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pgolf_compose.build import Build
from pgolf_compose.errors import ComposeError, listed
from pgolf_compose.spans import costs, spans

__all__ = [
    "LOADER",
    "MARGINAL",
    "METHOD",
    "Row",
    "account",
    "marginal",
    "shared_out",
    "side_by_side",
]

LOADER = "(loader)"
METHOD = (
    "packed: what each character costs a model that predicts it from the five before, scaled so "
    "that all add up to the file"
)
MARGINAL = "marginal: how much smaller the file is without the technique"


@dataclass(frozen=True)
class Row:
    """Bytes of one technique, of the host or of a section."""

    name: str
    readable: int
    minified: int
    packed: int


def account(build: Build) -> tuple[list[Row], list[Row]]:
    """By technique, largest first, and by section in the script's order; both add up to the file.

    What stands around the text that the file holds is the loader's.
    """
    lines = build.script.lines
    rows = shared_out(*build.shrunk, build.packed, lines)
    owners = rows([origin.owner for origin in build.script.origins])
    return sorted(owners, key=lambda row: -row.packed), rows(sections(lines))


def shared_out(
    tree: ast.Module, text: str, packed: bytes, readable: list[str]
) -> Callable[[list[str]], list[Row]]:
    """How a file's bytes fall to the names that are given, one for each readable line.

    `text` is what is packed, `tree` has its nodes with the lines of the readable script.
    """
    loader = around(packed)
    bits = costs(text)
    by_line: Counter[int] = Counter()
    minified: Counter[int] = Counter()
    for start, end, line in spans(tree, text):
        minified[line] += len(text[start:end].encode())
        by_line[line] += sum(bits[start:end])

    def rows(names: list[str]) -> list[Row]:
        lines, small, cost = Counter(), Counter(), Counter(dict.fromkeys(names, 0.0))
        for n, (name, line) in enumerate(zip(names, readable, strict=True), 1):
            lines[name] += len(line.encode()) + 1
            small[name] += minified[n]
            cost[name] += by_line[n]
        share = shares(cost, len(packed) - loader)
        found = [Row(name, lines[name], small[name], share[name]) for name in cost]
        return [*found, Row(LOADER, 0, 0, loader)]

    return rows


def around(packed: bytes) -> int:
    """Bytes of a packed file that are no part of its largest literal."""
    text = packed.decode()
    literals = (one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Constant))
    sizes = [len((ast.get_source_segment(text, one) or "").encode()) for one in literals]
    return len(packed) - max(sizes, default=0)


def shares(weights: dict[str, float], total: int) -> dict[str, int]:
    """Whole numbers in the proportions of `weights` that add up to `total`."""
    whole, sofar, given, found = sum(weights.values()), 0.0, 0, {}
    for name, weight in weights.items():
        sofar += weight
        found[name] = round(total * sofar / whole) - given
        given += found[name]
    return found


def sections(lines: list[str]) -> list[str]:
    """Of each line, the title of the banner above it."""
    found, title = [], "(head)"
    for n, line in enumerate(lines):
        below = lines[n + 1] if n + 1 < len(lines) else ""
        if line.startswith("# ---") and below.startswith("# "):
            title = below.removeprefix("# ")
        found.append(title)
    return found


def marginal(build: Build, name: str, without: Callable[[str], Build]) -> int | str:
    """Bytes that the file loses with the technique; a text says why it cannot be left out."""
    chosen = build.composition.techniques
    if needed_by := [one.name for one in chosen if name in one.requires]:
        return f"{listed(needed_by)} {'needs' if len(needed_by) == 1 else 'need'} it"
    try:
        return len(build.packed) - len(without(name).packed)
    except ComposeError as error:
        return error.message


def side_by_side(a: list[Row], b: list[Row]) -> list[tuple[str, int, int]]:
    """Packed bytes of each name in either, those that differ most first."""
    one, other = ({row.name: row.packed for row in rows} for rows in (a, b))
    found = [(name, one.get(name, 0), other.get(name, 0)) for name in {**one, **other}]
    return sorted(found, key=lambda row: -abs(row[2] - row[1]))

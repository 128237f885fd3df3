"""Two recipes, scripts or folders, in layers: techniques, values, functions, bytes, text."""

import ast
import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from pgolf_compose import cache
from pgolf_compose.account import Row, account, shared_out, side_by_side
from pgolf_compose.build import Build, compose
from pgolf_compose.diff.alignment import aligned
from pgolf_compose.diff.pieces import is_minified
from pgolf_compose.diff.programs import Comparison, compare_programs
from pgolf_compose.diff.readings import Changed, changed, readings
from pgolf_compose.diff.sides import RECIPE, Side, bounded, parsed, read_side, script_of
from pgolf_compose.environment import SIZES, read_script
from pgolf_compose.errors import ComposeError
from pgolf_compose.files import write_files
from pgolf_compose.folders import Folder, agreement
from pgolf_compose.foreign import pack_script
from pgolf_compose.pack import Packer
from pgolf_compose.packers.instant import instant
from pgolf_compose.passes import shrink_names, simplify
from pgolf_compose.passes.docstrings import docstrings
from pgolf_compose.passes.freeze import KEPT, freeze
from pgolf_compose.passes.printing import tidy
from pgolf_compose.passes.unused import drop_unused
from pgolf_compose.report import changes
from pgolf_compose.smoke import smoke_sizes
from pgolf_compose.trace import Comparison as Traced
from pgolf_compose.trace import compare_traces, run_both

__all__ = ["Difference", "Line", "compare", "run_and_compare"]

AROUND = 3  # lines of context
HEADER = re.compile(r"Recipe \S+, composed by pgolf-compose")
UNPACKED = Packer("none", "", str.encode)


@dataclass(frozen=True)
class Line:
    """A line of the texts' difference: after `-`, `+` or a blank; after `@`, where it stands."""

    sign: str
    text: str
    technique: str = ""


@dataclass(frozen=True)
class Result:
    """A figure of two folders, as submission.json states it or as logs give it."""

    name: str
    before: Decimal | None
    after: Decimal | None

    @property
    def differs(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Difference:
    """What B has that A has not, layer by layer. A layer of None was not told."""

    a: Side
    b: Side
    techniques: tuple[str, ...] | None = None  # `+ ema`, `- swa`
    settings: tuple[str, ...] | None = None  # of recipes: `matrix_lr 0.04 -> 0.022`
    values: tuple[Changed, ...] | None = None  # of scripts, by the environment's names
    functions: Comparison | None = None
    text: tuple[Line, ...] | None = None
    bytes: tuple[tuple[str, int, int], ...] | None = None  # of each technique
    results: tuple[Result, ...] | None = None  # of two folders
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing that matters differs: formatting, comments and names alone do not."""
        return not (
            self.techniques
            or self.settings
            or self.values
            or (self.functions and self.functions.differ)
            or any(one != other for _, one, other in self.bytes or ())
            or any(one.differs for one in self.results or ())
        )


def compare(a: str, b: str, by_bytes: bool = False, whole: bool = False, **options) -> Difference:
    """From A to B, each a recipe, a script or a folder; `options` are `compose`'s and change B.

    `by_bytes` asks for what each technique takes of the small files, `whole` for the difference
    of the texts where names were made short, too.
    Raises ComposeError for what cannot be compared.
    """
    one, other = read_side(a, {"plugins": options.get("plugins", ())}), read_side(b, options)
    found = Difference(one, other, notes=(*one.notes, *other.notes))
    if one.techniques is not None and other.techniques is not None:
        found = replace(found, techniques=signed(one.techniques, other.techniques))
    found = replace(found, results=results(one, other))
    if not (one.has_program and other.has_program):
        if not (one.results and other.results):
            script_of(one.folder if not one.has_program else other.folder)  # tells what is amiss
        return found
    found = texts(programs(found), whole)
    return replace(found, bytes=technique_bytes(one, other)) if by_bytes else found


def signed(old: frozenset[str], new: frozenset[str]) -> tuple[str, ...]:
    """`+ ema`, `- swa`."""
    return (*(f"+ {one}" for one in sorted(new - old)), *(f"- {one}" for one in sorted(old - new)))


# values and functions


def programs(found: Difference) -> Difference:
    """With values and functions: of the readable texts, or of what is packed in the files."""
    a, b = found.a, found.b
    if a.readable is not None and b.readable is not None:
        found = trees(found, parsed(a.readable, a.word), parsed(b.readable, b.word))
        functions = found.functions and found.functions.differ
        if found.values or found.settings or functions:
            if a.inside is not None and a.inside == b.inside:
                told = "the small scripts, which count, are one program: the readable ones differ"
                found = replace(found, notes=(*found.notes, told))
            return found
        if a.inside is None and b.inside is None:
            return found
        note = "the readable scripts are one program, the small ones are not"
    else:
        note = ""
    one, other = small(a, b), small(b, a)
    if one.text.strip("\n") == other.text.strip("\n"):
        return replace(found, settings=found.settings or (), values=(), functions=NOTHING)
    found = replace(found, notes=(*found.notes, note)) if note else found
    return trees(found, one.tree(), other.tree())


NOTHING = Comparison((), 0, False)


@dataclass(frozen=True)
class Small:
    """A text as it is packed, and how to come by a tree of it with the names it had before."""

    text: str
    tree: Callable[[], ast.Module]


def small(side: Side, like: Side) -> Small:
    """What is inside the file, or what it would be, packed as the other one is."""
    if side.inside is not None:
        return Small(side.inside, lambda: parsed(side.inside, side.word))
    source = side.readable or ""
    if not like.packed_here:
        return Small(source, lambda: parsed(source, side.word))
    return bounded(side.word, shrunk, side, like.inside or "")


def shrunk(side: Side, like: str) -> Small:
    """As `pack` makes it of a readable text; frozen, unless `like` reads as much as it does.

    It still reads what `like` does.
    """
    tree = parsed(side.readable, side.word)
    reads = names_read(like, side.word)
    frozen = side.ours or not names_read(side.readable, side.word) <= reads
    if side.build and reads <= side.build.keep:
        return Small(side.build.minified, lambda: whole_names(copy.deepcopy(side.build.simple)))
    if not side.ours:
        path = side.file or Path(side.word)
        made = pack_script(path, side.readable, UNPACKED, {} if frozen else None, KEPT | reads)
        text = made.text
    else:
        text = shrink_names(simplify(freeze(copy.deepcopy(tree), {}, KEPT | reads)))[1]

    def named() -> ast.Module:
        try:
            return whole_names(simplify(freeze(tree, {}, KEPT | reads) if frozen else tree))
        except Exception:  # a pass that stops at a stranger's script: as it is, then
            return parsed(side.readable, side.word)

    return Small(text, named)


def names_read(text: str, where: object) -> set[str]:
    """Of the environment."""
    found = bounded(where, readings, parsed(text, where))
    return {name for one in found.values() for name in one.names}


def whole_names(tree: ast.Module) -> ast.Module:
    return tidy(drop_unused(docstrings(tree)))


def trees(found: Difference, one: ast.Module, other: ast.Module) -> Difference:
    """With the layers of two trees, which are changed."""
    a, b = found.a, found.b
    reads = [bounded(side.word, readings, tree, True) for side, tree in ((a, one), (b, other))]
    values = tuple(changed(*reads))
    settings = None
    if a.composition and b.composition:
        told = changes(a.composition, b.composition)
        settings = tuple(one for one in told if one[:2] not in ("+ ", "- "))
        names = {one.split(" ")[0].upper() for one in settings}
        # what comes and goes with a technique is told by its name
        values = tuple(
            one for one in values if one.name not in names and None not in (one.before, one.after)
        )
        if a.build and b.build:
            values = ()
    elif any(side.packed_here and side.ours for side in (a, b)):
        both = tuple(one for one in values if None not in (one.before, one.after))
        if both != values:
            told = f"{len(values) - len(both)} values that one side alone reads are left out: the "
            told += "other's were written into it when it was packed"
            found = replace(found, notes=(*found.notes, told))
        values = both
    comparison = bounded(a.word, compare_programs, one, other)
    return replace(found, settings=settings, values=values, functions=comparison)


# text


def texts(found: Difference, whole: bool) -> Difference:
    """With the lines that differ, each with the technique that wrote it, if that is known."""
    sides = found.a, found.b
    short = [bounded(side.word, is_minified, parsed(side.text, side.word)) for side in sides]
    if any(short) and not whole:
        return found
    lines = []
    for side, minified in zip(sides, short, strict=True):
        text = side.lines
        if minified:
            text = bounded(side.word, ast.unparse, parsed(side.text, side.word)).split("\n")
        owners = side.owners if len(side.owners) == len(text) else [""] * len(text)
        rows = zip(text, owners, strict=True)
        lines.append([(line, owner) for line, owner in rows if not HEADER.match(line)])
    return replace(found, text=tuple(hunks(*lines)))


def hunks(a: list[tuple[str, str]], b: list[tuple[str, str]]) -> list[Line]:
    """As a unified diff."""
    pairs = aligned([line for line, _ in a], [line for line, _ in b])
    rows: list[tuple[str, int, int]] = []  # sign, lines before it in a and in b
    i = j = 0
    for one, other in [*pairs, (len(a), len(b))]:
        rows += [("-", n, j) for n in range(i, one)]
        rows += [("+", one, n) for n in range(j, other)]
        rows += [(" ", one, other)] if one < len(a) and other < len(b) else []
        i, j = one + 1, other + 1
    near = set()
    for n, (sign, _, _) in enumerate(rows):
        if sign != " ":
            near.update(range(max(0, n - AROUND), min(len(rows), n + AROUND + 1)))
    found: list[Line] = []
    kept = sorted(near)
    for at, n in enumerate(kept):
        if at == 0 or kept[at - 1] != n - 1:
            end = next((e for e in range(at, len(kept) - 1) if kept[e + 1] != kept[e] + 1), None)
            block = [rows[k] for k in kept[at : None if end is None else end + 1]]
            found.append(Line("@", where(block)))
        sign, one, other = rows[n]
        text, owner = b[other] if sign == "+" else a[one]
        found.append(Line(sign, text, b[other][1] if sign == " " else owner))
    return found


def where(block: list[tuple[str, int, int]]) -> str:
    """`@@ -1,7 +1,9 @@`"""
    told = []
    for mark, column, other in (("-", 1, "+"), ("+", 2, "-")):
        count = sum(row[0] != other for row in block)
        first = block[0][column] + bool(count)
        told.append(f"{mark}{first}" if count == 1 else f"{mark}{first},{count}")
    return f"@@ {' '.join(told)} @@"


# bytes


def technique_bytes(a: Side, b: Side) -> tuple[tuple[str, int, int], ...]:
    """Packed bytes of each technique in either, those that differ most first."""
    return tuple(side_by_side(by_technique(a, b), by_technique(b, a)))


def by_technique(side: Side, other: Side) -> list[Row]:
    build = side.build or (side.ours and recomposed(side))
    if build:
        return account(build)[0]
    if not side.owners:
        raise ComposeError(
            "does not tell which technique wrote what: --bytes compares recipes, and folders or "
            "readable scripts that were composed, with their map or recipe",
            side.word,
        )
    tree = parsed(side.readable, side.word)
    reads = names_read(side.inside or other.inside or "", side.word)
    tree, text = shrink_names(simplify(freeze(tree, {}, KEPT | reads)))
    same = side.inside is not None and side.file is not None and side.inside.strip() == text.strip()
    packed = side.file.read_bytes() if same else instant.pack(text)
    return shared_out(tree, text, packed, side.lines)(list(side.owners))


def recomposed(side: Side) -> Build | None:
    """A folder's recipe composed, if that gives the folder's readable script."""
    try:
        build = compose(side.folder / RECIPE, allow_noncompliant=True) if side.composition else None
    except ComposeError:
        return None
    return build if build and build.script.code == side.readable else None


# results


def results(a: Side, b: Side) -> tuple[Result, ...] | None:
    """Each figure of either folder."""
    if a.results is None or b.results is None:
        return None
    one, other = figures(a.results), figures(b.results)
    return tuple(Result(name, one.get(name), other.get(name)) for name in {**one, **other})


def figures(folder: Folder) -> dict[str, Decimal]:
    """What submission.json states, what the logs give, and each seed's score."""
    found = {}
    for name in ("val_bpb", "val_loss", "bytes_total", "bytes_code"):
        if claim := getattr(folder, name):
            found[name] = claim.value
    told = agreement(folder)
    if told.value is not None:
        found["val_bpb of its logs"] = told.value
    rows = {seed: told["val_bpb"].value for seed, told in folder.seeds.items() if "val_bpb" in told}
    for log in folder.logs:
        if log.seed is not None and log.score is not None and log.score.val_bpb is not None:
            rows.setdefault(log.seed, Decimal(str(log.score.val_bpb)))
    return found | {f"val_bpb, seed {seed}": rows[seed] for seed in sorted(rows)}


# running


def run_and_compare(a: str, b: str, folder: Path, **options) -> list[Traced]:
    """Run both at the smoke size, with one environment, and compare what they computed.

    Raises ComposeError where neither computed anything.
    """
    builds, scripts = [], []
    for word, side, given in ((a, "a", {"plugins": options.get("plugins", ())}), (b, "b", options)):
        if Path(word).is_dir() and "/" in word:
            scripts.append(script_of(Path(word)))
        elif word.endswith(".py"):
            scripts.append(Path(word))
        else:
            builds.append(compose(word, **given, allow_noncompliant=True))
            scripts.append(folder / f"{side}.py")
            write_files({scripts[-1]: builds[-1].readable})
    for script in scripts:
        read_script(script)  # neither runs where one is not there
    sizes = {**SIZES, **smoke_sizes(*builds)}
    found = compare_traces(*run_both(*scripts, folder, cache.folder(), sizes))
    if not found:
        raise ComposeError("nothing to compare: neither script asked torch for anything", a)
    return found

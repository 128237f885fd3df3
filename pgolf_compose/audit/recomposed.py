"""Our own folders: recipe.yaml composes to exactly what is shipped, and no file was changed."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from pgolf_compose import __version__
from pgolf_compose.audit.audited import ABOUT, HUMAN, SCRIPT, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked
from pgolf_compose.build import Build, compose
from pgolf_compose.errors import ComposeError
from pgolf_compose.recipe import Recipe, bundled_recipes, read_recipe
from pgolf_compose.submission.sections import digests, read_sections
from pgolf_compose.yaml_file import read_yaml

__all__ = ["check_hashes", "check_recipe"]

RECIPE = "recipe.yaml"
LARGEST = 200_000  # bytes of a recipe


def check_hashes(audited: Audited) -> Iterator[Outcome]:
    """Each file is what built_with says was written."""
    if not audited.ours:
        return
    hashes = audited.values["built_with"].get("sha256")
    line = audited.about_at("built_with", "sha256").line
    if not isinstance(hashes, dict):
        told = "built_with has no sha256 of the files"
        yield Finding("error", Place(ABOUT, line), told, "run `pgolf-compose submit` again")
        return
    good = 0
    for name, wanted in hashes.items():
        line = audited.about_at("built_with", "sha256", name).line
        if name == ABOUT:
            continue  # a person fills in names and words
        if name not in audited.files:
            told = f"{name} was written with this folder and is gone"
            yield Finding("error", Place(ABOUT, line), told, "run `pgolf-compose submit` again")
        elif hashlib.sha256(audited.read(name)).hexdigest() == wanted:
            good += 1
        else:
            told = f"is not what was written here: its sha256 differs from {ABOUT}:{line}"
            yield Finding("error", Place(name), told, AGAIN)
    yield from check_sections(audited)
    if good:
        yield Passed(f"built_with: {good} files have the sha256 that {ABOUT} says")


def check_sections(audited: Audited) -> Iterator[Finding]:
    """The README's sections that `submit` writes are as it wrote them."""
    known = audited.values["built_with"].get("readme")
    if not isinstance(known, dict) or audited.readme is None:
        return
    name = audited.readme.name
    text = audited.read(name).decode("utf-8", "replace")
    try:
        there, now = read_sections(text), digests(text)
    except ComposeError as error:
        yield Finding("error", Place(name, at_line(error)), error.message, AGAIN)
        return
    for section, wanted in known.items():
        if section in now and now[section] != wanted:
            what = f"somebody has changed the section {section} since `submit` wrote it"
            todo = "run `pgolf-compose submit` again; your own words stay outside of its marks"
            yield Finding("warning", Place(name, there[section].line), what, todo)


def at_line(error: ComposeError) -> int:
    line = getattr(error.where, "line", 0)
    return line if isinstance(line, int) else 0


AGAIN = "undo the change, or change recipe.yaml and run `pgolf-compose submit` again"


def check_recipe(audited: Audited) -> Iterator[Outcome]:
    """recipe.yaml, composed anew, gives train_gpt.py and train_gpt_human.py byte for byte."""
    if not audited.ours:
        if RECIPE in audited.files:
            yield Unchecked(RECIPE, f"{ABOUT} has no built_with: not made by pgolf-compose")
        return
    if RECIPE not in audited.files:
        yield Finding("error", Place(RECIPE), "is missing", "run `pgolf-compose submit` again")
        return
    if audited.files[RECIPE].size > LARGEST:
        yield Unchecked(RECIPE, f"has more than {LARGEST:,} bytes")
        return
    path = audited.files[RECIPE].path
    try:
        # what a recipe extends is read at once: it must not lead anywhere
        data = read_yaml(path).data
        above = data.get("extends") if isinstance(data, dict) else None
        if above is not None and above not in bundled_recipes():
            why = f"it extends {str(above)[:100]!r}, which is no recipe of ours"
            yield Unchecked(f"what {RECIPE} composes to", why)
            return
        recipe = read_recipe(path)
    except ComposeError as error:
        yield Finding("error", place_of(error), f"is no recipe: {error.message}", AGAIN)
        return
    if recipe.plugins and not audited.recompose:
        where = ", ".join(dict.fromkeys(str(one.name) for one in recipe.plugins))
        why = (
            f"its techniques in {where}/ would be imported, which runs them: --recompose allows it"
        )
        yield Unchecked(f"what {RECIPE} composes to", why)
        return
    yield from composed(audited, recipe)


def place_of(error: ComposeError) -> Place:
    return Place(RECIPE, at_line(error))


def composed(audited: Audited, recipe: Recipe) -> Iterator[Outcome]:
    made_with = audited.values["built_with"].get("pgolf_compose")
    other = f"; it was made with pgolf-compose {made_with}, this is {__version__}"
    other = other if made_with != __version__ else ""
    try:
        build = compose(audited.files[RECIPE].path, allow_noncompliant=True)
        packed = one_of(build, audited)
    except ComposeError as error:
        told = f"does not compose: {error.message}{other}"
        yield Finding("error", place_of(error), told, AGAIN)
        return
    lines = recipe_lines(audited)
    yield from equal(audited, HUMAN, build.readable, lines, other)
    yield from equal(audited, SCRIPT, packed, lines, other, build)


def one_of(build: Build, audited: Audited) -> bytes:
    """The small file as the packer writes it that wrote the shipped one."""
    shipped = audited.read(SCRIPT)
    layers = audited.opened(SCRIPT).layers if SCRIPT in audited.files else ()
    for name, packer in build.library.packers.items():
        # the smallest takes seconds, and shows in what it wrote
        likely = name != "smallest" or "context mixing" in layers
        if build.packed != shipped and packer is not build.packer and likely:
            other = replace(build, packer=packer)
            if other.packed == shipped or name == "smallest":
                return other.packed
    return build.packed


def recipe_lines(audited: Audited) -> int:
    return len(audited.read(RECIPE).decode("utf-8", "replace").splitlines())


def equal(
    audited: Audited, name: str, made: bytes, lines: int, other: str, build: Build | None = None
) -> Iterator[Outcome]:
    if name not in audited.files:
        yield Finding("error", Place(name), "is missing", "run `pgolf-compose submit` again")
        return
    there = audited.read(name)
    digest = hashlib.sha256(made).hexdigest()[:12]
    if there == made:
        told = f"{RECIPE}: these {lines} lines give exactly {name}"
        yield Passed(f"{told}, {len(made):,} bytes, sha256 {digest}...")
        return
    line, column = first_difference(made, there)
    inside = inner_difference(build, there) if build else ""
    what = (
        f"is not what {RECIPE} composes to: {len(there):,} bytes for {len(made):,}; "
        f"the first difference is here{inside}{other}"
    )
    yield Finding("error", Place(name, line, column), what, AGAIN)


def inner_difference(build: Build, shipped: bytes) -> str:
    """Where the texts inside two packed files part, if they do."""
    from pgolf_compose.unpack import unpack

    try:
        inside = unpack(shipped).source
    except ComposeError:
        return ""
    if inside == build.minified:
        return ", and the text inside is the same"
    line, _ = first_difference(build.minified.encode(), inside.encode("utf-8", "replace"))
    return f"; the text inside differs from its line {line} on"


def first_difference(a: bytes, b: bytes) -> tuple[int, int]:
    """Line and column in `b` of the first byte that is not that of `a`."""
    at = next(
        (n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    return b.count(b"\n", 0, at) + 1, at - b.rfind(b"\n", 0, at)

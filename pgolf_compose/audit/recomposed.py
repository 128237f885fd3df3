"""Our own folders: recipe.yaml composes to exactly what is shipped, and no file was changed.

What `submit` wrote is told by the digests that it left in built_with. Where one does not hold, the
folder is made anew in memory, to say which line it is.
"""

import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from pgolf_compose import __version__
from pgolf_compose.audit.audited import ABOUT, README, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked
from pgolf_compose.build import Build, compose
from pgolf_compose.errors import ComposeError
from pgolf_compose.files import sha256
from pgolf_compose.recipe import bundled_recipes, read_recipe
from pgolf_compose.submission import submission
from pgolf_compose.submission.about import as_json, digest, read_about, told
from pgolf_compose.submission.sections import digests, read_sections
from pgolf_compose.yaml_file import read_yaml

__all__ = ["check_hashes", "check_recipe"]

RECIPE = "recipe.yaml"
LARGEST = 200_000  # bytes of a recipe
MOST = 5  # lines of a section, or keys, that are told
WORDS = ("author", "github_id", "name", "blurb")
ANEW = "run `pgolf-compose submit` again"
AGAIN = f"undo the change, or change {RECIPE} and {ANEW}"


def check_hashes(audited: Audited) -> Iterator[Outcome]:
    """Each file, section of the README and value of the json is what built_with says."""
    if not audited.ours:
        return
    hashes = audited.values["built_with"].get("sha256")
    if not isinstance(hashes, dict):
        where = audited.about_at("built_with", "sha256")
        yield Finding("error", where, "built_with has no sha256 of the files", ANEW)
        return
    good = 0
    for name, wanted in hashes.items():
        where = audited.about_at("built_with", "sha256", name)
        if name == ABOUT:
            yield from check_values(audited, wanted)
        elif name not in audited.files:
            yield Finding("error", where, f"{name} was written with this folder and is gone", ANEW)
        elif digest_of(audited, name) == wanted:
            good += 1
        else:
            yield changed(audited, name, where)
    yield from check_sections(audited)
    if good:
        yield Passed(f"built_with: {good} files have the sha256 that {ABOUT} says")


def digest_of(audited: Audited, name: str) -> str:
    try:
        return sha256(audited.files[name].path)
    except OSError:
        return ""


def changed(audited: Audited, name: str, where: Place) -> Finding:
    """Where a file differs from what `submit` would write; logs, which it copies, have no line."""
    wanted, place = remade(audited).get(name), Place(name)
    if isinstance(wanted, bytes):
        if sha256(wanted) == digest_of(audited, name):
            return Finding("error", where, f"is not the sha256 of {name}, which is right", ANEW)
        place = Place(name, *first_difference(wanted, audited.read(name)))
    what = f"is not what was written here: its sha256 differs from {where}"
    return Finding("error", place, what, AGAIN)


def check_values(audited: Audited, wanted: object) -> Iterator[Finding]:
    """What `submit` wrote into submission.json is there; a person's own keys may be as they are."""
    keys = audited.values["built_with"].get("keys")
    keys = [one for one in keys if isinstance(one, str)] if isinstance(keys, list) else []
    try:
        now = read_about(audited.files[ABOUT].path)
        before = read_json_of(remade(audited)) if digest(now, keys) != wanted else now
    except ComposeError as error:
        yield Finding("error", Place(ABOUT, at_line(error)), error.message, "mend it")
        return
    if before is now:
        return
    here, there = told(now), told(before)
    others = [key for key in keys if there and here.get(key) != there.get(key)]
    for key in others[:MOST]:
        level = "warning" if key in WORDS else "error"
        what = f"{key} is {as_json(here.get(key))}; `submit` wrote {as_json(there.get(key))}"
        yield Finding(level, audited.about_at(*key.split(".")), what, AGAIN)
    if not others:
        what = f"a value has changed since `submit` wrote it, or {ABOUT}'s own digest here has"
        where = audited.about_at("built_with", "sha256", ABOUT)
        yield Finding("error" if there else "warning", where, what, ANEW)


def read_json_of(files: Mapping) -> dict:
    return json.loads(files[ABOUT], parse_float=Decimal) if ABOUT in files else {}


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
    todo = f"undo it, or {ANEW}; your own words stay outside of its marks"
    for section, wanted in known.items():
        if section not in now or now[section] == wanted:
            continue
        one, anew = there[section], written(audited).get(section)
        what = f"somebody has changed the section {section} since `submit` wrote it"
        if anew is None:
            # such as what compares with a recipe that the flattened one does not name
            yield Finding("error", Place(name, one.line), what, todo)
            continue
        lines, before = one.text.splitlines(), anew.text.splitlines()
        if lines == before:
            where = audited.about_at("built_with", "readme", section)
            yield Finding("error", where, f"is not the digest of the section {section}", ANEW)
        for number in other_lines(before, lines)[:MOST]:
            yield Finding("error", Place(name, one.line + number), what, todo)


def other_lines(before: list[str], now: list[str]) -> list[int]:
    """Which lines, from 0, are not as before; where some are gone, the one that follows."""
    parts = difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes()
    return [
        number
        for kind, _, _, start, end in parts
        if kind != "equal"
        for number in range(start, max(end, start + 1))
    ]


def written(audited: Audited) -> Mapping:
    """The sections of the README, made anew."""
    page = remade(audited).get(README)
    return read_sections(page.decode()) if isinstance(page, bytes) else {}


def remade(audited: Audited) -> Mapping:
    """The folder's files as `submit` would write them now; none where that cannot be told."""
    if "remade" not in audited.cache:
        audited.cache["remade"] = {}
        build, built = build_of(audited), audited.values["built_with"]
        links = any(one.kind != "file" for one in audited.entries.values() if one.kind != "folder")
        if isinstance(build, Build) and built.get("pgolf_compose") == __version__ and not links:
            date, against = date_of(audited, build), str(built.get("against") or "")
            try:
                made = submission(build, audited.path, date, (), True, against)
            except (ComposeError, OSError):
                return {}
            audited.cache["remade"] = {
                path.relative_to(audited.path).as_posix(): data for path, data in made.files.items()
            }
    return audited.cache["remade"]


def date_of(audited: Audited, build: Build) -> str:
    """The date that the folder's name has where the track's layout wants it, else the json's."""
    track, name = build.composition.track, audited.path.resolve().name
    for date in re.findall(r"\d{4}-\d\d-\d\d", name):
        if track.submission_folder(Path(), date, build.name).name == name:
            return date
    return str(audited.values.get("date") or "")


def at_line(error: ComposeError) -> int:
    line = getattr(error.where, "line", 0)
    return line if isinstance(line, int) else 0


def check_recipe(audited: Audited) -> Iterator[Outcome]:
    """recipe.yaml, composed anew, gives the script and its readable twin byte for byte."""
    if not audited.ours:
        if RECIPE in audited.files:
            yield Unchecked(RECIPE, f"{ABOUT} has no built_with: not made by pgolf-compose")
        return
    build = build_of(audited)
    if not isinstance(build, Build):
        yield build
        return
    yield from equal(audited, audited.human, build.readable)
    yield from equal(audited, audited.main, build.packed, build)


def build_of(audited: Audited) -> Build | Outcome:
    """What recipe.yaml composes to, or why that cannot be told."""
    if "build" not in audited.cache:
        try:
            audited.cache["build"] = refused(audited) or compose(
                audited.files[RECIPE].path,
                plugins=audited.plugins,
                allow_noncompliant=True,
                **options(audited),
            )
        except ComposeError as error:
            what = f"does not compose: {error.message}{other_version(audited)}"
            where = Place(RECIPE, at_line(error))
            audited.cache["build"] = Finding("error", where, what, AGAIN)
    return audited.cache["build"]


def refused(audited: Audited) -> Outcome | None:
    """Why recipe.yaml is not composed; it leads nowhere else, and runs nothing, without consent."""
    if RECIPE not in audited.files:
        return Finding("error", Place(RECIPE), "is missing", ANEW)
    if audited.files[RECIPE].size > LARGEST:
        return Unchecked(RECIPE, f"has more than {LARGEST:,} bytes")
    path = audited.files[RECIPE].path
    # what a recipe extends is read at once
    data = read_yaml(path).data
    above = data.get("extends") if isinstance(data, dict) else None
    if above is not None and above not in bundled_recipes():
        why = f"it extends {str(above)[:100]!r}, which is no recipe of ours"
        return Unchecked(f"what {RECIPE} composes to", why)
    recipe = read_recipe(path)
    if recipe.plugins and not audited.recompose:
        where = ", ".join(dict.fromkeys(str(one.name) for one in recipe.plugins))
        why = (
            f"its techniques in {where}/ would be imported, which runs them: --recompose allows it"
        )
        return Unchecked(f"what {RECIPE} composes to", why)
    return None


def options(audited: Audited) -> dict:
    """`keep` and `pack`, by the command that built_with has."""
    words = str(audited.values["built_with"].get("command") or "")[:2_000].split()
    pairs = list(itertools.pairwise(words))
    packs = [value for word, value in pairs if word == "--pack"]
    keep = [value for word, value in pairs if word == "--keep"]
    return {"keep": keep, "pack": packs[-1] if packs else "instant"}


def other_version(audited: Audited) -> str:
    made_with = audited.values["built_with"].get("pgolf_compose")
    return (
        f"; it was made with pgolf-compose {made_with}, this is {__version__}"
        if made_with != __version__
        else ""
    )


def equal(
    audited: Audited, name: str, made: bytes, build: Build | None = None
) -> Iterator[Outcome]:
    if name not in audited.files:
        yield Finding("error", Place(name), "is missing", ANEW)
        return
    there, lines = audited.read(name), audited.read(RECIPE).decode("utf-8", "replace")
    digest = hashlib.sha256(made).hexdigest()[:12]
    if there == made:
        told = f"{RECIPE}: these {len(lines.splitlines())} lines give exactly {name}"
        yield Passed(f"{told}, {len(made):,} bytes, sha256 {digest}...")
        return
    line, column = first_difference(made, there)
    inside = inner_difference(build, there) if build else ""
    what = (
        f"is not what {RECIPE} composes to: {len(there):,} bytes for {len(made):,}; "
        f"the first difference is here{inside}{other_version(audited)}"
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

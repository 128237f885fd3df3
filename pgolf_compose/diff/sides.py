"""What is compared: a recipe, a script of any origin, packed or not, or a folder that holds one."""

import ast
import io
import json
import re
import tokenize
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pgolf_compose.build import Build, compose, resolve_recipe
from pgolf_compose.errors import ComposeError
from pgolf_compose.folders import Folder, read_folder
from pgolf_compose.foreign import is_packed
from pgolf_compose.pack import MARK
from pgolf_compose.recipe import NAME, bundled_recipes
from pgolf_compose.resolve import Composition
from pgolf_compose.unpack import unpack

__all__ = ["RECIPE", "Side", "bounded", "parsed", "read_side", "script_of"]

DEPTH = 250  # levels of a tree that passes walk through
LIMIT = 500_000  # bytes of a script: no record comes near
SCRIPT, TWIN, MAP, RECIPE = (
    "train_gpt.py",
    "train_gpt_human.py",
    "train_gpt.map.json",
    "recipe.yaml",
)
HEADER = re.compile(r'\A"""[^"]*?^Recipe (\S+), composed by pgolf-compose \d', re.M)
NOBODY = frozenset({"host", "recipe"})  # owners of lines that no technique wrote
LISTED = re.compile(r"^([a-z]\w*) {2,}\S", re.M)  # a technique, and what it does


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two that are compared.

    `readable` is the text that a person wrote or that was composed; None where there is only
    `inside`, the text that was packed. A folder of ours has both, a recipe makes `inside` when
    asked. `owners` has the technique of each line of `readable`, or nothing.
    """

    word: str
    told: str
    readable: str | None = None
    inside: str | None = None
    ours: bool = False  # composed here
    packed_here: bool = False
    owners: tuple[str, ...] = ()
    techniques: frozenset[str] | None = None
    composition: Composition | None = None
    build: Build | None = None
    size: int | None = None  # bytes of the file as it is shipped
    file: Path | None = None
    folder: Path | None = None
    results: Folder | None = None  # of a folder that has a submission.json or logs
    notes: tuple[str, ...] = ()

    @property
    def has_program(self) -> bool:
        return self.readable is not None or self.inside is not None

    @property
    def text(self) -> str:
        return self.readable if self.readable is not None else self.inside or ""

    @cached_property
    def lines(self) -> list[str]:
        return self.text.removesuffix("\n").split("\n")


def read_side(word: str, options: Mapping) -> Side:
    """What a word means; `options` are `compose`'s, and for recipes.

    Raises ComposeError for what is nothing to compare, in one line.
    """
    path = Path(word)
    if path.suffix not in (".yaml", ".yml") and word not in bundled_recipes():
        changed = any(options.get(one) for one in ("set", "added", "removed"))
        if path.suffix == ".py" or exists(path):
            if changed:
                raise ComposeError(
                    "is no recipe: --set, --with and --without change a recipe", word
                )
            return folder_side(word, path) if path.is_dir() else script_side(word, path)
    build = compose(word, **options, allow_noncompliant=True)
    origins = build.script.origins
    return Side(
        word,
        f"recipe {build.name}",
        build.script.code,
        ours=True,
        owners=tuple(one.owner for one in origins),
        techniques=frozenset(one.name for one in build.composition.techniques),
        composition=build.composition,
        build=build,
    )


def exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a zero in it
        return False


def script_of(folder: Path) -> Path:
    """The script that a folder is about: train_gpt.py, or the only one."""
    try:
        found = sorted(one for one in folder.iterdir() if one.suffix == ".py" and one.is_file())
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", folder) from None
    named = [one for one in found if one.name == SCRIPT] or found
    if not named:
        raise ComposeError("holds no script: no train_gpt.py, nor another .py", folder)
    if len(named) > 1:
        names = ", ".join(one.name for one in named[:6])
        raise ComposeError(f"holds several scripts and no {SCRIPT}: {names}; name one", folder)
    return named[0]


def folder_side(word: str, folder: Path) -> Side:
    """A submission or what was composed: its script, with what else lies there."""
    notes: list[str] = []
    try:
        results = read_folder(folder)
        notes += [str(error) for error in results.unread]
        results = results if results.about or results.logs else None
    except ComposeError as error:
        results = None
        notes.append(str(error))
    try:
        script = script_of(folder)
    except ComposeError:
        if results is None:
            raise
        return Side(word, "folder without a script", folder=folder, results=results)
    side = script_side(word, script)
    notes += side.notes
    twin = folder / TWIN
    if side.packed_here and script.name == SCRIPT and twin.is_file():
        human = script_side(word, twin)
        if human.ours and human.readable is not None:
            about = (
                f"{human.told}, by {TWIN}",
                human.readable,
                True,
                human.owners,
                human.techniques,
            )
            names = ("told", "readable", "ours", "owners", "techniques")
            side = replace(side, **dict(zip(names, about, strict=True)))
    recipe = folder / RECIPE
    if side.ours and recipe.is_file():
        try:
            _, composition = resolve_recipe(recipe)
            known = frozenset(one.name for one in composition.techniques)
            if side.techniques in (None, known):
                side = replace(side, composition=composition, techniques=known)
            else:
                notes.append(f"{recipe}: names other techniques than the script")
        except ComposeError as error:
            notes.append(f"its recipe does not compose: {error}")
    told = f"folder, {script.name}: {side.told}"
    return replace(side, told=told, folder=folder, results=results, notes=tuple(notes))


def script_side(word: str, path: Path) -> Side:
    data = read(path)
    text = decoded(data, path)
    tree = parsed(text, path)
    if not tree.body:
        raise ComposeError("has no statements: there is nothing to compare", path)
    about = {"size": len(data), "file": path}
    layers, inside = opened(data, text, tree, path)
    name, owners = mapped(path)
    if layers:
        if len(inside.encode("utf-8", "surrogatepass")) > LIMIT:
            raise ComposeError(f"holds a script of more than {LIMIT:,} bytes: too long", path)
        parsed(inside, f"{path}, inside {' and '.join(layers)}")
        here = text.startswith(MARK)
        told = f"script, packed ({', '.join(layers)})"
        techniques = None
        if here and name:
            told, techniques = f"small script of {name}", frozenset(owners) - NOBODY
        return Side(
            word,
            told,
            inside=inside,
            ours=here and bool(name),
            packed_here=here,
            techniques=techniques,
            **about,
        )
    if header := HEADER.search(text):
        techniques = frozenset(LISTED.findall(text[: text.find('"""', 3)]))
        lines = text.removesuffix("\n").split("\n")
        fits = name == header[1] and len(owners) == len(lines)
        return Side(
            word,
            f"script composed of {header[1]}",
            text,
            ours=True,
            owners=owners if fits else (),
            techniques=techniques,
            notes=() if fits or not owners else (f"{path}: {MAP} beside it is another script's",),
            **about,
        )
    return Side(word, "script", text, **about)


def read(path: Path) -> bytes:
    try:
        if exists(path) and not path.is_file():
            raise ComposeError("is no file to read", path)
        size = path.stat().st_size
        if size > LIMIT:
            raise ComposeError(f"has {size:,} bytes; at most {LIMIT:,} are compared", path)
        return path.read_bytes()
    except FileNotFoundError:
        raise ComposeError("there is no such file", path) from None
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise ComposeError(f"cannot be read: {told}", path) from None


def decoded(data: bytes, path: Path) -> str:
    """As Python reads it: a line that names an encoding counts."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        raise ComposeError("is no text that Python could read", path) from None
    if "\0" in text:
        raise ComposeError("is no script: it holds zero bytes", path)
    text = re.sub("\r\n?", "\n", text.removeprefix("\ufeff"))
    return text if text.endswith("\n") else text + "\n"


def parsed(text: str, where: object) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        if depth(tree) > DEPTH:
            raise ComposeError(f"is nested more than {DEPTH} levels deep", where)
        return tree
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        at = f"{where}:{line}" if line else where
        raise ComposeError(f"is not Python: {getattr(error, 'msg', error)}", at) from None
    except (RecursionError, MemoryError):
        raise ComposeError("is nested deeper than Python can read", where) from None


def depth(tree: ast.AST) -> int:
    """Levels of nodes below each other."""
    level, count = [tree], 0
    while level and count <= DEPTH:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        count += 1
    return count


def bounded(where: object, make: Callable, *args):
    """What a walk through trees makes; one that is too deep for it is told."""
    try:
        return make(*args)
    except (RecursionError, MemoryError):
        raise ComposeError("is nested too deeply to be compared", where) from None


def opened(data: bytes, text: str, tree: ast.Module, path: Path) -> tuple[Sequence[str], str]:
    """What a script is packed in, and what is inside; nothing where it is not packed."""
    try:
        found = unpack(data, path)
        return found.layers, found.source + "\n" * (not found.source.endswith("\n"))
    except ComposeError:
        if bounded(path, is_packed, text, tree):
            raise
        return (), ""


def mapped(path: Path) -> tuple[str, tuple[str, ...]]:
    """The recipe that the map beside a script names, and the owner of each readable line."""
    stem = path.stem.removesuffix("_human")
    try:
        beside = path.with_name(f"{stem}.map.json")
        if beside.stat().st_size > 10 * LIMIT:
            return "", ()
        found = json.loads(beside.read_text("utf-8"))
        owners = tuple(owner for owner, _, _ in found["lines"])
        if all(map(NAME.fullmatch, (found["recipe"], *set(owners)))):
            return found["recipe"], owners
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # not there, or none of ours
    return "", ()

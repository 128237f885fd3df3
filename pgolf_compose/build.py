"""The chain of values: recipe -> composition -> script -> passes -> pack."""

import ast
import copy
import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from pgolf_compose import __version__
from pgolf_compose.errors import ComposeError
from pgolf_compose.legality import check_legal, noncompliance
from pgolf_compose.pack import Packer
from pgolf_compose.passes import shrink_names, simplify
from pgolf_compose.passes.freeze import KEPT, check_read, freeze
from pgolf_compose.plugins import Library, load_library, pick
from pgolf_compose.recipe import find_recipe, read_recipe
from pgolf_compose.render import render
from pgolf_compose.resolve import NOTHING, Changes, Composition, resolve
from pgolf_compose.script import Script
from pgolf_compose.spans import spans
from pgolf_compose.technique import Technique

__all__ = ["Build", "compose", "resolve_recipe"]


@dataclass(frozen=True)
class Build:
    """A composition with the script made of it; the small file is made when it is asked for."""

    library: Library
    composition: Composition
    script: Script
    packer: Packer
    keep: frozenset[str] = KEPT  # names that the small file still reads

    @property
    def name(self) -> str:
        return self.composition.name

    @property
    def readable(self) -> bytes:
        return self.script.code.encode("utf-8")

    def simplified(self, values: Mapping[str, str] = MappingProxyType({})) -> ast.Module:
        """The script frozen at the recipe's values, or others by their environment's names.

        As after the passes about values: names are whole, lines are those of the readable script.
        """
        return simplify(freeze(ast.parse(self.script.code), values, self.keep))

    @cached_property
    def simple(self) -> ast.Module:
        """`simplified` at the recipe's values, once: who changes the tree copies it first."""
        return self.simplified()

    @cached_property
    def shrunk(self) -> tuple[ast.Module, str]:
        """The small program after every pass: tree, with lines of the readable one, and text."""
        return shrink_names(copy.deepcopy(self.simple))

    @property
    def minified(self) -> str:
        return self.shrunk[1]

    def packed_at(self, values: Mapping[str, str]) -> bytes:
        """The small file frozen at other values, by their environment's names."""
        return self.pack(shrink_names(self.simplified(values))[1])

    @cached_property
    def packed(self) -> bytes:
        """The exact bytes of the file that counts."""
        return self.pack(self.minified)

    def pack(self, text: str) -> bytes:
        """A file that runs the text and says what there is to say of the composition."""
        packed = self.packer.pack(text)
        if told := noncompliance(self.composition):
            mark, _, rest = packed.partition(b"\n")
            packed = b"\n".join((mark, f"# {told}".encode(), rest))
        return packed

    @property
    def parent(self) -> Composition | None:
        """What the recipe extends, resolved on its own; None where it does not stand alone."""
        above = self.composition.recipe.parent
        try:
            return resolve(above, self.library) if above else None
        except ComposeError:
            return None

    @cached_property
    def above(self) -> "Build | None":
        """What the recipe extends, built alike; None where it does not stand alone."""
        parent = self.parent
        if parent is None:
            return None
        names = KEPT | measuring_names(parent) | {*parent.host.keep}
        return Build(self.library, parent, render(parent), self.packer, names)

    def technique(self, name: str) -> Technique:
        return self.library.techniques[name]

    @cached_property
    def small_lines(self) -> list[tuple[int, int]]:
        """For each line of the small text the first and the last readable line it came from."""
        tree, text = self.shrunk
        found: list[set[int]] = [set() for _ in text.split("\n")]
        breaks = [n for n, char in enumerate(text) if char == "\n"]
        for start, end, line in spans(tree, text):
            for at in range(bisect_left(breaks, start), bisect_left(breaks, end) + 1):
                found[at].add(line)
        return [(min(lines), max(lines)) for lines in found]

    @property
    def line_map(self) -> bytes:
        """JSON: who wrote each line of the readable script, in which file and line.

        And for each line of the small text the readable lines it came from, first and last.
        """
        lines = [[one.owner, one.file.label, one.line] for one in self.script.origins]
        rows = ",\n".join(json.dumps(line) for line in lines)
        about = json.dumps({"pgolf-compose": __version__, "recipe": self.name})
        small = json.dumps(self.small_lines)
        return f'{about[:-1]}, "small": {small}, "lines": [\n{rows}\n]}}\n'.encode()


def resolve_recipe(
    word: str | Path, changes: Changes = NOTHING, plugins: Sequence[Path] = ()
) -> tuple[Library, Composition]:
    """Find, read and resolve a recipe: everything but the script."""
    recipe = read_recipe(word if isinstance(word, Path) else find_recipe(word))
    recipe = replace(recipe, plugins=(*recipe.plugins, *plugins))
    library = load_library(recipe.plugins)
    return library, resolve(recipe, library, changes)


def compose(
    recipe: str | Path,
    *,
    set: Sequence[str] = (),
    added: Sequence[str] = (),
    removed: Sequence[str] = (),
    plugins: Sequence[Path] = (),
    allow_noncompliant: bool = False,
    pack: str = "instant",
    keep: Sequence[str] = (),
) -> Build:
    """Compose a recipe, named or by its path, as `pgolf-compose RECIPE --set --with --without`.

    A technique that breaks a rule of a record track is refused unless `allow_noncompliant`. The
    small file is written by the packer called `pack`; it reads `KEPT` and the names in `keep` from
    the environment, and stands at the recipe's values for the rest.
    Raises ComposeError, with the place and the mend, for whatever is wrong with the recipe, a
    technique or a setting.
    """
    library, composition = resolve_recipe(recipe, Changes(set, added, removed), plugins)
    packer = pick("packer", pack, library.packers)
    if not allow_noncompliant:
        check_legal(composition)
    script = render(composition)
    names = kept_names(script, keep) | measuring_names(composition) | {*composition.host.keep}
    return Build(library, composition, script, packer, names)


def kept_names(script: Script, keep: Sequence[str]) -> frozenset[str]:
    """`KEPT` and more names that the script reads."""
    check_read(script.tree, keep)
    return KEPT | set(keep)


def measuring_names(composition: Composition) -> set[str]:
    """What the environment tells techniques that observe a run: where to write, for one."""
    return {
        name
        for one in composition.techniques
        if one.measuring
        for setting in one.hyperparameters
        for name in one.env(setting).split()
    }

"""Two recipes, or two scripts: techniques, values, text."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose import cache
from pgolf_compose.account import side_by_side
from pgolf_compose.build import Build, compose
from pgolf_compose.environment import SIZES, read_script
from pgolf_compose.errors import ComposeError
from pgolf_compose.files import write_files
from pgolf_compose.pack import MARK
from pgolf_compose.report import changes
from pgolf_compose.smoke import smoke_sizes
from pgolf_compose.trace import Comparison, compare_traces, run_both

__all__ = ["Difference", "compare", "compare_bytes", "run_and_compare"]


@dataclass(frozen=True)
class Difference:
    """What B has that A has not, layer by layer. `composition` is empty between two scripts."""

    composition: tuple[str, ...]
    text: tuple[str, ...]  # unified diff of the readable scripts


def compare(a: str, b: str, **options) -> Difference:
    """From A to B, each a recipe or a Python file; `options` are `compose`'s and change B."""
    one, other = side(a, {"plugins": options.get("plugins", ())}), side(b, options)
    composition: tuple[str, ...] = ()
    if isinstance(one, Build) and isinstance(other, Build):
        composition = changes(one.composition, other.composition)
    lines = difflib.unified_diff(text(one), text(other), a, b, lineterm="")
    return Difference(composition, tuple(lines))


def compare_bytes(a: str, b: str, **options) -> list[tuple[str, int, int]]:
    """Bytes of each technique in the small files of two recipes, as `account` shares them out."""
    for word in (a, b):
        if word.endswith(".py"):
            raise ComposeError(
                "is a script: --bytes compares recipes, whose techniques are known", word
            )
    one = compose(a, plugins=options.get("plugins", ()), allow_noncompliant=True)
    return side_by_side(one, compose(b, **options, allow_noncompliant=True))


def run_and_compare(a: str, b: str, folder: Path, **options) -> list[Comparison]:
    """Run both at the smoke size, with one environment, and compare what they computed.

    Raises ComposeError where neither computed anything.
    """
    builds, scripts = [], []
    for word, side, given in ((a, "a", {"plugins": options.get("plugins", ())}), (b, "b", options)):
        if word.endswith(".py"):
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


def side(word: str, options: dict) -> Build | str:
    """A recipe composed, or the text of a file that ends in .py."""
    if not word.endswith(".py"):
        return compose(word, **options, allow_noncompliant=True)
    try:
        script = Path(word).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ComposeError("there is no such file", word) from None
    except (UnicodeDecodeError, OSError) as error:
        raise ComposeError(f"cannot be read as a script: {error}", word) from None
    if script.startswith(MARK):
        raise ComposeError(
            "is packed; compare its readable twin, or with --run what it computes", word
        )
    return script if script.endswith("\n") else script + "\n"


def text(one: Build | str) -> list[str]:
    """Lines to compare; the header's line that names the recipe is no difference."""
    lines = one.split("\n")[:-1] if isinstance(one, str) else one.script.lines
    return [line for line in lines if not re.match(r"Recipe \S+, composed by pgolf-compose", line)]

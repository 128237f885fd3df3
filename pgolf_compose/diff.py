"""Two recipes, or two scripts: techniques, values, text."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.build import Build, compose
from pgolf_compose.errors import ComposeError
from pgolf_compose.pack import MARK
from pgolf_compose.report import changes

__all__ = ["Difference", "compare"]


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
        raise ComposeError("is packed; compare its readable twin, train_gpt_human.py", word)
    return script if script.endswith("\n") else script + "\n"


def text(one: Build | str) -> list[str]:
    """Lines to compare; the header's line that names the recipe is no difference."""
    lines = one.split("\n")[:-1] if isinstance(one, str) else one.script.lines
    return [line for line in lines if not re.match(r"Recipe \S+, composed by pgolf-compose", line)]

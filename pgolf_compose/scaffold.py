"""`new`: a technique that works, with its test, or a recipe that extends another."""

import os
import re
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.plugins import load_library
from pgolf_compose.recipe import NAME, find_recipe, read_recipe

__all__ = ["new_recipe", "new_technique"]

INIT = '''"""{title}: say here, in one sentence, what it does to the model."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="your paper or pull request",
    hyperparameters=(
        Hyperparameter("slope", 0.5, "of the activation below zero", minimum=0, maximum=1),
    ),
)
'''

FRAGMENTS = """# @replace mlp.hidden
hidden = F.leaky_relu(self.fc(x), self.{name}_slope).square()


# @fill mlp.init
self.{name}_slope = h.{name}_slope
"""

TEST = """from pathlib import Path

import pgolf_compose

HERE = Path(__file__).parent


def test_{name}_changes_the_activation():
    plain = pgolf_compose.compose("baseline")
    build = pgolf_compose.compose("baseline", added=["{name}"], plugins=[HERE])
    assert "hidden = F.relu(self.fc(x)).square()" in plain.script.code
    assert "hidden = F.leaky_relu(self.fc(x), self.{name}_slope).square()" in build.script.code
    assert len(build.packed) < 16_000_000
"""

RECIPE = """# What this recipe changes in {parent}, and why.
extends: {extends}
techniques:
  # technique: {{setting: value}}, one to a line; `pgolf-compose list` shows them
settings:
  # matrix_lr: 0.03
"""


def new_technique(name: str, folder: Path) -> list[Path]:
    """Write the folder of a technique that changes one line of the host; returns its files."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ComposeError(
            f"{name!r} cannot name a technique: lower-case letters, digits and _ only, "
            "as in parallel_residual"
        )
    home = folder / name
    if home.exists():
        raise ComposeError("is there already; choose another name", home)
    if name in load_library().techniques:
        raise ComposeError(f"there is a technique {name} already; choose another name")
    title = name.replace("_", " ").capitalize()
    return write_new(
        {
            home / "__init__.py": INIT.format(title=title),
            home / "fragments.py": FRAGMENTS.format(name=name),
            home / f"test_{name}.py": TEST.format(name=name),
        }
    )


def new_recipe(path: Path, parent: str) -> list[Path]:
    """Write a recipe that extends another and has room for changes."""
    if not NAME.fullmatch(path.stem):
        raise ComposeError(
            f"{path.stem!r} cannot name a recipe: letters, digits and . _ + - only", path
        )
    if path.exists():
        raise ComposeError("is there already; choose another name", path)
    found = find_recipe(parent)
    name = read_recipe(found).name
    bundled = not parent.endswith((".yaml", ".yml")) and "/" not in parent
    extends = name if bundled else os.path.relpath(found, path.parent)
    return write_new({path: RECIPE.format(parent=name, extends=extends)})


def write_new(files: dict[Path, str]) -> list[Path]:
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ComposeError(f"cannot be written: {error.strerror}", path) from None
    return list(files)

"""Programs that print the same before and after the passes."""

import ast
import contextlib
import io
from pathlib import Path

import pytest

from pgolf_compose.passes import shrink_names, simplify
from pgolf_compose.passes.names import kept_names

TEXT = (Path(__file__).parent / "programs/sound.py.txt").read_text(encoding="utf-8")
PROGRAMS = dict(part.split("\n", 1) for part in TEXT.split("# === ")[1:])


def printed(code: str) -> str:
    """What a program prints, and the type of what it raises."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(code, "program", "exec", dont_inherit=True), {"__name__": "__main__"})
        except Exception as error:
            print("raises", type(error).__name__)
    return out.getvalue()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same(name):
    before = printed(PROGRAMS[name])
    assert before and "raises" not in before
    tree = ast.parse(PROGRAMS[name])
    if not kept_names(tree):  # as `pack` does
        tree = simplify(tree)
    assert printed(ast.unparse(tree)) == before, ast.unparse(tree)
    small = shrink_names(tree)[1]
    assert printed(small) == before, small

"""Passes make a script smaller and leave what it does alone."""

import ast

from pgolf_compose.passes.docstrings import docstrings
from pgolf_compose.passes.names import rename
from pgolf_compose.passes.printing import print_tree, tidy
from pgolf_compose.script import Script

__all__ = ["shrink", "shrink_names"]


def shrink(script: Script) -> str:
    """The script's text after every pass."""
    return shrink_names(ast.parse(script.code))


def shrink_names(tree: ast.Module) -> str:
    """The tree as text, after the passes about names."""
    for one in (docstrings, tidy, rename):
        tree = one(tree)
    return print_tree(tree)

"""Passes make a script smaller and leave what it does alone: each takes a tree, gives one back."""

import ast
from collections.abc import Callable

from pgolf_compose.passes.branches import drop_dead_branches
from pgolf_compose.passes.constants import (
    dissolve_values,
    propagate_arguments,
    propagate_attributes,
    propagate_names,
    split_assignments,
)
from pgolf_compose.passes.defaults import drop_defaults
from pgolf_compose.passes.docstrings import docstrings
from pgolf_compose.passes.fold import fold
from pgolf_compose.passes.inline import inline_functions, inline_locals
from pgolf_compose.passes.names import rename
from pgolf_compose.passes.positional import place_arguments
from pgolf_compose.passes.printing import print_tree, tidy
from pgolf_compose.passes.straighten import straighten
from pgolf_compose.passes.unused import drop_unused

__all__ = ["shrink_names", "simplify"]

Pass = Callable[[ast.Module], ast.Module]

# again and again, until nothing changes
VALUES: list[Pass] = [
    split_assignments,
    fold,
    drop_dead_branches,
    straighten,
    drop_defaults,
    propagate_names,
    propagate_attributes,
    dissolve_values,
    propagate_arguments,
    place_arguments,
    drop_unused,
    inline_locals,
    inline_functions,
]
ROUNDS = 20


def simplify(tree: ast.Module) -> ast.Module:
    before = ""
    for _ in range(ROUNDS):
        for one in VALUES:
            tree = one(tree)
        if (after := ast.dump(tree)) == before:
            break
        before = after
    return tree


def shrink_names(tree: ast.Module) -> tuple[ast.Module, str]:
    """A tree after the passes about names, and its text."""
    for one in (docstrings, drop_unused, tidy, rename):  # annotations told of values until here
        tree = one(tree)
    return tree, print_tree(tree)

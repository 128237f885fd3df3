"""Passes make a script smaller and leave what it does alone. Each takes a tree and gives one back."""

import ast
from collections.abc import Callable, Collection, Mapping

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
from pgolf_compose.passes.freeze import KEPT, freeze
from pgolf_compose.passes.inline import inline_functions, inline_locals
from pgolf_compose.passes.names import rename
from pgolf_compose.passes.printing import print_tree, tidy
from pgolf_compose.passes.straighten import straighten
from pgolf_compose.passes.unused import drop_unused

__all__ = ["KEPT", "shrink", "shrink_names", "simplify"]

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


def shrink(
    code: str, values: Mapping[str, str] | None = None, keep: Collection[str] = KEPT
) -> str:
    """The script's text after every pass; frozen, if `values` of the environment are given."""
    tree = ast.parse(code)
    if values is not None:
        tree = freeze(tree, values, keep)
    # annotations tell of values, and imports only annotations need go with them
    return shrink_names(drop_unused(docstrings(simplify(tree))))


def shrink_names(tree: ast.Module) -> str:
    """The tree as text, after the passes about names."""
    for one in (docstrings, tidy, rename):
        tree = one(tree)
    return print_tree(tree)

"""Leave out what no run can reach: decided branches, what follows a return, empty statements."""

import ast

from pgolf_compose.passes.tree import edit, pure, truth, walk

__all__ = ["drop_dead_branches"]

ENDS = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def drop_dead_branches(tree: ast.Module) -> ast.Module:
    """The tree without statements that never run or do nothing."""
    changes: dict[ast.AST, ast.AST | list | None] = {}
    for node in walk(tree):
        if isinstance(node, ast.If):
            decided = truth(node.test)
            if decided is not None:
                changes[node] = node.body if decided else node.orelse or None
            elif idle(node.body) and not node.orelse and pure(node.test):
                changes[node] = None
            elif idle(node.orelse):
                node.orelse = []
        elif isinstance(node, ast.While) and truth(node.test) is False:
            changes[node] = node.orelse or None
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple | ast.List):
            if not node.iter.elts:
                changes[node] = node.orelse or None
        elif isinstance(node, ast.Assert) and truth(node.test) is True:
            changes[node] = None
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                trim(block)
    return edit(tree, changes)


def trim(block: list[ast.stmt]) -> None:
    for n, one in enumerate(block):
        if isinstance(one, ENDS) and not any(
            isinstance(inner, ast.Yield | ast.YieldFrom)
            for later in block[n + 1 :]
            for inner in walk(later)
        ):
            del block[n + 1 :]
            break
    if len(block) > 1:
        block[:] = [one for one in block if not isinstance(one, ast.Pass)] or block[:1]


def idle(block: list[ast.stmt]) -> bool:
    return bool(block) and all(isinstance(one, ast.Pass) for one in block)

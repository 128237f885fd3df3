"""Leave out what no run can reach: decided branches, what follows a return, empty statements."""

import ast

from pgolf_compose.passes.tree import edit, pure, truth, walk

__all__ = ["drop_dead_branches"]

ENDS = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def drop_dead_branches(tree: ast.Module) -> ast.Module:
    """The tree without statements that never run or do nothing."""
    changes: dict[ast.AST, ast.AST | list | None] = {}
    shared = {name for node in walk(tree) if isinstance(node, ast.Nonlocal) for name in node.names}
    for node in walk(tree):
        if isinstance(node, ast.If):
            decided = truth(node.test)
            if decided is not None:
                if tells(node.orelse if decided else node.body, shared):
                    continue
                changes[node] = node.body if decided else node.orelse or None
            elif idle(node.body) and not node.orelse and pure(node.test):
                changes[node] = None
            elif idle(node.orelse):
                node.orelse = []
        elif isinstance(node, ast.While) and truth(node.test) is False:
            if not tells(node.body, shared):
                changes[node] = node.orelse or None
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple | ast.List):
            if not node.iter.elts and not tells(node.body, shared):
                changes[node] = node.orelse or None
        elif isinstance(node, ast.Assert) and truth(node.test) is True:
            changes[node] = None
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                trim(block, shared)
    return edit(tree, changes)


def tells(block: list[ast.stmt], shared: set[str]) -> bool:
    """Whether statements say what a function is though they never run: a generator, whose names."""
    return any(
        isinstance(one, ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal)
        or (isinstance(one, ast.Name) and one.id in shared)
        for statement in block
        for one in walk(statement)
    )


def trim(block: list[ast.stmt], shared: set[str]) -> None:
    for n, one in enumerate(block):
        if isinstance(one, ENDS) and not tells(block[n + 1 :], shared):
            del block[n + 1 :]
            break
    if len(block) > 1:
        block[:] = [one for one in block if not isinstance(one, ast.Pass)] or block[:1]


def idle(block: list[ast.stmt]) -> bool:
    return bool(block) and all(isinstance(one, ast.Pass) for one in block)

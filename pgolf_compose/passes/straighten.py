"""Straight lines for what runs in one: loops of a single turn, containers built piecemeal."""

import ast

from pgolf_compose.passes.tree import children, edit, literal, node_of, parents_of, pure, walk
from pgolf_compose.passes.variables import CALLABLES, Binding, Scopes, read_at_once, stops

__all__ = ["straighten"]

BLOCKS = ("body", "orelse", "finalbody")
LOOPS = (ast.For, ast.While, ast.AsyncFor)


def straighten(tree: ast.Module) -> ast.Module:
    """The tree with loops over one item unrolled, `x = []; x.append(y)` as one display, and
    values that are overwritten before anything else can see them carried along or left out."""
    tree = unroll(tree)
    scopes, parents = Scopes(tree), parents_of(tree)
    own = {n.name for n in walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    for node in walk(tree):
        if not isinstance(node, ast.ClassDef):
            for name in BLOCKS:
                block = getattr(node, name, None)
                if isinstance(block, list):
                    gather(block, scopes, parents)
                    carry(block, scopes, parents, own)
    return ast.fix_missing_locations(tree)


def unroll(tree: ast.Module) -> ast.Module:
    changes = {}
    for node in walk(tree):
        if (
            isinstance(node, ast.For)
            and isinstance(node.iter, ast.Tuple | ast.List)
            and len(node.iter.elts) == 1
            and not isinstance(node.iter.elts[0], ast.Starred)
            and not node.orelse
            and not leaves(node.body)
        ):
            first = ast.copy_location(ast.Assign([node.target], node.iter.elts[0]), node)
            changes[node] = [first, *node.body]
    return edit(tree, changes)


def leaves(block: list[ast.stmt]) -> bool:
    """Whether a `break` or `continue` in a loop's body belongs to that loop."""
    todo: list[ast.AST] = list(block)
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Break | ast.Continue):
            return True
        if not isinstance(one, (*LOOPS, *CALLABLES, ast.ClassDef)):
            todo += children(one)
        elif isinstance(one, LOOPS):
            todo += one.orelse
    return False


def gather(block: list[ast.stmt], scopes: Scopes, parents: dict) -> None:
    """`x = [a]` and later `x.append(b)`, or `x = {}` and `x[k] = v`, as one display.

    A display that is empty may wait for what comes first to it.
    """
    n = 0
    while n < len(block) - 1:
        first = block[n]
        if not (
            isinstance(first, ast.Assign)
            and len(first.targets) == 1
            and isinstance(first.targets[0], ast.Name)
            and isinstance(first.value, ast.List | ast.Dict)
        ):
            n += 1
            continue
        name, later = first.targets[0].id, n + 1
        if not unseen(scopes.of.get(first.targets[0]), block[later:], scopes, parents):
            n += 1
            continue
        if not children(first.value):
            while later < len(block) - 1 and not mentions(block[later], name):
                later += 1
        if taken_in(name, first.value, block[later]):
            block[later] = first
            del block[n]
        else:
            n += 1


def unseen(binding: Binding | None, rest: list[ast.stmt], scopes: Scopes, parents: dict) -> bool:
    """Whether nobody can see a variable late: no function made before, no handler of a failure."""
    if binding is None or binding.declared:
        return False
    here = [one for one in binding.reads if read_at_once(one, binding.scope, scopes)]
    fails = stops(rest[0], parents, (ast.Try, ast.TryStar, ast.With, ast.AsyncWith))
    if len(here) == len(binding.reads) and not fails:
        return True
    inside = {inner for one in rest for inner in walk(one)}
    if fails:
        return inside.issuperset(binding.reads) and len(here) == len(binding.reads)
    later = inside.issuperset(set(binding.reads) - set(here))
    return later and not stops(rest[0], parents, LOOPS)


def mentions(statement: ast.stmt, name: str) -> bool:
    """Whether a statement reads or binds the variable, or leaves the block."""
    return any(
        name in (getattr(one, field, None) for field in ("id", "name", "asname", "rest"))
        or isinstance(one, ast.Return | ast.Raise | ast.Break | ast.Continue)
        for one in walk(statement)
    )


def taken_in(name: str, display: ast.expr, then: ast.stmt) -> bool:
    def free(node: ast.AST) -> bool:
        return not any(isinstance(one, ast.Name) and one.id == name for one in walk(node))

    if isinstance(display, ast.List) and isinstance(then, ast.Expr):
        call = then.value
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "append"
            and getattr(call.func.value, "id", "") == name
            and len(call.args) == 1
            and not call.keywords
            and free(call.args[0])
        ):
            display.elts.append(call.args[0])
            return True
    if isinstance(display, ast.Dict) and isinstance(then, ast.Assign):
        target = then.targets[0]
        if (
            len(then.targets) == 1
            and isinstance(target, ast.Subscript)
            and getattr(target.value, "id", "") == name
            and literal(target.slice)
            and free(then.value)
            and all(one is None or literal(one) != literal(target.slice) for one in display.keys)
            and None not in display.keys
        ):
            display.keys.append(target.slice)
            display.values.append(then.value)
            return True
    return False


def carry(block: list[ast.stmt], scopes: Scopes, parents: dict, own: set[str]) -> None:
    """`x = 0`, `if not x: x = 5`: the known value in tests up to the next binding of x, and no
    first binding where a second follows before any read."""
    n = 0
    while n < len(block):
        statement = block[n]
        n += 1
        if not (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            continue
        binding = scopes.of.get(statement.targets[0])
        if binding is None or len(binding.writes) < 2 or binding.declared:
            continue
        value = literal(statement.value)
        for later in block[n:]:
            reads = [one for one in binding.reads if one in set(walk(later))]
            writes = [one for one in binding.writes if one in set(walk(later))]
            if calls_own(later, own):
                break
            if value and isinstance(later, ast.If) and reads:
                tested = set(walk(later.test))
                if not tested.isdisjoint(writes):
                    break
                at_once = [one for one in reads if scopes.within[one] is binding.scope]
                for one in [one for one in at_once if one in tested]:
                    later.test = Put(one, node_of(value.value, one)).visit(later.test)
                    binding.reads.remove(one)
            if writes and not reads and isinstance(later, ast.Assign):
                seen = not unseen(binding, block[n:], scopes, parents)
                if later.targets == writes and pure(statement.value) and not seen:
                    block.remove(statement)
                    binding.writes.remove(statement.targets[0])
                    n -= 1
                break
            if reads or writes or not isinstance(later, ast.Assign | ast.Expr | ast.AnnAssign):
                break


def calls_own(statement: ast.stmt, own: set[str]) -> bool:
    """Whether code of the script may run in a statement."""
    return any(
        isinstance(one, ast.Call)
        and (getattr(one.func, "id", None) or getattr(one.func, "attr", "")) in own
        for one in walk(statement)
    )


class Put(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)

"""What passes share: literal values in a tree, effects of expressions, edits by node."""

import ast
import operator
from collections.abc import Collection, Mapping

__all__ = [
    "COMPARISONS",
    "HARMLESS",
    "OPERATORS",
    "Literal",
    "children",
    "edit",
    "fits",
    "literal",
    "node_of",
    "parents_of",
    "pure",
    "put",
    "truth",
    "walk",
    "words",
]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Literal:
    """A value that stands in the text: None, a truth value, number, text or tuple of these."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __eq__(self, other) -> bool:
        # 1, 1.0 and True are equal and not the same; so are 0.0 and -0.0
        return isinstance(other, Literal) and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash(repr(self.value))


def literal(node: ast.AST | None) -> Literal | None:
    """What a node stands for if that is in the text, else None."""
    if isinstance(node, ast.Constant) and node.value is not ...:
        return Literal(node.value)
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and type(node.operand.value) in (int, float)
    ):
        return Literal(-node.operand.value)
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        items = [literal(item) for item in node.elts]
        if all(items):
            return Literal(tuple(item.value for item in items))
    return None


def node_of(value, like: ast.AST) -> ast.expr:
    """A literal as a node, at the place of `like`."""
    if isinstance(value, tuple):
        node = ast.Tuple([node_of(item, like) for item in value], ast.Load())
    elif type(value) in (int, float) and repr(value).startswith("-"):
        node = ast.UnaryOp(ast.USub(), ast.copy_location(ast.Constant(-value), like))
    else:
        node = ast.Constant(value)
    return ast.copy_location(node, like)


def truth(node: ast.expr) -> bool | None:
    """Whether a test always holds or never; None where that is open."""
    found = literal(node)
    return None if found is None else bool(found.value)


# Builtins without effects; `range`, `len` and their like fail only on what fails anyway.
HARMLESS = words(
    """abs bool divmod enumerate float getattr hasattr id int isinstance issubclass len range repr
    reversed round slice str type zip"""
)


# methods that change nothing, of whatever has methods of these names; `to` would move a module
HARMLESS_METHODS = words(
    """abs amax amin chunk clone detach dim element_size endswith flatten item items join keys mean
    norm numel reshape size split square startswith std strip sum transpose unbind unsqueeze
    values view view_as"""
)


def pure(node: ast.AST, own: Collection[str] = ()) -> bool:
    """Whether evaluating `node` changes nothing, so that it may go, or move past what is pure.

    Names in `own` are the script's, who knows what for.
    """
    for one in walk(node):
        if isinstance(one, ast.Call):
            name, method = getattr(one.func, "id", ""), getattr(one.func, "attr", "")
            if name in own or method in own:
                return False
            if name not in HARMLESS and method not in HARMLESS_METHODS:
                return False
        elif isinstance(one, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Starred):
            return False
    return True


def fits(value: ast.AST, place: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether `value` can be written at `place`: inside an f-string, quotes and texts may not."""
    if literal(value) and isinstance(parents.get(place), ast.FormattedValue):
        return True  # it becomes a part of the text
    inside = False
    while place in parents and isinstance(place, ast.expr | ast.keyword | ast.comprehension):
        inside = inside or isinstance(place, ast.FormattedValue)
        place = parents[place]
    return not inside or not any(
        isinstance(one, ast.JoinedStr | ast.Lambda)
        or (isinstance(one, ast.Constant) and isinstance(one.value, str | bytes))
        for one in walk(value)
    )


# what Python's signs compute
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
COMPARISONS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
# fields that hold no nodes, or operators and contexts only
PLAIN = words(
    "attr arg conversion ctx id is_async kind level module n op ops s simple type_comment"
)
FIELDS = {
    kind: tuple(name for name in kind._fields if name not in PLAIN)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
FIELDS[ast.Constant] = ()
if hasattr(ast, "TypeAlias"):  # its name is a node
    FIELDS[ast.TypeAlias] = ast.TypeAlias._fields


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right under a node, in the order of its fields; no operators and contexts."""
    found = []
    for name in FIELDS[node.__class__]:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [one for one in value if isinstance(one, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and all under it; as `ast.walk`, but for operators and contexts, and faster."""
    found = [node]
    for one in found:
        found += children(one)
    return found


def parents_of(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in walk(tree) for child in children(node)}


def put(old: ast.AST, new: ast.AST, parents: dict) -> None:
    """`new` where `old` stood."""
    above = parents[old]
    for name, value in ast.iter_fields(above):
        if value is old:
            setattr(above, name, new)
        elif isinstance(value, list) and old in value:
            value[value.index(old)] = new
    parents[new] = above


class Edit(ast.NodeTransformer):
    def __init__(self, changes: Mapping[ast.AST, ast.AST | list | None]):
        self.changes = changes

    def visit(self, node):
        if node in self.changes:
            new = self.changes[node]
            if new is None or new is node:
                return new if new is None else super().generic_visit(node)
            for one in new if isinstance(new, list) else [new]:
                super().generic_visit(one)
            return new
        return super().generic_visit(node)


def edit(tree: ast.Module, changes: Mapping[ast.AST, ast.AST | list | None]) -> ast.Module:
    """The tree with some nodes replaced (None: without them); no block is left empty."""
    if changes:
        tree = Edit(changes).visit(tree)
        fill_blocks(tree)
        ast.fix_missing_locations(tree)
    return tree


def fill_blocks(tree: ast.Module) -> None:
    for node in walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and not isinstance(node, ast.Module) and not body:
            if isinstance(node, ast.If) and node.orelse:
                node.test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
                node.body, node.orelse = node.orelse, []
            else:
                body.append(ast.copy_location(ast.Pass(), node))

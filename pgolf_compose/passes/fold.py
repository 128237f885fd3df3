"""Compute what is already known: operators, comparisons, calls of plain builtins on literals."""

import ast
import builtins
import operator

from pgolf_compose.passes.tree import (
    COMPARISONS,
    OPERATORS,
    Literal,
    literal,
    node_of,
    pure,
    truth,
    walk,
    words,
)

__all__ = ["fold"]

# math functions are the C library's: their last digit may differ by machine
CALLS = words("abs all any bool divmod float int len max min str sum tuple")
METHODS = words("endswith lower removeprefix split startswith strip upper")


def fold(tree: ast.Module) -> ast.Module:
    """The tree with constant expressions computed, where that is not longer."""
    bound = {
        name
        for node in walk(tree)
        for name in (
            [node.id]
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
            else (
                [node.arg]
                if isinstance(node, ast.arg)
                else (
                    [node.asname or node.name]
                    if isinstance(node, ast.alias)
                    else [getattr(node, "name", None), getattr(node, "rest", None)]
                )
            )
        )
    }
    calls = set() if "*" in bound else CALLS - bound
    return ast.fix_missing_locations(Fold(calls).visit(tree))


class Fold(ast.NodeTransformer):
    def __init__(self, calls: set[str]):
        self.calls = calls  # builtins that the script has not bound anew

    def known(self, node: ast.expr, compute, *operands: Literal | None) -> ast.expr:
        """The node, or what `compute` makes of the operands if all are known."""
        if not all(operands):
            return node
        try:
            value = compute(*(one.value for one in operands))
        except Exception:  # it would fail at run time as well: leave it to the script
            return node
        if isinstance(value, list):
            items = [node_of(item, node) for item in value]
            return ast.copy_location(ast.List(items, ast.Load()), node)
        if not isinstance(value, bool | int | float | str | bytes | tuple | None.__class__):
            return node
        parts = value if isinstance(value, tuple) else (value,)
        if any(isinstance(one, float) and not abs(one) < float("inf") for one in parts):
            return node  # no literal stands for infinity or nan
        new = node_of(value, node)
        short = isinstance(value, bool | None.__class__)
        return new if short or len(ast.unparse(new)) <= len(ast.unparse(node)) else node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        left, right = literal(node.left), literal(node.right)
        compute = OPERATORS.get(type(node.op))
        if not compute or not left or not right:
            return node
        if isinstance(node.op, ast.Mult) and not (is_number(left) and is_number(right)):
            return node  # a text many times over
        if isinstance(node.op, ast.Pow | ast.LShift) and not (
            type(left.value) is type(right.value) is int and 0 <= right.value < 64
        ):
            return node
        return self.known(node, compute, left, right)

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            inner = node.operand
            if isinstance(inner, ast.Compare) and len(inner.ops) == 1:
                flipped = {ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn}
                if other := flipped.get(type(inner.ops[0])):
                    inner.ops[0] = other()
                    return inner
            return self.known(node, operator.not_, literal(inner))
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        if len(node.ops) != 1:
            return self.chain(node)
        left, right = literal(node.left), node.comparators[0]
        if isinstance(right, ast.List | ast.Set) and isinstance(node.ops[0], ast.In | ast.NotIn):
            items = [literal(item) for item in right.elts]
            right = Literal([one.value for one in items]) if all(items) else None
        else:
            right = literal(right)
        if isinstance(node.ops[0], ast.Is | ast.IsNot):
            if not left or not right or not (left.value is None or right.value is None):
                return node
            same = left.value is right.value
            return node_of(same == isinstance(node.ops[0], ast.Is), node)
        return self.known(node, COMPARISONS[type(node.ops[0])], left, right)

    def chain(self, node: ast.Compare) -> ast.expr:
        """`1 <= 2 < 3`"""
        operands = [literal(one) for one in (node.left, *node.comparators)]
        compute = [COMPARISONS.get(type(one)) for one in node.ops]
        if not all(compute):
            return node
        pairs = lambda *values: all(  # noqa: E731
            one(a, b) for one, a, b in zip(compute, values, values[1:], strict=False)
        )
        return self.known(node, pairs, *operands)

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        ends = isinstance(node.op, ast.Or)  # what decides the whole
        values = []
        for one in node.values:
            decided = truth(one)
            last = one is node.values[-1]
            if decided is None or decided == ends or last:
                values.append(one)
            if decided == ends:
                break
        # `a and True` is a's truth: the same only where a is a truth value itself
        *others, last = values
        neutral = is_truth(last) and truth(last) is not ends
        if others and neutral and all(map(says_truth, others)):
            values = others
        if len(values) == 1:
            return values[0]
        node.values = values
        return node

    def visit_IfExp(self, node):
        self.generic_visit(node)
        node.test = tested(node.test)
        decided = truth(node.test)
        if decided is not None:
            return node.body if decided else node.orelse
        if isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            node.test, node.body, node.orelse = node.test.operand, node.orelse, node.body
        return node

    def visit_If(self, node):
        self.generic_visit(node)
        node.test = tested(node.test)
        return node

    visit_While = visit_If

    def visit_comprehension(self, node):
        self.generic_visit(node)
        node.ifs = [one for one in map(tested, node.ifs) if truth(one) is not True]
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        function = node.func
        if only := self.only_choice(node):
            return only
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            return node
        given = [literal(one) for one in node.args]
        if isinstance(function, ast.Name) and function.id in self.calls and given:
            if isinstance(node.args[0], ast.List | ast.Set) and len(given) == 1:
                items = [literal(one) for one in node.args[0].elts]
                given = [Literal([one.value for one in items]) if all(items) else None]
            if function.id == "sum" and "." in ast.unparse(node):
                return node  # floats are summed with more care from Python 3.12 on
            return self.known(node, getattr(builtins, function.id), *given)
        if isinstance(function, ast.Attribute) and function.attr in METHODS:
            base = literal(function.value)
            if base and isinstance(base.value, str):
                return self.known(
                    node, lambda text, *rest: getattr(text, function.attr)(*rest), base, *given
                )
        return node

    def only_choice(self, node: ast.Call) -> ast.expr | None:
        """`min([x], key=...)`"""
        if (
            getattr(node.func, "id", "") in {"max", "min"} & self.calls
            and len(node.args) == 1
            and isinstance(node.args[0], ast.List | ast.Tuple)
            and len(node.args[0].elts) == 1
            and not isinstance(node.args[0].elts[0], ast.Starred)
            and all(one.arg == "key" for one in node.keywords)
        ):
            return node.args[0].elts[0]
        return None

    def visit_Subscript(self, node):
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Slice):
            return self.known(node, operator.getitem, literal(node.value), literal(node.slice))
        return node

    def visit_Starred(self, node):
        return self.generic_visit(node)

    def spread(self, items: list[ast.expr]) -> list[ast.expr]:
        """`*[]` and `*[a, b]` written out."""
        out = []
        for one in items:
            inner = one.value if isinstance(one, ast.Starred) else None
            out += inner.elts if isinstance(inner, ast.List | ast.Tuple) else [one]
        return out

    def visit_List(self, node):
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            node.elts = self.spread(node.elts)
        return node

    visit_Tuple = visit_List

    def visit_FormattedValue(self, node):
        node.value = self.visit(node.value)
        if node.format_spec:  # it stays an f-string, whatever is known of it
            self.generic_visit(node.format_spec)
        return node

    def visit_JoinedStr(self, node):
        self.generic_visit(node)
        parts: list[ast.expr] = []
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                one = self.formatted(one)
            for part in one.values if isinstance(one, ast.JoinedStr) else [one]:
                last = parts[-1] if parts else None
                if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
                    parts[-1] = node_of(last.value + part.value, last)
                else:
                    parts.append(part)
        if all(isinstance(one, ast.Constant) for one in parts):
            return node_of("".join(one.value for one in parts), node)
        node.values = parts
        return node

    def formatted(self, one: ast.FormattedValue) -> ast.expr:
        if isinstance(one.value, ast.JoinedStr) and one.conversion == -1 and not one.format_spec:
            return one.value
        value, form = literal(one.value), one.format_spec
        form = form.values if isinstance(form, ast.JoinedStr) else [form] if form else []
        if value and all(isinstance(part, ast.Constant) for part in form):
            shown = {-1: lambda x: x, 115: str, 114: repr, 97: ascii}[one.conversion](value.value)
            try:
                return node_of(format(shown, "".join(part.value for part in form)), one)
            except (TypeError, ValueError):
                return one
        return one


def is_number(value: Literal) -> bool:
    return isinstance(value.value, int | float)


def is_truth(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def says_truth(node: ast.AST) -> bool:
    """Whether an expression can only be True or False, whatever its operands' types."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Compare):
        return all(isinstance(one, ast.Is | ast.IsNot | ast.In | ast.NotIn) for one in node.ops)
    return is_truth(node)


def tested(node: ast.expr) -> ast.expr:
    """The same for a test, where only the truth of the value counts."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.operand = tested(node.operand)
        return node
    if not isinstance(node, ast.BoolOp):
        return node
    ends = isinstance(node.op, ast.Or)
    values = [one for one in map(tested, node.values) if truth(one) is not (not ends)]
    if not values:
        return node_of(not ends, node)
    if any(truth(one) is ends for one in values) and all(pure(one) for one in values):
        return node_of(ends, node)
    if len(values) == 1:
        return values[0]
    node.values = values
    return node

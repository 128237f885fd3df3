"""Whether two programs are one program with other constants."""

import ast
from collections.abc import Iterator
from itertools import zip_longest

__all__ = ["differ_only_in_constants"]


def differ_only_in_constants(a: ast.Module, b: ast.Module) -> str:
    """Empty if they do; else where and how they first differ: `line 3: 'x + 1', not 'x - 1'`.

    What is computed from constants alone is a constant: `0.5 * 3`, `-1`, `(1, 2)`.
    """
    found = next(differences(a, b), None)
    if found is None:
        return ""
    line, one, other = found
    return f"line {line}: {shown(one)}, not {shown(other)}"


def differences(a: object, b: object, line: int = 1) -> Iterator[tuple[int, object, object]]:
    """The innermost pairs that differ, each with the line of the first in its own source."""
    if isinstance(a, ast.AST):
        line = getattr(a, "lineno", line)
        if constant(a) and constant(b):
            return
        if type(a) is not type(b):
            yield line, a, b
            return
        for field in a._fields:
            one, other = getattr(a, field, None), getattr(b, field, None)
            if isinstance(one, ast.AST | list) or isinstance(other, ast.AST | list):
                yield from differences(one, other, line)
            elif one != other:
                yield line, a, b
                return
    elif isinstance(a, list) and isinstance(b, list):
        for one, other in zip_longest(a, b):
            yield from differences(one, other, line)
    elif a != b:
        yield getattr(b, "lineno", line), a, b


def constant(node: object) -> bool:
    """Whether nothing but constants is in an expression."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp():
            return constant(node.operand)
        case ast.BinOp():
            return constant(node.left) and constant(node.right)
        case ast.Tuple():
            return all(map(constant, node.elts))
    return False


def shown(node: object) -> str:
    """The first line of its text, short enough to read."""
    if node is None:
        return "nothing"
    try:
        text = ast.unparse(node).partition("\n")[0]
    except (AttributeError, TypeError, ValueError):
        text = ""
    text = text or type(node).__name__
    return repr(text if len(text) <= 60 else f"{text[:57]}...")

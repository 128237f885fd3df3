"""The tree as text, in few characters, and alike on every Python that is supported."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["print_tree", "tidy"]


def tidy(tree: ast.Module) -> ast.Module:
    """Write what means the same in fewer words: imports together, no `pass`, no `return None`."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, tidy_suite(statements, node))
        if isinstance(node, ast.ClassDef):
            node.bases = [one for one in node.bases if getattr(one, "id", "") != "object"]
        elif isinstance(node, ast.arguments) and not node.kwarg:
            node.args[:0], node.posonlyargs = node.posonlyargs, []
        elif isinstance(node, ast.Return) and is_none(node.value):
            node.value = None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            last = node.body[-1]
            if (isinstance(last, ast.Return) and last.value is None) or is_none_return(last):
                node.body = node.body[:-1] or [nothing(last)]
    return tree


def is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def is_none_return(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return) and is_none(node.value)


def nothing(node: ast.AST) -> ast.Expr:
    return ast.copy_location(ast.Expr(ast.copy_location(ast.Constant(0), node)), node)


def tidy_suite(statements: list[ast.stmt], owner: ast.AST) -> list[ast.stmt]:
    done: list[ast.stmt] = []
    for one in statements:
        last = done[-1] if done else None
        if isinstance(one, ast.Pass):
            continue
        if (isinstance(one, ast.Import) and isinstance(last, ast.Import)) or (
            isinstance(one, ast.ImportFrom)
            and isinstance(last, ast.ImportFrom)
            and (one.module, one.level) == (last.module, last.level)
            and all(alias.name != "*" for alias in [*one.names, *last.names])
        ):
            last.names += one.names
        else:
            done.append(one)
    empty = statements and not done and not isinstance(owner, ast.Module)
    return [nothing(statements[0])] if empty else done


def print_tree(tree: ast.Module) -> str:
    """The text of the tree, which parses to the same tree on Python 3.11 and later."""
    from python_minifier import unparse

    ast.fix_missing_locations(tree)
    with plain_f_strings():
        return escaped(unparse(tree))


def escaped(text: str) -> str:
    """Letters beyond ASCII as escapes, where all of them stand in texts that take escapes."""
    plain = text.encode("ascii", "backslashreplace").decode("ascii")
    try:
        same = plain == text or ast.dump(ast.parse(plain)) == ast.dump(ast.parse(text))
    except SyntaxError:
        return text
    return plain if same else text


@contextmanager
def plain_f_strings() -> Iterator[None]:
    """Quotes inside f-strings as Python 3.11 reads them: from 3.12 on they would be nested."""
    from python_minifier.expression_printer import ExpressionPrinter
    from python_minifier.f_string import OuterFString

    def visit(self, node):
        self.printer.fstring(str(OuterFString(node, pep701=False)))

    usual = ExpressionPrinter.visit_JoinedStr
    ExpressionPrinter.visit_JoinedStr = visit
    try:
        yield
    finally:
        ExpressionPrinter.visit_JoinedStr = usual

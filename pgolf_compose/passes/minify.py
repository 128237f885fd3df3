"""Print a script in the fewest characters: no comments, docstrings or annotations, short names."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["minify", "printed"]


def minify(code: str, imported: bool = False) -> str:
    """The same program as python-minifier writes it, alike on every Python.

    What other files import keeps the names that they may know. Literals are not hoisted: that
    shortens the text and lengthens it once compressed.
    """
    import python_minifier

    with plain_f_strings():
        return python_minifier.minify(
            code,
            remove_annotations=True,
            remove_literal_statements=True,
            hoist_literals=False,
            rename_globals=not imported,
        )


def printed(code: str) -> tuple[ast.Module, str]:
    """The tree that is printed, its nodes with the lines of `code`, and the text."""
    import python_minifier

    trees, unparse = [], python_minifier.unparse

    def watched(tree, **options):
        trees.append(tree)
        return unparse(tree, **options)

    python_minifier.unparse = watched
    try:
        text = minify(code)
    finally:
        python_minifier.unparse = unparse
    return trees[-1], text


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

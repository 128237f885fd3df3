"""Print a script in the fewest characters: no comments, docstrings or annotations, short names."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["minify"]


def minify(code: str) -> str:
    """The same program as python-minifier writes it, alike on every Python.

    Literals are not hoisted: that shortens the text and lengthens it once compressed.
    """
    import python_minifier

    with plain_f_strings():
        return python_minifier.minify(
            code,
            remove_annotations=True,
            remove_literal_statements=True,
            hoist_literals=False,
            rename_globals=True,
        )


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

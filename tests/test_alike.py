"""What is one program with other constants, and what is not."""

import ast

import pytest

from pgolf_compose.alike import differ_only_in_constants

PROGRAM = """
import math
SIZES = (3, -1, 0.5)
def f(x, n=2):
    for i in range(4):
        x[i, 1:n] = x[i - 1] * 0.5 + math.sin(x[-1])
    return f"{x:>8}" if x is not None else ""
"""


def compared(a: str, b: str) -> str:
    return differ_only_in_constants(ast.parse(a), ast.parse(b))


@pytest.mark.parametrize(
    "old, new",
    [
        ("4", "4000"),
        ("SIZES = (3, -1, 0.5)", "SIZES = ()"),
        ("SIZES = (3, -1, 0.5)", "SIZES = None"),
        ("n=2", "n=0.5 * (3 + 2**7)"),
        ("0.5 + math", "-7 + math"),
        ("x[-1]", "x[7]"),
        ('""', "b'y'"),
        (":>8", ":<9"),
        ("\ndef", "\n\n\n# a remark\ndef"),
        ("x[i - 1] * 0.5", "(x[i - 1] * 0.5)"),
    ],
)
def test_other_constants_make_no_other_program(old, new):
    changed = PROGRAM.replace(old, new)
    assert changed != PROGRAM
    assert compared(PROGRAM, changed) == compared(changed, PROGRAM) == ""


@pytest.mark.parametrize(
    "old, new, told",
    [
        ("math.sin", "math.cos", "line 6: 'math.sin', not 'math.cos'"),
        ("x[i - 1]", "x[i + 1]", "line 6: 'Sub', not 'Add'"),
        ("range(4)", "range(x)", "line 5: '4', not 'x'"),
        ("range(4)", "range(4, 5)", "line 5: nothing, not '5'"),
        ("range(4)", "range(stop=4)", "line 5: '4', not nothing"),
        ("1:n", ":n", "line 6: '1', not nothing"),
        ("n=2", "m=2", "line 4: 'n', not 'm'"),
        ("n=2", "n", "line 4: '2', not nothing"),
        ("0.5 + math", "0.5 * n + math", "line 6: 'x[i - 1]', not 'x[i - 1] * 0.5'"),
        ("SIZES = (3,", "SIZES = (n,", "line 3: '3', not 'n'"),
        (" is not ", " is ", "line 7: 'IsNot', not 'Is'"),
        ("import math", "import cmath as math", "line 2: 'math', not 'cmath as math'"),
        ("    return", "    pass\n    return", "line 7: ..."),
        ("def f", "async def f", "line 4: ..."),
        (":>8", ":>{n}", "line 7: ..."),
        ("SIZES = (3, -1, 0.5)", "SIZES = [3, -1, 0.5]", "line 3: '(3, -1, 0.5)', not '[3..."),
    ],
)
def test_anything_else_does(old, new, told):
    changed = PROGRAM.replace(old, new)
    assert compared(PROGRAM, changed).startswith(told.partition("...")[0])
    assert compared(changed, PROGRAM)

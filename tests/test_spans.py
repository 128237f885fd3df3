"""Each character of a small text is from a line of the readable one, and costs some bits."""

import ast

import pytest

from pgolf_compose.spans import costs, spans

READABLE = """
import math


@staticmethod
def area(radius, *, scale=-1):
    if radius > 0:
        return (
            math.pi
            * radius
        )
    return f"{radius} é"
"""
SMALL = """import math as a
@staticmethod
def b(c,*,d=-1):
\tif c>0:return a.pi*c
\treturn f"{c} é"
"""


def told(tree, text):
    lines = READABLE.split("\n")
    return [(text[start:end], lines[line - 1].strip()) for start, end, line in spans(tree, text)]


def test_each_stretch_has_the_line_it_came_from():
    assert told(ast.parse(READABLE), SMALL) == [
        ("import math as a\n@", "import math"),
        ("staticmethod\n", "@staticmethod"),
        ("def b(c,*,d=-1):\n\t", "def area(radius, *, scale=-1):"),
        ("if c>0:", "if radius > 0:"),
        ("return ", "return ("),
        ("a.pi*", "math.pi"),
        ("c", "* radius"),
        ("\n\t", "def area(radius, *, scale=-1):"),
        ('return f"{c} é"\n', 'return f"{radius} é"'),
    ]


def test_what_has_no_line_or_another_shape_goes_with_what_is_around_it():
    tree = ast.parse(READABLE)
    condition, last = tree.body[1].body
    condition.test = ast.Constant(True)
    last.value = ast.copy_location(ast.Constant(-7), last.value)
    found = told(tree, SMALL.replace("c>0", "True").replace('f"{c} é"', "-7"))
    assert ("if True:", "if radius > 0:") in found
    assert ("return -7\n", 'return f"{radius} é"') in found


def test_every_character_of_a_script_is_somebody_s(baseline):
    tree, text = baseline.shrunk
    found = spans(tree, text)
    assert [0, *(end for _, end, _ in found)] == [*(start for start, _, _ in found), len(text)]
    # a string or a number is on the line it came from, whatever else has been renamed
    lines = baseline.script.lines
    for start, end, line in found:
        for word in ("GPT", "torch", "final_model", "fineweb"):
            if word in text[start:end]:
                assert any(word in one for one in lines[line - 1 : line + 12]), text[start:end]


def test_what_was_there_before_is_cheap():
    text = "def forward(self, x):\n    return self.proj(x)\n"
    once, twice = sum(costs(text)), sum(costs(text + text))
    assert 0.2 * once > twice - once > 0


def test_costs_are_those_of_counts():
    # nothing seen: 7 bits; "a" after "a": in no context of one, then 1 of 1 seen and 1 to give way
    assert costs("aa") == pytest.approx([7, 1])
    # after "aa", of one symbol seen twice: 1 of 3 to give way, then the same in the shorter one
    assert costs("aab")[2] == pytest.approx(1 + 1.5849625 + 7)

"""Scripts compared function by function: what is a difference, and what is none."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pgolf_compose.diff.alignment import aligned, in_order
from pgolf_compose.diff.programs import compare_programs
from pgolf_compose.diff.readings import changed, readings

SCRIPTS = Path(__file__).parent / "scripts"

STEP = """
import torch
from torch import nn

SCALE = 0.5

def scaled(x, by):
    total = x - by
    return total * SCALE

class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.inner = nn.Linear(dim, dim)

    def forward(self, x):
        for layer in range(3):
            x = self.inner(x) + layer
        return scaled(x, 1.0)
"""


def told(a: str, b: str) -> list[str]:
    """`changed Net.forward`, `renamed f -> g`."""
    found = compare_programs(ast.parse(a), ast.parse(b))
    return [
        f"{one.kind} {' -> '.join(filter(None, dict.fromkeys((one.name, one.other))))}"
        for one in found.changes
    ]


def edited(*pairs: tuple[str, str]) -> str:
    text = STEP
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    "pairs",
    [
        [("total", "rest")],  # a local variable
        [("(x, by)", "(a, b)"), ("x - by", "a - b")],
        [("(x, by)", "(by, x)"), ("x - by", "by - x")],  # names swapped throughout
        [("for layer in range(3):", "for n in range(3): # thrice"), ("+ layer", "+ n")],
        [("    total = x", '    """The rest."""\n    total = x')],
        [("(x, by):", "(x: torch.Tensor, by: float) -> torch.Tensor:")],
        [("import torch\n", "import torch as t\n")],
        [("from torch import nn", "from torch import nn as layers"), ("nn.", "layers.")],
        [("return total * SCALE", "return (\n        total * SCALE\n    )")],
        [("0.5", "5e-1")],
    ],
)
def test_formatting_words_and_names_of_local_variables_are_no_difference(pairs):
    assert told(STEP, edited(*pairs)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("0.5", "0.25", "changed (module)"),
        ("x - by", "by - x", "changed scaled"),
        ("x - by", "x + by", "changed scaled"),
        ("x - by", "x - x", "changed scaled"),
        ("1.0)", "1)", "changed Net.forward"),
        ("(dim, dim)", "(dim, dim, bias=False)", "changed Net.__init__"),
        ("        return scaled", "            return scaled", "changed Net.forward"),
        ("nn.Module", "nn.Sequential", "changed Net"),
        ("from torch import nn", "from other import nn", "changed (module)"),
    ],
)
def test_what_a_function_computes_is_a_difference(old, new, expected):
    assert expected in told(STEP, edited((old, new)))


def test_a_name_that_stands_for_two_others_is_a_difference():
    a = "def f(x):\n    a = x\n    b = x\n    a = a + 1\n    return a\n"
    b = "def f(x):\n    a = x\n    a = x\n    a = a + 1\n    return a\n"
    assert told(a, b) == told(b, a) == ["changed f"]


def test_how_much_of_a_function_changed_is_told():
    b = edited(
        ("        return scaled(x, 1.0)", "        x = x.float()\n        return scaled(x, 2.0)")
    )
    [one] = compare_programs(ast.parse(STEP), ast.parse(b)).changes
    assert (one.name, one.removed, one.added) == ("Net.forward", 1, 2)
    assert 0.6 < one.same < 0.8


def test_a_parameter_that_calls_name_is_part_of_a_function():
    a = "def f(a, b):\n    return a - b\n\nprint(f(a=1, b=2))\n"
    b = "def f(b, a):\n    return b - a\n\nprint(f(a=1, b=2))\n"
    assert told(a, b) == ["changed f"]
    positional = [text.replace("a=1, b=2", "1, 2") for text in (a, b)]
    assert told(*positional) == []


def test_functions_are_matched_by_name_before_they_are_by_body():
    a = "def f(x):\n    return x * 2\n\ndef g(x):\n    return x * 2\n"
    b = "def g(x):\n    return x * 2\n\ndef f(x):\n    return x * 3\n"
    assert told(a, b) == ["changed f"] or told(a, b) == ["changed f", "moved g"]


def test_a_function_of_another_name_or_place_is_found_again():
    assert told(STEP, edited(("scaled", "shrink"))) == ["renamed scaled -> shrink"]
    assert told(STEP, edited(("Net", "Model"))) == ["renamed Net -> Model"]
    a, b = "def f():\n    return 1\n\n", "def g():\n    return 2\n\n"
    assert told(a + b, b + a) in (["moved f"], ["moved g"])
    method = (
        "    def halves(self, x):\n        low, high = x.chunk(2)\n        return high - low, x\n"
    )
    one, other = f"class A:\n    n = 1\n{method}", "class B:\n    n = 2\n"
    assert told(f"{one}{other}", f"class A:\n    n = 1\n{other}{method}") == [
        "moved A.halves -> B.halves"
    ]


def test_a_function_that_is_renamed_and_changed_is_changed():
    longer = ("total = x - by", "low = x.amin()\n    high = x.amax()\n    total = high - low - by")
    a, b = edited(longer), edited(longer, ("scaled", "shrink"), ("* SCALE", "* SCALE + 1"))
    assert told(a, b) == ["changed scaled -> shrink"]


def test_a_whole_class_is_added_at_once():
    more = "\nclass Clock:\n    def start(self):\n        return 1\n\n    def stop(self):\n        return 2\n"
    assert told(STEP, STEP + more) == ["added Clock"]
    assert told(STEP + more, STEP) == ["removed Clock"]


@pytest.mark.parametrize("name", ["record_like", "late_record"])
def test_what_a_minifier_makes_of_a_script_is_the_same_program(name):
    text = (SCRIPTS / f"{name}.py").read_text()
    # in a process of its own: it hangs its trees on nodes that all trees of a process share
    minify = "import python_minifier, sys; print(python_minifier.minify(sys.stdin.read(), "
    minify += "rename_globals=True, remove_annotations=False, hoist_literals=True))"
    call = [sys.executable, "-c", minify]
    small = subprocess.run(call, input=text, capture_output=True, text=True, check=True).stdout
    found = compare_programs(ast.parse(text), ast.parse(small))
    assert found.changes == () and found.same > 5


def test_a_change_shows_through_names_that_were_made_short(late):
    text, small = late
    assert not compare_programs(ast.parse(text), ast.parse(small)).changes
    for old, new in (
        ("second * cos - first * sin", "second * sin - first * cos"),
        ("x.size(-1) // 2", "x.size(-1) // 3"),
    ):
        assert text.count(old) == 1
        changed = ast.parse(text.replace(old, new))
        [one] = compare_programs(changed, ast.parse(small)).changes
        assert (one.kind, one.name, one.removed) == ("changed", "apply_rotary_emb", 1)


CALLS = """
def less(value, by):
    return value - by

class Pair:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def between(self, one, two):
        return self.low < one - two < self.high

print(less(value=1, by=2), Pair(low=3, high=4).between(one=5, two=6))
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("value=1, by=2", "by=1, value=2", {"(module)"}),
        ("low=3, high=4", "high=3, low=4", {"(module)"}),
        ("one=5, two=6", "two=5, one=6", {"(module)"}),
        ("(value, by)", "(by, value)", {"(module)", "less"}),
        ("two=6", "two=6", set()),
    ],
)
def test_keywords_give_the_same_parameters_whatever_those_are_called(old, new, changed):
    letters = "bcdghjklmnopqrtuvwxyz"
    long, small = "", CALLS
    for one in letters:
        long += f"more_{one}, other_{one} = print({one!r})\n"
    short = long.replace("more_", "e").replace("other_", "f")
    names = ["less", "value", "by", "Pair", "between", "one", "two"]
    for name, one in zip(names, letters, strict=False):
        small = re.sub(rf"\b{name}\b", one, small)
    assert old in CALLS
    found = compare_programs(ast.parse(long + CALLS.replace(old, new)), ast.parse(short + small))
    assert found.by_structure and {one.name for one in found.changes} == changed


@pytest.fixture(scope="module")
def late():
    """A script, and itself with a letter or two for each name that it gives, but for attributes."""
    from pgolf_compose.passes.docstrings import docstrings
    from pgolf_compose.passes.names import rename

    text = (SCRIPTS / "late_record.py").read_text()
    text = text[: text.index("\nif __name__")] + "\nmain()\n"
    return text, ast.unparse(rename(docstrings(ast.parse(text))))


def test_two_long_scripts_are_compared_in_seconds(late):
    one, other = (re.sub(r"\b(def|class) (\w+)", rf"\1 \2{n}", late[0]) for n in ("A", "B"))
    a, b = late[0] + one + other, late[0] + other + one
    start = time.perf_counter()
    assert compare_programs(ast.parse(a), ast.parse(b)).same > 150
    assert len(a.splitlines()) > 2900 and time.perf_counter() - start < 10


READS = """
import os
from os import environ as env, getenv as g
E = os.environ.get
def number(name, default=0): return float(os.environ.get(name, default))
rate = float(os.environ.get("RATE", 0.04))
steps = int(E("STEPS", "2_000"))
size = int(env.get("SIZE", 1024 * 512))
path = g("A_PATH", f"{rate}/x")
decay = number("DECAY", 1e-8)
zero = number("ZERO")
must = os.environ["MUST"]
on = bool(int(g("ON", default="1")))
"""


def test_what_a_script_reads_from_its_environment_is_found_in_all_forms():
    found = {name: one.defaults for name, one in readings(ast.parse(READS)).items()}
    assert found == {
        "RATE": ("0.04",),
        "STEPS": ("2_000",),
        "SIZE": ("524288",),
        "A_PATH": ("f'{rate}/x'",),
        "DECAY": ("1e-08",),
        "ZERO": ("0",),
        "MUST": (),
        "ON": ("1",),
    }


def test_a_helper_that_takes_several_names_is_known_whatever_it_is_called():
    text = """
import os
def e(n, d, least=0):
    k = next((one for one in n.split() if one in os.environ), None)
    return d if k is None else max(least, type(d)(os.environ[k]))
rate = e("RATE LR", 0.04)
"""
    [one] = readings(ast.parse(text)).values()
    assert (one.names, one.defaults) == (("RATE", "LR"), ("0.04",))


def test_names_and_defaults_that_a_minifier_hoisted_are_read():
    text = "import os\n_A='RATE'\n_B=0.04\nx=float(os.environ.get(_A,_B))\n"
    assert readings(ast.parse(text))["RATE"].defaults == ("0.04",)


def test_defaults_are_compared_as_values():
    a = 'import os\nx = os.environ.get("X", "0.04")\ny = os.environ.get("Y", 1)\n'
    b = 'import os\nx = os.environ.get("X", 4e-2)\nz = os.environ.get("Z", 2)\n'
    found = changed(readings(ast.parse(a)), readings(ast.parse(b)))
    assert [(one.name, one.before, one.after) for one in found] == [
        ("Y", "1", None),
        ("Z", None, "2"),
    ]


def test_lines_are_aligned_in_order():
    a, b = list("abcde"), list("xbdye")
    assert [a[i] for i, _ in aligned(a, b)] == ["b", "d", "e"]
    assert aligned([], b) == []
    assert in_order([5, 1, 2, 9, 3]) == [1, 2, 4]
    long = [f"line {n}" for n in range(3000)]
    changed = [*long[:1000], "new", *long[1001:]]
    assert len(aligned(long, changed)) == 2999


def test_long_texts_of_the_same_few_lines_are_aligned_in_bounded_time():
    a, b = ([str(n * step % 97) for n in range(20_000)] for step in (7, 11))
    start = time.perf_counter()
    aligned(a, b)
    assert time.perf_counter() - start < 10

"""Docstrings, attributes, names and printing: what goes in, and what comes out."""

import ast
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from pgolf_compose.passes import shrink_names
from pgolf_compose.passes.attributes import PRIVATE, add_attributes, foreign
from pgolf_compose.passes.docstrings import docstrings
from pgolf_compose.passes.names import kept_names, rename
from pgolf_compose.passes.printing import print_tree, tidy
from pgolf_compose.passes.scopes import Scopes

SCRIPTS = Path(__file__).parent / "scripts"


def after(one, text: str) -> str:
    return ast.unparse(one(ast.parse(text)))


@pytest.mark.parametrize(
    "before, expected",
    [
        ('"""Of the module."""\nx = 1', "x = 1"),
        ('def f(a: int = 2) -> str:\n    """Of f."""\n    return a', "def f(a=2):\n    return a"),
        ('def f():\n    """Of f."""', "def f():\n    0"),
        ("class A:\n    x: int = 3\n    y: str", "class A:\n    x = 3"),
        ("def f():\n    x: int\n    x = 1", "def f():\n    x = 1"),
        ("if a:\n    'note'\nelse:\n    ...", "if a:\n    0"),
        ("from __future__ import annotations\nx: list[str] = []", "x = []"),
    ],
)
def test_docstrings_and_annotations_go(before, expected):
    assert after(docstrings, before) == expected


@pytest.mark.parametrize(
    "text",
    [
        "@dataclass\nclass A:\n    x: int = 3",
        "class A(NamedTuple):\n    x: int = 3",
        "class B(BaseModel):\n    x: int = 3\n\nclass A(B):\n    y: int = 3",
        "@torch.library.custom_op('a::b', mutates_args=())\ndef f(x: Tensor) -> Tensor:\n    return x",
        "@triton.jit\ndef f(x, n: tl.constexpr):\n    pass",
        "N: tl.constexpr = 3",
        "def f(x: int):\n    pass\nprint(f.__annotations__)",
        "def f(x: int):\n    pass\ntorch.library.custom_op('a::b', f)",
        "import typer\n\ndef f(x: int):\n    pass\ntyper.run(f)",
        'def f():\n    """Shown."""\nprint(f.__doc__)',
        '@app.command()\ndef f():\n    """Shown as help."""',
        "def f():\n    x: int\n    print(x)",
    ],
)
def test_what_is_read_at_run_time_stays(text):
    assert after(docstrings, text) == ast.unparse(ast.parse(text))


@pytest.mark.parametrize(
    "before, expected",
    [
        ("import a\nimport b\nfrom c import d\nfrom c import e", "import a, b\nfrom c import d, e"),
        ("def f():\n    pass", "def f():\n    0"),
        ("if x:\n    y()\n    pass", "if x:\n    y()"),
        ("class A(object):\n    x = 1", "class A:\n    x = 1"),
        ("def f():\n    g()\n    return None", "def f():\n    g()"),
        (
            "def f(x):\n    if x:\n        return None\n    g()",
            "def f(x):\n    if x:\n        return\n    g()",
        ),
        ("def f(x, /, y):\n    return x", "def f(x, y):\n    return x"),
        ("def f(x, /, **y):\n    return x", "def f(x, /, **y):\n    return x"),
    ],
)
def test_tidy_says_the_same_in_fewer_words(before, expected):
    assert after(tidy, before) == expected


def test_a_tree_is_printed_and_read_back_alike():
    text = """print(f"{d['a']}{x!r:>{w}}", [*a, -1], lambda: (yield))"""
    assert print_tree(ast.parse(text)) == """print(f"{d['a']}{x!r:>{w}}",[*a,-1],lambda:(yield))"""


def own(text: str, parameters: bool = False) -> list[str]:
    """The attributes that may be renamed."""
    tree = ast.parse(text)
    scopes = Scopes(tree)
    add_attributes(tree, scopes, parameters)
    return sorted(scopes.all[-1].bindings)


LOADER = """
class Loader:
    stride_length = 4
    def __init__(self, h): self.shard_files = h; self.shape = 3
    def next_batch(self): return self.shard_files[: self.stride_length]
"""


def test_attributes_of_own_classes_may_change():
    # `shape` is one of arrays as well
    assert own(LOADER) == ["next_batch", "shard_files", "stride_length"]


@pytest.mark.parametrize(
    "line, kept",
    [
        ("print(getattr(x, 'next_batch'))", {"next_batch"}),
        ("f(stride_length=3)", {"stride_length"}),
        ("import torch\ntorch.stride_length = 3", {"stride_length"}),
        ("print(vars(Loader))", {"stride_length", "next_batch", "shard_files"}),
        ("for name in names: setattr(x, name, 1)", {"stride_length", "next_batch", "shard_files"}),
        ("exec(code)", {"stride_length", "next_batch", "shard_files"}),
        ("parser.add_argument('--stride-length')", {"stride_length"}),
        ("log(f'stride_length: {x}')", set()),
        ("def log(h):\n    for key in vars(type(h)): print(h.rank, key)", set()),
        ("class More(Foreign, Loader):\n    shard_files = 1", {"shard_files"}),
    ],
)
def test_attributes_that_may_be_asked_for_stay(line, kept):
    names = {"stride_length", "next_batch", "shard_files"}
    assert set(own(f"{LOADER}\n{line}\n")) == names - kept


MODEL = """
class Block(nn.Module):
    def __init__(self, dim, use_gate):
        self.attn_norm = Norm(dim)
        self.gate_scale = nn.Parameter(torch.ones(dim))
        self.half_dim = dim // 2
        self.use_gate = use_gate
    def feed(self, x): return self.attn_norm(x) * self.gate_scale
"""


def test_names_in_a_state_dict_change_only_where_asked_for():
    assert own(MODEL) == ["half_dim", "use_gate"]  # `feed` is a name of the standard library
    assert own(MODEL, parameters=True) == ["attn_norm", "gate_scale", "half_dim", "use_gate"]
    text = f"{MODEL}\nprint('attn' in name)"
    assert own(text, parameters=True) == ["gate_scale", "half_dim", "use_gate"]


def test_renaming_tells_the_new_names():
    told = {}
    text = print_tree(rename(ast.parse(MODEL), parameters=True, told=told))
    assert set(told) == {"attn_norm", "gate_scale", "half_dim", "use_gate"}
    assert all(f".{new}" in text for new in told.values())


def test_foreign_names_are_sorted_and_short():
    names = (Path(__file__).parents[1] / "pgolf_compose/passes/foreign.txt").read_text().split()
    assert names == sorted(set(names)) and foreign() - PRIVATE == set(names)
    assert {"param_groups", "in_features", "state_dict", "reshape", "startswith"} <= foreign()


@pytest.mark.parametrize(
    "before, expected",
    [
        ("def area(width, height): return width * height", "def e(e, a):\n    return e * a"),
        # known calls take their keywords along
        ("def f(width): return width\nf(width=1)", "def e(e):\n    return e\ne(e=1)"),
        # others keep the parameter
        (
            "class A:\n    def f(self, wide): return wide\nx.f(wide=1)",
            "class e:\n\n    def f(e, wide):\n        return wide\nx.f(wide=1)",
        ),
        ("print(word, undefined)", "print(word, undefined)"),
        ("__all__ = ['word']\nword = 1", "__all__ = ['word']\nword = 1"),
        ("import numpy", "import numpy"),
        ("words = [word for word in x]", "e = [e for e in x]"),
        (
            "def f():\n    count = 0\n    def g():\n        nonlocal count\n        count += 1\n    g()",
            "def e():\n    e = 0\n\n    def a():\n        nonlocal e\n        e += 1\n    a()",
        ),
        (
            "class A:\n    word = 1\n    def f(self): return word\nword = 2",
            "class a:\n    a = 1\n\n    def f(a):\n        return e\ne = 2",
        ),
    ],
)
def test_names_become_letters(before, expected):
    assert after(rename, before) == expected


@pytest.mark.parametrize(
    "text, told",
    [
        ("def f(width):\n    return eval('width')", "eval()"),
        ("def f(width):\n    return locals()", "locals()"),
        ("width = 1\nprint(globals())", "globals()"),
        ("from math import *\nwidth = pi", "from math import *"),
        ("import sys\nwidth = sys.modules[__name__]", "sys.modules"),
    ],
)
def test_what_can_be_asked_for_by_name_stays_and_is_told(text, told):
    assert "width" in after(rename, text)
    assert [one for one, _ in kept_names(ast.parse(text))] == [told]


def test_a_scope_that_nothing_can_ask_keeps_being_renamed():
    text = "def f(): return globals()\ndef g(width): return width"
    assert after(rename, text) == "def f():\n    return globals()\n\ndef g(f):\n    return f"


def all_scripts():
    for path in sorted(SCRIPTS.glob("*.py")):
        slow = [pytest.mark.exhaustive] if "import torch" in path.read_text() else []
        yield pytest.param(path, id=path.stem, marks=slow)


@pytest.mark.parametrize("script", list(all_scripts()))
def test_a_shrunk_script_prints_the_same(script, tmp_path):
    small = tmp_path / script.name
    small.write_text(shrink_names(ast.parse(script.read_text()))[1], encoding="utf-8")
    plain, shrunk = (
        subprocess.run([sys.executable, path], capture_output=True, text=True)
        for path in (script, small)
    )
    assert plain.returncode == 0 and plain.stdout
    assert shrunk.stdout == plain.stdout and shrunk.stderr == plain.stderr


def test_the_printed_tree_has_the_shape_of_the_one_before_printing():
    tree = ast.parse((SCRIPTS / "reads_names.py").read_text())
    for one in (docstrings, tidy, rename):
        tree = one(tree)
    again = ast.parse(print_tree(tree))
    for old, new in itertools.zip_longest(ast.walk(tree), ast.walk(again)):
        assert type(old) is type(new)


def test_bytes_do_not_depend_on_the_order_of_sets():
    code = "import ast,sys;from pgolf_compose.passes import shrink_names as s;print(s(ast.parse(open(sys.argv[1]).read()))[1])"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code, SCRIPTS / "reads_names.py"],
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1

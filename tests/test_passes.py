"""Each pass about values: what it makes of an example, and what it must leave alone."""

import ast
import textwrap

import pytest

from pgolf_compose.errors import ComposeError
from pgolf_compose.passes import VALUES, simplify
from pgolf_compose.passes.branches import drop_dead_branches
from pgolf_compose.passes.constants import (
    dissolve_values,
    propagate_arguments,
    propagate_attributes,
    propagate_names,
    split_assignments,
)
from pgolf_compose.passes.defaults import drop_defaults
from pgolf_compose.passes.fold import fold
from pgolf_compose.passes.freeze import freeze, names_read, overridden
from pgolf_compose.passes.inline import inline_functions, inline_locals
from pgolf_compose.passes.positional import place_arguments
from pgolf_compose.passes.straighten import straighten
from pgolf_compose.passes.unused import drop_unused


def text(code):
    return ast.unparse(ast.parse(textwrap.dedent(code))) if isinstance(code, str) else code


def after(one, before):
    return ast.unparse(one(ast.parse(textwrap.dedent(before))))


EXAMPLES = {
    "place: keywords of known callees, and defaults that every call overrides": (
        place_arguments,
        "def f(a, b=1, c=2):\n    return a + b + c\nprint(f(0, b=x), f(a=g(), b=3, c=h()))",
        "def f(a, b, c=2):\n    return a + b + c\nprint(f(0, x), f(g(), 3, h()))",
    ),
    "place: a constructor's": (
        place_arguments,
        "class A(Module):\n    def __init__(self, a, b):\n        pass\nA(b=1, a=2)",
        "class A(Module):\n    def __init__(self, a, b):\n        pass\nA(2, 1)",
    ),
    "place: not past calls that would change their order": (
        place_arguments,
        "def f(a, b):\n    pass\nf(b=g(), a=h())\ng(a=1)\n@wrapped\ndef g(a):\n    pass",
        None,
    ),
    "unused: values of modules that only messages name": (
        drop_unused,
        "class A(nn.Module):\n    def __init__(self):\n        self.dim = 8\nA()\nprint('dim: 8')",
        "class A(nn.Module):\n    def __init__(self):\n        pass\nA()\nprint('dim: 8')",
    ),
    "unused: not what may be asked for by a name that is made up": (
        drop_unused,
        "class A:\n    def __init__(self):\n        self.dim = 8\ngetattr(A(), name + ' dim'[1:])",
        None,
    ),
    "unused: not what a module's base asks for": (
        drop_unused,
        "class A(nn.Module):\n    def _save_to_state_dict(self):\n        print(1)\nA().save()",
        None,
    ),
    "attributes: of modules handed to functions and through .to()": (
        propagate_attributes,
        """
        class A(nn.Module):
            def __init__(self):
                self.head = None
        def f(n, model):
            return model.head is None
        made = A().to(device)
        f(1, made)
        """,
        """
        class A(nn.Module):
            def __init__(self):
                self.head = None
        def f(n, model):
            return None is None
        made = A().to(device)
        f(1, made)
        """,
    ),
    "split: a pair whose values cannot see each other": (
        split_assignments,
        "def f(x):\n    a, b = 1, g(x)\n    return a + b",
        "def f(x):\n    a = 1\n    b = g(x)\n    return a + b",
    ),
    "split: not a swap": (split_assignments, "a, b = b, a", None),
    "split: not where a function in it reads the variable meanwhile": (
        split_assignments,
        "def f():\n    def g():\n        return a\n    a, b = 1, g()",
        None,
    ),
    "fold: arithmetic, comparisons, builtins, texts": (
        fold,
        """
        x = 2 * 3 + 1
        y = max(1, 5) if 3 > 2 else 0
        z = f"sp{8192}_{0.5:.2f}" + "!"
        w = "a,b".split(",")
        v = not 4 <= 5 < 11
        u = None is not None
        """,
        """
        x = 7
        y = 5
        z = "sp8192_0.50!"
        w = ["a", "b"]
        v = False
        u = False
        """,
    ),
    "fold: what is known in a test": (
        fold,
        "if a and True or False:\n    b = c or 0 or 5",
        "if a:\n    b = c or 5",
    ),
    "fold: the value of `and` is no truth": (fold, "b = a and True", None),
    "fold: powers of floats are the C library's": (fold, "x = 0.5 ** 0.5\ny = 1e300 * 1e300", None),
    "fold: a text many times over": (fold, "x = 'ab' * 3", None),
    "fold: an error stays for the run": (fold, "x = 1 / 0\ny = int('x')", None),
    "fold: not what the script calls `max`": (fold, "def max(a): ...\nx = max(3)", None),
    "fold: an f-string in an f-string": (fold, "x = f'a{f\"b{c}\"}'", "x = f'ab{c}'"),
    "branches: decided ones, and what follows a return": (
        drop_dead_branches,
        """
        def f(x):
            if 0:
                return 1
            elif x:
                return 2
                print(x)
            while False:
                pass
            for y in ():
                print(y)
            if x.a:
                pass
        """,
        "def f(x):\n    if x:\n        return 2",
    ),
    "branches: a generator stays one": (
        drop_dead_branches,
        "def f():\n    return\n    yield",
        None,
    ),
    "straighten: a loop of one turn": (
        straighten,
        "for a, b in [(1, x)]:\n    print(a, b)",
        "a, b = (1, x)\nprint(a, b)",
    ),
    "straighten: not one that may be left": (
        straighten,
        "for a in [x]:\n    if a:\n        break",
        None,
    ),
    "straighten: a container built piece by piece": (
        straighten,
        "def f(a):\n    x = []\n    print(a)\n    x.append(a)\n    d = {'k': 1}\n    d['l'] = 2",
        "def f(a):\n    print(a)\n    x = [a]\n    d = {'k': 1, 'l': 2}",
    ),
    "straighten: not one that is read meanwhile": (
        straighten,
        "x = []\ng(x)\nx.append(1)\ny = [1]\ny.append(y)",
        None,
    ),
    "straighten: a value that nothing sees before the next": (
        straighten,
        "x = 0\nif not x:\n    x = 5",
        "x = 0\nif not 0:\n    x = 5",
    ),
    "defaults: what PyTorch takes anyway": (
        drop_defaults,
        "m.load_state_dict(s, strict=True)\nF.cross_entropy(a, b, reduction='mean')",
        "m.load_state_dict(s)\nF.cross_entropy(a, b)",
    ),
    "defaults: not of a method of the script's own": (
        drop_defaults,
        "class A:\n    def normal_(self, mean=1.0): ...\na.normal_(mean=0.0)",
        None,
    ),
    "names: bound once, to a literal": (
        propagate_names,
        "N = 3\ndef f():\n    k = -1.5\n    return lambda: N * k",
        "N = 3\ndef f():\n    k = -1.5\n    return lambda: 3 * -1.5",
    ),
    "names: not bound twice, not a parameter, not global": (
        propagate_names,
        """
        a = 1
        a = 2
        c = 1
        def f(b=3):
            global c
            c = 2
            for d in e:
                d = 5
            return a + b + c + d
        """,
        None,
    ),
    "names: a long text is not repeated": (
        propagate_names,
        "a = 'a text of some length'\nprint(a, a)",
        None,
    ),
    "attributes: always one literal": (
        propagate_attributes,
        """
        class A:
            n = 4
            def __init__(self):
                self.m, self.k = x, 1
                self.j = 2
            def f(self):
                return self.n + self.m + self.j
        """,
        """
        class A:
            n = 4
            def __init__(self):
                self.m, self.k = x, 1
                self.j = 2
            def f(self):
                return 4 + self.m + 2
        """,
    ),
    "attributes: not if set anew, or by name": (
        propagate_attributes,
        "class A:\n    n = 4\n    def f(self):\n        self.n = 5\n        return self.n",
        None,
    ),
    "attributes: not of who knows what": (
        propagate_attributes,
        "class A:\n    n = 4\ndef f(x):\n    return x.n",
        None,
    ),
    "arguments: one literal everywhere, and what nothing reads": (
        propagate_arguments,
        "def f(x, n, m=7, unused=None):\n    return x * n + m\nf(1, 2)\nf(y, n=2, unused=z)",
        "def f(x):\n    return x * 2 + 7\nf(1)\nf(y)",
    ),
    "arguments: not of a function that is handed on": (
        propagate_arguments,
        "def f(n):\n    return n\nf(2)\ng(f)",
        None,
    ),
    "arguments: not what a base class may call": (
        propagate_arguments,
        """
        class A(B):
            def forward(self, n):
                return n
        A().forward(2)
        """,
        None,
    ),
    "arguments: an effect stays": (
        propagate_arguments,
        "def f(unused):\n    return 1\nf(g())",
        None,
    ),
    "dissolve: values become globals, and what hands them on goes without": (
        dissolve_values,
        """
        class H:
            rank = g()
            twice = 2 * rank
        class M:
            def __init__(self, h: H):
                self.h = h
                print(h.rank)
            def f(self):
                return self.h.twice
        h = H()
        M(h)
        """,
        """
        rank = g()
        twice = 2 * rank
        class M:
            def __init__(self, h: H):
                self.h = None
                print(rank)
            def f(self):
                return twice
        h = None
        M(None)
        """,
    ),
    "dissolve: not where the class is used for more": (
        dissolve_values,
        "class H:\n    a = g()\nh = H()\nprint(h.a, vars(h))",
        None,
    ),
    "dissolve: a name that is taken is another": (
        dissolve_values,
        "class H:\n    a = g()\ndef f(a):\n    return a\nprint(H.a)",
        "h_a = g()\ndef f(a):\n    return a\nprint(h_a)",
    ),
    "unused: imports, functions that only call themselves, attributes, locals": (
        drop_unused,
        """
        import os, sys
        from __future__ import annotations
        def f():
            return f()
        class A:
            def __init__(self):
                self.n = 4
            def g(self):
                x = 5
                y = sys.exit()
        A().g()
        """,
        """
        import sys
        from __future__ import annotations
        class A:
            def __init__(self):
                pass
            def g(self):
                sys.exit()
        A().g()
        """,
    ),
    "unused: a module's parts are part of it": (
        drop_unused,
        "class A(nn.Module):\n    def __init__(self):\n        self.fc = nn.Linear(2, 2)\nA()",
        None,
    ),
    "unused: what `globals()` can reach": (drop_unused, "x = 1\nprint(globals())", None),
    "unused: what a text names": (
        drop_unused,
        "class A:\n    def go(self):\n        return 1\ngetattr(A(), 'go')()",
        None,
    ),
    "inline: what only the next statement reads": (
        inline_locals,
        """
        def f(x):
            x = g(x)
            x = x * 2
            y = h(x)
            return y
        """,
        "def f(x):\n    return h(g(x) * 2)",
    ),
    "inline: not past what it could change": (
        inline_locals,
        "def f(a):\n    x = a.pop()\n    return g(a.n, x)",
        None,
    ),
    "inline: not into what may not run, or often": (
        inline_locals,
        """
        def f(a):
            x = g()
            y = a and x
            z = h()
            while z:
                a += 1
            w = g()
            return lambda: w + y
        """,
        None,
    ),
    "inline: not what a closure sees later": (
        inline_locals,
        """
        def f():
            def g():
                return x
            x = 1
            x = h(x)
            return g
        """,
        None,
    ),
    "inline: no texts into an f-string": (
        inline_locals,
        "def f(d):\n    x = d['k']\n    return f'{x}'",
        None,
    ),
    "inline: a copy of what is bound once": (
        inline_locals,
        "def f(a):\n    b = a\n    print(b, b)",
        "def f(a):\n    print(a, a)",
    ),
    "inline: a function that returns an expression": (
        inline_functions,
        "def f(a, b):\n    return a * a + b\ndef main(x):\n    print(f(x, x.n))",
        "def main(x):\n    print(x * x + x.n)",
    ),
    "inline: a function that is called in one place": (
        inline_functions,
        """
        def f(a):
            for n in a:
                print(n)
            return n
        def main(n):
            m = f(g(n))
            return m + n
        """,
        """
        def main(n):
            a = g(n)
            for n_2 in a:
                print(n_2)
            m = n_2
            return m + n
        """,
    ),
    "inline: a function with a guard": (
        inline_functions,
        "def f(a):\n    if not a:\n        return\n    g(a)\ndef main(x):\n    f(x)",
        "def main(x):\n    if not not x:\n        g(x)",
    ),
    "inline: not a generator, not twice, not decorated, not itself": (
        inline_functions,
        """
        def f():
            yield 1
        def g():
            return 1
        @torch.no_grad()
        def h():
            return 1
        def r():
            return r()
        def main():
            f()
            print(g(), g())
            h()
        """,
        None,
    ),
    "inline: not a method that its class's body names": (
        inline_functions,
        "class A:\n    def f(self):\n        return 1\n    g = {2: f}\nprint(A().f(), A.g)",
        None,
    ),
    "inline: not where a global means something else": (
        inline_functions,
        "x = g()\ndef f():\n    return x\ndef main(x):\n    return f() + x",
        None,
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_pass(name):
    one, before, wanted = EXAMPLES[name]
    assert after(one, before) == text(before if wanted is None else wanted)


def test_every_pass_has_an_example():
    assert {one for one, _, _ in EXAMPLES.values()} == set(VALUES)


# --- freezing ------------------------------------------------------------------------------------


def frozen(code, values=(), **options):
    return after(lambda tree: freeze(tree, dict(values), **options), code)


def test_reads_of_the_environment_become_values():
    before = """
    n = int(os.environ.get("N", 3))
    lr = float(os.getenv("LR", "0.1"))
    if "DEBUG" in os.environ:
        print(os.environ["DEBUG"])
    """
    assert frozen(before, {"N": "5"}) == text(
        'n = int("5")\nlr = float("0.1")\nif False:\n    print(os.environ["DEBUG"])'
    )


def test_some_names_stay_open():
    before = "a = os.environ.get('SEED', 1)\nb = os.environ.get('X', 2)\nc = os.environ['RANK']"
    assert frozen(before) == text("a = os.environ.get('SEED', 1)\nb = 2\nc = os.environ['RANK']")
    assert frozen(before, keep={"X"}) == text(
        "a = 1\nb = os.environ.get('X', 2)\nc = os.environ['RANK']"
    )


def test_a_name_that_the_script_sets_is_read():
    before = "os.environ['X'] = y\na = os.environ.get('X', 2)"
    assert frozen(before) == text(before)


def test_a_name_that_may_have_been_set_is_read():
    before = "os.environ.setdefault('X', y)\na = os.environ.get('X', 2)"
    assert frozen(before) == text(before)
    before = "os.environ.update({'X': y})\na = os.environ.get('X', 2)"
    assert frozen(before) == text(before)


def test_reads_through_a_function_of_one_line_count():
    before = """
    def env_int(name, default=4):
        return int(os.environ.get(name, default))
    a = env_int("A")
    b = env_int("B", default=7)
    """
    assert frozen(before, {"A": "9"}).splitlines()[2:] == ["a = int('9')", "b = int(7)"]


OURS = """
def env(names, default, least=None):
    return default
a = env("A OLD_A", 0.5, least=0)
b = env("SEED", 7)
c = env("DATA_PATH", f"{a}/x")
d = env("LAYERS", (1, 2))
"""


def test_our_own_reads_know_their_types():
    found = frozen(OURS, {"OLD_A": "2", "LAYERS": "3,4"}).splitlines()[2:]
    assert found == [
        "a = 2.0",
        "b = int(os.environ.get('SEED', 7))",
        "c = os.environ.get('DATA_PATH', f'{a}/x')",
        "d = (3, 4)",
    ]
    with pytest.raises(ComposeError, match="A=two does not read as float; unset, it is"):
        frozen(OURS, {"A": "two"})


def test_which_names_are_read_and_which_an_environment_would_change():
    tree = ast.parse(OURS)
    assert names_read(tree) == ["A", "DATA_PATH", "LAYERS", "OLD_A", "SEED"]
    environ = {"A": "0.5", "LAYERS": "1", "SEED": "8", "OTHER": "1"}
    assert overridden(tree, environ) == {"LAYERS": "(1, 2)"}


def test_the_list_of_values_goes_and_the_log_says_why():
    before = """
    VALUES = "environment"
    for k, v in sorted(vars(type(h)).items()):
        log(k, v)
    for k, v in model.state_dict().items():
        log(k, v)
    """
    assert frozen(before) == text(
        'VALUES = "frozen"\nfor k, v in model.state_dict().items():\n    log(k, v)'
    )


# --- together ------------------------------------------------------------------------------------


def test_what_a_recipe_leaves_off_is_gone_when_it_is_frozen():
    before = """
    import os

    class Hyperparameters:
        layers = int(os.environ.get("LAYERS", 2))
        decay = float(os.environ.get("DECAY", 0))
        seed = int(os.environ.get("SEED", 1337))

    class Trainer:
        def __init__(self, h):
            self.h, self.decay = h, h.decay

        def step(self, x):
            if self.decay > 0:
                x = x * (1 - self.decay)
            return x + self.h.layers

    def main():
        h = Hyperparameters()
        trainer = Trainer(h)
        print(trainer.step(h.seed), trainer.step(0))

    main()
    """
    assert after(lambda tree: simplify(freeze(tree, {"LAYERS": "3"})), before) == text("""
    import os
    seed = int(os.environ.get('SEED', 1337))

    class Trainer:

        def step(self, x):
            return x + 3

    def main():
        trainer = Trainer()
        print(trainer.step(seed), trainer.step(0))
    main()
    """)


def test_nodes_keep_the_lines_of_what_they_came_from(baseline):
    tree, lines = baseline.simplified(), baseline.script.lines
    words = {"memmap", "cross_entropy", "clip_grad_norm_", "perf_counter", "SentencePieceProcessor"}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in words]
    assert len(found) > 4
    for node in found:
        assert node.attr in "".join(lines[node.lineno - 1 : node.end_lineno])

"""Programs that print the same before and after the passes."""

import ast
import contextlib
import io
import random
from pathlib import Path

import pytest

from pgolf_compose.passes import shrink_names, simplify
from pgolf_compose.passes.names import kept_names

TEXT = (Path(__file__).parent / "programs/sound.py.txt").read_text(encoding="utf-8")
PROGRAMS = dict(part.split("\n", 1) for part in TEXT.split("# === ")[1:])


def printed(code: str) -> str:
    """What a program prints, and the type of what it raises."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(code, "program", "exec", dont_inherit=True), {"__name__": "__main__"})
        except Exception as error:
            print("raises", type(error).__name__)
    return out.getvalue()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same(name):
    before = printed(PROGRAMS[name])
    assert before and "raises" not in before
    tree = ast.parse(PROGRAMS[name])
    if not kept_names(tree):  # as `pack` does
        tree = simplify(tree)
    assert printed(ast.unparse(tree)) == before, ast.unparse(tree)
    small = shrink_names(tree)[1]
    assert printed(small) == before, small


# --- random programs -----------------------------------------------------------------------------

START = """
log = []
def t(x):
    log.append(x)
    return x
class P:
    kind = 4
    def __init__(self, n):
        self.n, self.m = n, 2
    def bump(self, by=1):
        self.n += by
        return self.n
    def both(self):
        return self.n + self.m
def push(items, x, more=3):
    items.append(x + more)
    return len(items)
"""


class Writer:
    """Writes a random program: functions of each other, closures, loops, handlers, effects."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.functions: list[tuple[str, int]] = []

    def value(self, names: list[str], depth: int = 2) -> str:
        pick, inner = self.random.choice, lambda: self.value(names, depth - 1)
        leaves = [*names, *names, "1", "2", "0", "5"]
        if depth == 0:
            return pick(leaves)
        forms = [
            *(lambda: pick(leaves),) * 3,
            lambda: f"t({inner()})",
            lambda: f"({inner()} {pick('+-*')} {inner()})",
            lambda: f"({inner()} {pick(['<', '==', 'and', 'or'])} {inner()})",
            lambda: f"({inner()} if {inner()} else {inner()})",
            lambda: f"sum([{inner()} for {pick('ijxy')} in range(2)])",
            lambda: f"(lambda {pick('xyz')}: {inner()})({inner()})",
            lambda: f"push(q, {inner()})",
            lambda: "len(q)",
            lambda: "q[0]",
            lambda: f"p.{pick(['n', 'm', 'kind', 'bump()', 'both()'])}",
            lambda: f"t(int('3x'[:{inner()}]))",
            *(self.call(names, depth) for _ in self.functions[-3:]),
        ]
        return pick(forms)()

    def call(self, names, depth):
        name, count = self.random.choice(self.functions)
        given = [self.value(names, depth - 1) for _ in range(count)]
        words = [f"{'abc'[n]}={one}" for n, one in enumerate(given)]
        if count and self.random.random() < 0.3:
            given = words[::-1]
        return lambda: f"{name}({', '.join(given)})"

    def block(self, names: list[str], depth: int, loop: bool = False) -> list[str]:
        out = []
        for _ in range(self.random.randint(1, 4)):
            out += self.statement(names, depth, loop)
        return out

    def statement(self, names: list[str], depth: int, loop: bool) -> list[str]:
        def inner(loop=loop):
            return ["    " + line for line in self.block(list(names), depth - 1, loop)]

        value = self.value(names)
        target = self.random.choice("xyzuvw")
        form = self.random.randrange(18 if depth else 11)
        if form < 5:
            if target not in names:
                names.append(target)
            return [f"{target} = {value}"]
        if form == 5:
            return [f"{self.random.choice(names)} += {value}"] if names else [f"t({value})"]
        if form == 6:
            other = self.random.choice("xyzuvw")
            second = self.value(names)
            names += [one for one in (target, other) if one not in names]
            return [f"{target}, {other} = {value}, {second}"]
        if form == 7:
            return [f"p.{self.random.choice('nm')} = {value}"]
        if form == 8:
            return [f"t({value})"]
        if form == 9:
            return [f"q.append({value})"]
        if form == 10:
            return [f"r = [{value}]", f"r.append({self.value(names)})", "t(tuple(r))"]
        if form == 11:
            return [f"if {value}:", *inner(), "else:", *inner()]
        if form == 12:
            return [f"for {self.random.choice('ij')} in range(2):", *inner(True)]
        if form == 13:
            return ["try:", *inner(), "except ValueError:", *inner(), "finally:", *inner()]
        if form == 14:
            later = self.random.choice("fgh")
            return [
                f"def {later}(k={self.value(names, 1)}):",
                f"    return {self.value([*names, 'k'])}",
                *self.block(names, 0),
                f"t({later}())",
            ]
        if form == 15 and loop:
            return [f"if {value}:", f"    {self.random.choice(['break', 'continue'])}"]
        if form == 16:
            return [f"for {target} in ({value},):", *inner(True)]
        return [f"k = lambda: {value}", *self.block(names, 0), "t(k())"]

    def program(self) -> str:
        lines = [START, "p, q = P(1), [7]", "x = 3", "N = 2"]
        for n in range(self.random.randint(1, 5)):
            count = self.random.randint(0, 3)
            names = [*"abc"[:count], "N"]
            head = f"def f{n}({', '.join('abc'[:count])}):"
            body = self.block(names, 2)
            if "N" in {line.strip().partition(" ")[0] for line in body}:
                body = [f"t({self.value(names[:-1])})"]
            body.append(f"return {self.value(names)}")
            lines += [head, *("    " + line for line in body)]
            self.functions.append((f"f{n}", count))
        lines += ["def main():", *("    " + line for line in self.block([], 2))]
        calls = [self.call(["N"], 1)() for _ in self.functions]
        lines += [f"    t({call})" for call in calls if self.random.random() < 0.9]
        lines += ["try:", "    main()", "except (TypeError, ValueError, RecursionError) as e:"]
        lines += ["    print(type(e).__name__)", "print(log, q, p.n, p.m, x)"]
        return "\n".join(lines)


def agree(seed: int) -> bool:
    """Whether a random program does the same; False for one that reads what is not bound."""
    code = Writer(seed).program()
    before = printed(code)
    if "raises" in before or len(before) > 5000:
        return False
    tree = simplify(ast.parse(code))
    simple = ast.unparse(tree)
    assert printed(simple) == before, f"{seed}\n{code}\n# ---\n{simple}\n{before}"
    small = shrink_names(tree)[1]
    assert printed(small) == before, f"{seed}\n{code}\n# ---\n{small}\n{before}"
    return True


def test_random_programs_do_the_same():
    assert sum(map(agree, range(8))) > 4


@pytest.mark.exhaustive
def test_many_random_programs_do_the_same():
    assert sum(map(agree, range(8, 2000))) > 500

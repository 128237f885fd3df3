"""Two scripts compared as trees, function by function.

Formatting, comments, docstrings, annotations that nothing reads and names of local variables are
no difference. Where one script's names were made short, all names that a script gives are left
out of account, as long as each stands for one of the other's throughout.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

from pgolf_compose.diff.alignment import aligned, in_order
from pgolf_compose.passes.docstrings import docstrings, last_name
from pgolf_compose.passes.names import kept_names
from pgolf_compose.passes.scopes import BUILTINS, Binding, Scopes, words

__all__ = ["MODULE", "Change", "Comparison", "Piece", "compare_programs", "is_minified"]

MODULE = "(module)"  # statements outside of functions and classes
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
SKIPPED = words("ctx kind type_comment type_ignores")
NAMED = {ast.ExceptHandler: "name", ast.MatchAs: "name", ast.MatchStar: "name", ast.arg: "arg"}
NAMED |= {ast.MatchMapping: "rest", ast.FunctionDef: "name", ast.AsyncFunctionDef: "name"}
NAMED |= {ast.ClassDef: "name", ast.Name: "id"}
SIMILAR = 0.5  # least share of its tree that makes a function another one changed
HOISTED = 5  # constants of short names
SMALL = 20  # words of a function that others are like by chance
COMMON = 50  # functions that hold a line: more, and it says nothing about which is which
FEW = 40  # names, too few to tell
SHORT = 2  # characters of most names, where names were made short


@dataclass(frozen=True)
class Line:
    """A statement, or the head of a compound one: its shape, and the names that stand in it.

    A name is `("local", Binding)`, `("global", text)`, `("attribute", text)` or, of a function
    whose parameters are renamed, `("keyword", "function.name")`; builtins, what is imported and
    constants belong to the shape.
    """

    shape: str
    names: tuple[tuple[str, object], ...]
    weight: int  # words of the shape
    number: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A function, the own statements of a class, or those of the module."""

    name: str  # with its class: `Muon.step`
    kind: str  # function, class or module
    number: int  # its first line
    length: int  # lines of text
    lines: tuple[Line, ...]

    @property
    def parent(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def weight(self) -> int:
        return sum(line.weight for line in self.lines)


@dataclass(frozen=True, eq=False)
class Program:
    pieces: tuple[Piece, ...]
    own: frozenset[str]  # attributes that it defines


@dataclass(frozen=True)
class Change:
    """What became of a piece of A; `name` or `other` is empty where A or B has none."""

    kind: str  # added, removed, changed, moved or renamed
    what: str  # function, class or module
    name: str
    other: str
    numbers: tuple[int, int]  # first lines
    removed: int = 0  # lines: statements of it, or all of its text
    added: int = 0
    same: float = 1.0  # share of its tree


@dataclass(frozen=True)
class Comparison:
    changes: tuple[Change, ...]
    same: int  # pieces that do not differ
    by_structure: bool  # names were left out of account

    @property
    def differ(self) -> bool:
        """Whether anything did more than take another name."""
        return any(one.kind != "renamed" for one in self.changes)


# reading


def read_program(tree: ast.Module, constants: bool, by_structure: bool) -> Program:
    """The pieces of a script; the tree is changed.

    With `constants`, a name that stands for one constant throughout is that constant. By
    structure, all parameters are local variables: names that calls give are too short to tell
    whose they are.
    """
    return Reader(docstrings(tree), constants, by_structure).program()


def hoists(tree: ast.Module) -> bool:
    """Whether constants were given short names, as minifiers do: `_A=None`."""
    found = [
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and (isinstance(node.value, ast.Constant) or getattr(node.value, "id", "") in BUILTINS)
    ]
    short = [name for name in found if len(name.lstrip("_")) == 1]
    return len(short) >= HOISTED or any(name.startswith("_") and name != "_" for name in short)


def is_minified(tree: ast.Module) -> bool:
    """Whether most names that a script gives have a letter or two."""
    given = [
        len(one.name)
        for one in Scopes(tree).bindings()
        if not (one.name.startswith("__") or one.scope.is_class or one.kinds == {ast.alias})
    ]
    return len(given) >= FEW and median(given) <= SHORT


class Reader:
    def __init__(self, tree: ast.Module, constants: bool, by_structure: bool) -> None:
        self.tree, self.by_structure = tree, by_structure
        self.scopes = Scopes(tree)
        self.asked = bool(kept_names(tree))  # something may look for names at run time
        self.bound: dict[tuple, Binding] = {}
        for binding in self.scopes.bindings():
            for place in binding.places:
                self.bound[place.node, place.field, place.index] = binding
        sources = {
            alias: f"{'.' * node.level}{node.module or ''}."
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        self.paths = {one: imported(one, sources) for one in self.scopes.bindings()}
        self.constants = self.find_constants() if constants else {}
        self.open = parameters_named(tree)
        self.pieces: list[Piece] = []
        self.seen: Counter[str] = Counter()
        self.words: list[str] = []
        self.names: list[tuple[str, object]] = []
        self.kinds: dict[Binding, tuple[str, object]] = {}
        self.fixed: set[Binding] = set()
        self.called: dict[ast.keyword, str | None] = {}  # what, if it is the script's own
        self.numbers: dict[ast.keyword, int] = {}  # of the parameters they give, if it is clear
        self.methods: dict[str, list[ast.AST]] = defaultdict(list)
        for node in ast.walk(tree):
            for one in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(one, FUNCTIONS):
                    self.methods[one.name].append(one)

    def program(self) -> Program:
        for node in ast.walk(self.tree):
            if isinstance(node, (*FUNCTIONS, ast.Lambda)):
                self.fix_parameters(node)
        lines: list[Line] = []
        place = len(self.pieces)
        self.block(self.tree.body, 0, "", lines)
        self.pieces.insert(place, Piece(MODULE, "module", 1, 0, tuple(sorted_imports(lines))))
        return Program(tuple(self.pieces), frozenset(self.own()))

    def find_constants(self) -> dict[Binding, ast.expr]:
        found = {}
        stores = Counter(binding for (node, _, _), binding in self.bound.items() if not reads(node))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                binding = self.bound[node.targets[0], "id", None]
                builtin = isinstance(node.value, ast.Name) and node.value.id in BUILTINS
                builtin = builtin and (node.value, "id", None) not in self.bound
                once = stores[binding] == len(node.targets) == 1 and not binding.scope.is_class
                if once and (builtin or isinstance(node.value, ast.Constant)):
                    found[binding] = node.value
        return found

    def fix_parameters(self, node: ast.AST) -> None:
        """Those that calls name are part of what a function is called with."""
        named = self.open[None] | self.open.get(getattr(node, "name", ""), set())
        for one in arguments(node.args):
            if one.arg in named:
                self.fixed.add(self.bound[one, "arg", None])

    def own(self) -> Iterator[str]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                yield node.attr
        for binding in self.scopes.bindings():
            if binding.scope.is_class or binding in self.fixed:
                yield binding.name

    # pieces

    def block(self, body: list, depth: int, inside: str | None, lines: list[Line]) -> None:
        """Lines of statements; `inside` is the class or module whose definitions stand apart."""
        for node in body:
            if isinstance(node, DEFINITIONS) and inside is not None:
                self.definition(node, inside)
                if depth:  # under a condition
                    self.line(node, depth, lines, only_name=True)
            else:
                self.statement(node, depth, inside, lines)

    def definition(self, node: ast.AST, inside: str) -> None:
        name = f"{inside}.{node.name}" if inside else node.name
        self.seen[name] += 1
        if self.seen[name] > 1:
            name = f"{name}#{self.seen[name]}"
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        length = (node.end_lineno or first) - first + 1
        lines: list[Line] = []
        self.line(node, 0, lines)
        if isinstance(node, ast.ClassDef):
            place = len(self.pieces)
            self.block(node.body, 0, name, lines)
            own = Piece(name, "class", first, length, tuple(lines))
            self.pieces.insert(place, own)
        else:
            self.block(node.body, 1, None, lines)
            self.pieces.append(Piece(name, "function", first, length, tuple(lines)))

    def statement(self, node: ast.AST, depth: int, inside: str | None, lines: list[Line]) -> None:
        if isinstance(node, ast.Pass) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            return
        if self.bound.get((getattr(node, "targets", [0])[0], "id", None)) in self.constants:
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports(node, depth, lines)
            return
        self.line(node, depth, lines)
        for name in node._fields:
            value = getattr(node, name, None)
            if not (isinstance(value, list) and value and is_block(value[0])):
                continue
            if name not in ("body", "handlers", "cases"):
                lines.append(Line(f"{depth} {name}", (), 1, node.lineno))
            for one in value if name in ("handlers", "cases") else ():
                self.statement(one, depth, inside, lines)
            if name not in ("handlers", "cases"):
                self.block(value, depth + 1, inside, lines)

    def imports(self, node: ast.Import | ast.ImportFrom, depth: int, lines: list[Line]) -> None:
        """A line for each name; what it is called here shows only where it could be another's."""
        source = f"{'.' * node.level}{node.module or ''}" if hasattr(node, "module") else ""
        for alias in node.names if source != "__future__" else ():
            binding = self.bound.get((alias, "asname", None))
            told = () if binding is None or self.paths[binding] else (self.meaning(binding),)
            shape = f"{depth} import {source}:{alias.name}"
            lines.append(Line(shape, told, 2, node.lineno))

    def line(self, node: ast.AST, depth: int, lines: list[Line], only_name: bool = False) -> None:
        self.words, self.names = [str(depth)], []
        if only_name:
            self.words.append("defines")
            self.name(node, "name")
        else:
            self.write(node)
        shape = " ".join(self.words)
        number = getattr(node, "lineno", None) or getattr(node.pattern, "lineno", 0)
        lines.append(Line(shape, tuple(self.names), len(self.words), number))

    def write(self, node: ast.AST) -> None:
        kind, words = node.__class__, self.words
        if kind is ast.Constant:
            words.append(written(node.value))
            return
        named = NAMED.get(kind)
        if kind is ast.Call:
            called = None if self.is_outside(node.func) else last_name(node.func)
            self.called.update(dict.fromkeys(node.keywords, called))
            if self.by_structure and called:
                self.number_keywords(node)
        if kind is not ast.Name:
            words.append(kind.__name__)
        if named is not None:
            self.name(node, named)
            if kind is ast.Name:
                return
        for name in kind._fields:
            value = getattr(node, name, None)
            if name == named or name in SKIPPED or value is None:
                continue
            if isinstance(value, ast.AST):
                words.append(name)
                self.write(value)
            elif isinstance(value, list):
                if value and is_block(value[0]):
                    continue
                words.append(f"{name}[")
                for index, one in enumerate(value):
                    if isinstance(one, ast.AST):
                        self.write(one)
                    elif kind in (ast.Global, ast.Nonlocal):
                        self.name(node, name, index, one)
                    elif name == "kwd_attrs":
                        self.put("attribute", one)
                    else:
                        words.append(repr(one))
                words.append("]")
            elif kind is ast.Attribute and name == "attr":
                self.put("attribute", value)
            elif kind is ast.keyword and node in self.numbers:
                words.append(str(self.numbers[node]))
            elif kind is ast.keyword and self.by_structure and self.called.get(node):
                self.put("keyword", f"{self.called[node]}.{value}")
            else:
                words.append(repr(value))

    def number_keywords(self, call: ast.Call) -> None:
        """Short names say little, but which parameter a keyword gives they do say."""
        if isinstance(call.func, ast.Name):
            binding = self.bound.get((call.func, "id", None))
            stores = [one.node for one in binding.places if not reads(one.node)] if binding else []
        else:
            stores = self.methods.get(last_name(call.func), [])
        if len(stores) != 1 or not isinstance(stores[0], DEFINITIONS):
            return
        names = parameters(stores[0])
        self.numbers |= {one: names.index(one.arg) for one in call.keywords if one.arg in names}

    def is_outside(self, node: ast.expr) -> bool:
        """Whether what is called is not the script's: its parameters have the names they have."""
        while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
            node = node.func if isinstance(node, ast.Call) else node.value
        binding = self.bound.get((node, "id", None))
        if binding is None:
            return getattr(node, "id", "super") != "super"
        return self.paths[binding] is not None

    def put(self, kind: str, key: object) -> None:
        self.words.append("_")
        self.names.append((kind, key))

    def name(self, node: ast.AST, field: str, index: int | None = None, text: str = "") -> None:
        text = text or getattr(node, field)
        if text is None:
            return
        binding = self.bound.get((node, field, index))
        if binding is None:
            self.words.append(f"builtin:{text}" if text in BUILTINS else f"unbound:{text}")
        elif binding in self.constants:
            self.write(self.constants[binding])
        elif path := self.paths[binding]:
            self.words.append(f"imported:{path}")
        else:
            self.put(*self.meaning(binding))

    def is_given(self, binding: Binding) -> bool:
        """Whether calls give this parameter by its name."""
        return binding in self.fixed and not self.by_structure

    def meaning(self, binding: Binding) -> tuple[str, object]:
        if binding not in self.kinds:
            if binding.scope is self.scopes.module:
                found = ("global", binding.name)
            elif binding.scope.is_class or self.asked or self.is_given(binding):
                found = ("attribute", binding.name)
            elif binding.kept:
                found = ("global", binding.name)
            else:
                found = ("local", binding)
            self.kinds[binding] = found
        return self.kinds[binding]


def reads(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Load)


def is_block(node: object) -> bool:
    return isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case)


def written(value: object) -> str:
    """A constant with its kind; whole numbers of any length."""
    return hex(value) if type(value) is int else repr(value)


def sorted_imports(lines: list[Line]) -> list[Line]:
    """Imports of the module first and in one order: theirs says nothing."""
    first = [line for line in lines if line.shape.startswith("0 import ")]
    rest = [line for line in lines if not line.shape.startswith("0 import ")]
    return [*sorted(first, key=lambda line: line.shape), *rest]


def imported(binding: Binding, sources: Mapping[ast.alias, str]) -> str | None:
    """The full name of what a name stands for, if it is imported and nothing else."""
    if binding.kinds != {ast.alias}:
        return None
    found = set()
    for place in binding.places:
        if isinstance(place.node, ast.alias):
            full = sources.get(place.node, "") + place.node.name
            found.add(full if place.field == "asname" else binding.name)
    return found.pop() if len(found) == 1 else None


def arguments(node: ast.arguments) -> list[ast.arg]:
    found = [*node.posonlyargs, *node.args, *node.kwonlyargs]
    return found + [one for one in (node.vararg, node.kwarg) if one]


def parameters(node: ast.AST) -> list[str]:
    """Names that a call of a function or class may give; those of a dataclass are its fields."""
    if not isinstance(node, ast.ClassDef):
        return [one.arg for one in arguments(node.args)]
    for one in node.body:
        if isinstance(one, FUNCTIONS) and one.name == "__init__":
            return parameters(one)
    fields = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
    return [one.id for one in fields if isinstance(one, ast.Name)]


def parameters_named(tree: ast.Module) -> dict[str | None, set[str]]:
    """Which parameters calls give by name, by the function's name; None: whose is not known."""
    functions, classes, stored = set(), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            functions.add(node.name)
        elif isinstance(node, ast.ClassDef):
            classes.add(node.name)
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            stored.add(node.attr)
    found: dict[str | None, set[str]] = defaultdict(set)
    texts: set[str] = set()
    spread = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
        if isinstance(node, FUNCTIONS):
            inside = {one for deco in node.decorator_list for one in ast.walk(deco)}
            told = {one.value for one in inside if isinstance(one, ast.Constant)}
            found[node.name] |= {one for one in told if isinstance(one, str)}
        if not isinstance(node, ast.Call):
            continue
        names = {one.arg for one in node.keywords if one.arg}
        spread = spread or any(one.arg is None for one in node.keywords)
        called = last_name(node.func)
        handed = [one.id for one in node.args if isinstance(one, ast.Name)]
        for one in handed:  # partial(f, k=1)
            found[one] |= names
        if called in functions:
            found[called] |= names
        elif called in classes:
            found["__init__"] |= names
            found["__new__"] |= names
        elif not isinstance(node.func, ast.Attribute) or called in stored:
            found[None] |= names  # a variable: it may be any function
    if spread:
        found[None] |= texts
    found[None] |= set()
    return found


# comparing


@dataclass
class Match:
    """Pieces of A with those of B that they are."""

    of: dict[Piece, Piece] = field(default_factory=dict)
    back: dict[Piece, Piece] = field(default_factory=dict)

    def add(self, one: Piece, other: Piece) -> None:
        self.of[one], self.back[other] = other, one

    def left(self, a: Program, b: Program) -> tuple[list[Piece], list[Piece]]:
        return (
            [one for one in a.pieces if one not in self.of],
            [one for one in b.pieces if one not in self.back],
        )


def compare_programs(one: ast.Module, other: ast.Module) -> Comparison:
    """What became of each function, each class and the rest of A, in B; the trees are changed."""
    by_structure = is_minified(one) or is_minified(other)
    constants = by_structure or hoists(one) or hoists(other)
    a, b = (read_program(tree, constants, by_structure) for tree in (one, other))
    side = Structure(a, b) if by_structure else Names(a, b)
    changes = collapsed([*side.changes()], a, b)
    same = len(side.match.of) - sum(bool(one.name and one.other) for one in changes)
    order = ("removed", "added", "changed", "moved", "renamed")
    changes.sort(key=lambda one: (order.index(one.kind), one.numbers))
    return Comparison(tuple(changes), same, by_structure)


def collapsed(changes: list[Change], a: Program, b: Program) -> list[Change]:
    """A class that is added or removed with all its methods is one change."""
    gone = {
        (one.kind, one.name or one.other) for one in changes if one.kind in ("added", "removed")
    }
    whole = {
        (kind, one.name)
        for kind, side in (("removed", a), ("added", b))
        for one in side.pieces
        if one.kind == "class" and (kind, one.name) in gone
        if all((kind, it.name) in gone for it in side.pieces if it.name.startswith(f"{one.name}."))
    }

    def part(one: Change) -> bool:
        above = (one.name or one.other).rpartition(".")[0]
        return (one.kind, above) in whole

    return [one for one in changes if not part(one)]


class Names:
    """The comparison by names, then by bodies."""

    def __init__(self, a: Program, b: Program) -> None:
        self.a, self.b = a, b
        self.match = Match()
        self.renamed: dict[tuple[str, object], object] = {}
        self.paired: dict[tuple[Piece, Piece], list[tuple[Line, Line]]] = {}
        self.pair()

    # pairing

    def pair(self) -> None:
        others = {(one.name, one.kind): one for one in self.b.pieces}
        for one in self.a.pieces:
            if other := others.get((one.name, one.kind)):
                self.match.add(one, other)
        self.pair_classes()
        self.pair_equal()
        self.pair_similar()
        self.pair_homes()
        self.note_renamed()

    def pair_classes(self) -> None:
        """A class under another name is the one with most methods that are the same."""
        left, others = self.match.left(self.a, self.b)
        keys = {one: self.key(one, 0) for one in (*left, *others) if one.kind == "function"}
        homes: dict[str, list[str]] = defaultdict(list)
        for one in others:
            if one in keys and one.parent:
                homes[keys[one]].append(one.parent)
        classes = {one.name: one for one in others if one.kind == "class"}
        for one in left:
            if one.kind != "class":
                continue
            inside = [piece for piece in left if piece.parent == one.name and piece in keys]
            votes = Counter(home for piece in inside for home in homes.get(keys[piece], ()))
            best = next((name for name, _ in votes.most_common() if name in classes), None)
            if best and 2 * votes[best] >= len(inside):
                self.match.add(one, classes.pop(best))
                named = {piece.last: piece for piece in others if piece.parent == best}
                for piece in inside:
                    if piece.last in named:
                        self.match.add(piece, named[piece.last])

    def pair_equal(self) -> None:
        left, others = self.match.left(self.a, self.b)
        waiting: dict[str, list[Piece]] = defaultdict(list)
        for one in others:
            if self.tells(one, self.b):
                waiting[one.kind + self.key(one, 1)].append(one)
        for one in left:
            if self.tells(one, self.a):
                found = waiting.get(one.kind + self.key(one, 0), [])
                near = [other for other in found if self.home(one) == other.parent]
                if near or (found and one.weight >= SMALL):
                    other = (near or found)[0]
                    found.remove(other)
                    self.match.add(one, other)

    def tells(self, piece: Piece, program: Program) -> bool:
        """Whether there is more in a piece than the first line of a class that has methods."""
        return len(piece.lines) > 1 or all(one.parent != piece.name for one in program.pieces)

    def pair_homes(self) -> None:
        """Classes by their methods."""
        left, others = self.match.left(self.a, self.b)
        classes = {one.name: one for one in others if one.kind == "class"}
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        for one, other in self.match.of.items():
            if one.parent and other.parent in classes:
                votes[one.parent][other.parent] += one.weight
        for one in left:
            if one.kind == "class" and one.name in votes:
                best = votes[one.name].most_common(1)[0][0]
                if best in classes:
                    self.match.add(one, classes.pop(best))

    def pair_similar(self) -> None:
        """Those of one kind that have most in common, the most alike first."""
        left, others = self.match.left(self.a, self.b)
        holders: dict[object, list[Piece]] = defaultdict(list)
        for other in others:
            if not self.tells(other, self.b):
                continue
            for key in {self.line_key(line, 1) for line in other.lines}:
                holders[other.kind, key].append(other)
        weights = {one: max(1, one.weight) for one in (*left, *others)}
        found = []
        for one in left:
            shared: Counter[Piece] = Counter()
            for line in one.lines:
                near = holders.get((one.kind, self.line_key(line, 0)), ())
                if len(near) <= COMMON:
                    for other in near:
                        shared[other] += line.weight
            found += [
                (2 * count / (weights[one] + weights[other]), one, other)
                for other, count in shared.items()
            ]
        for share, one, other in sorted(found, key=lambda row: -row[0]):
            if share >= SIMILAR and one not in self.match.of and other not in self.match.back:
                self.match.add(one, other)

    def note_renamed(self) -> None:
        """Names that stand for each other because what they name does."""
        defined = [{one.last for one in side.pieces} for side in (self.a, self.b)]
        for one, other in self.match.of.items():
            if one.last not in defined[1] and other.last not in defined[0]:
                for kind in ("global", "attribute"):
                    self.renamed.setdefault((kind, one.last), other.last)

    # keys

    def key(self, piece: Piece, side: int) -> str:
        """Equal for pieces that differ in loose names only; by names, also in their own."""
        numbers: dict[object, int] = {}
        words = []
        for line in piece.lines:
            words.append(line.shape)
            for kind, name in line.names:
                if self.loose(kind, name, side):
                    words.append(f"{kind} {numbers.setdefault((kind, name), len(numbers))}")
                else:
                    itself = name == piece.last and not self.structural
                    words.append("itself" if itself else str(name))
        return "\n".join(words)

    def line_key(self, line: Line, side: int) -> tuple:
        """Of a line of A (side 0) or B: what has to be equal for two to be paired."""
        names = []
        for kind, name in line.names:
            if kind == "local":
                names.append(None)
            else:
                names.append(self.renamed.get((kind, name), name) if side == 0 else name)
        return line.shape, *names

    def loose(self, kind: str, name: object, side: int) -> bool:
        return kind == "local"

    # differing

    def changes(self) -> Iterator[Change]:
        left, others = self.match.left(self.a, self.b)
        for one in left:
            yield Change("removed", one.kind, one.name, "", (one.number, 0), one.length)
        for one in others:
            yield Change("added", one.kind, "", one.name, (0, one.number), 0, one.length)
        moved = self.moved()
        for one, other in self.match.of.items():
            removed, added, same = self.difference(one, other)
            about = (one.kind, one.name, other.name, (one.number, other.number))
            if removed or added:
                yield Change("changed", *about, removed, added, same)
            elif self.home(one) not in (other.parent, None) or one in moved:
                yield Change("moved", *about)
            elif one.last != other.last and not self.structural:
                yield Change("renamed", *about)

    structural = False

    def home(self, piece: Piece) -> str:
        """The class of B that a piece of A should be in."""
        for one, other in self.match.of.items():
            if one.kind == "class" and one.name == piece.parent:
                return other.name
        return piece.parent

    def moved(self) -> set[Piece]:
        """Pieces that stand in another order, the fewest that can be said to have moved."""
        place = {one: n for n, one in enumerate(self.b.pieces)}
        rows: dict[str, list[Piece]] = defaultdict(list)
        for one in self.a.pieces:
            if one in self.match.of and self.match.of[one].parent == self.home(one):
                rows[one.parent].append(one)
        found = set()
        for row in rows.values():
            stay = {row[n] for n in in_order([place[self.match.of[one]] for one in row])}
            found |= {one for one in row if one not in stay}
        return found

    def difference(self, one: Piece, other: Piece) -> tuple[int, int, float]:
        """Lines removed, lines added, share of the tree that is the same."""
        pairs = self.lines_paired(one, other)
        known = self.known()
        votes: Counter[tuple] = Counter()
        for line, twin in pairs:
            votes.update(self.loose_pairs(line, twin))
        mapping, back = agreed(votes)
        same = weight = 0
        for line, twin in pairs:
            if all(
                (known.get(x) or mapping.get(x)) == y and (x in known or back.get(y) == x)
                for x, y in self.loose_pairs(line, twin)
            ):
                same, weight = same + 1, weight + line.weight
        whole = one.weight + other.weight
        share = 2 * weight / whole if whole else 1.0
        return len(one.lines) - same, len(other.lines) - same, share

    def lines_paired(self, one: Piece, other: Piece) -> list[tuple[Line, Line]]:
        if (one, other) not in self.paired:
            keys = [self.line_key(line, 0) for line in one.lines]
            pairs = aligned(keys, [self.line_key(line, 1) for line in other.lines])
            self.paired[one, other] = [(one.lines[i], other.lines[j]) for i, j in pairs]
        return self.paired[one, other]

    def known(self) -> dict:
        return {}

    def loose_pairs(self, line: Line, twin: Line) -> Iterator[tuple]:
        for (kind, name), (_, other) in zip(line.names, twin.names, strict=True):
            if self.loose(kind, name, 0):
                yield (kind, name), (kind, other)


class Structure(Names):
    """The comparison where names were made short: by shapes, then by what names stand for."""

    structural = True

    def __init__(self, a: Program, b: Program) -> None:
        kept = {one for one in a.own & b.own if len(one) > SHORT or one.startswith("__")}
        self.soft = [side.own - kept for side in (a, b)]
        self.names: dict = {}
        super().__init__(a, b)

    def pair(self) -> None:
        waiting = [Counter(map(self.shape_key, side.pieces)) for side in (self.a, self.b)]
        others = {self.shape_key(one): one for one in self.b.pieces}
        for one in self.a.pieces:
            key = self.shape_key(one)
            if one.kind == "module" or waiting[0][key] == waiting[1][key] == 1:
                other = self.b.pieces[0] if one.kind == "module" else others[key]
                if one.kind != "class":
                    self.match.add(one, other)
        for _ in range(2):
            self.pair_homes()
            self.learn()
            self.pair_named()
        self.pair_equal()
        self.pair_homes()
        self.learn()
        self.pair_named()
        self.pair_similar()
        self.pair_homes()
        self.learn()
        self.pair_named(least=0)
        self.pair_homes()
        self.learn()

    def shape_key(self, piece: Piece) -> str:
        return piece.kind + self.key(piece, 0 if piece in self.in_a else 1)

    @cached_property
    def in_a(self) -> frozenset[Piece]:
        return frozenset(self.a.pieces)

    def learn(self) -> None:
        """Which of A's names stand for which of B's, by the lines that are paired so far."""
        votes: Counter[tuple] = Counter()
        for one, other in self.match.of.items():
            for line, twin in self.lines_paired(one, other):
                votes.update(pair for pair in self.loose_pairs(line, twin) if pair[0][0] != "local")
        self.names, _ = agreed(votes)

    def pair_named(self, least: float = SIMILAR) -> None:
        """Functions that callers name; `least` of their trees the same."""
        left, others = self.match.left(self.a, self.b)
        classes = {a.name: b.name for a, b in self.match.of.items() if a.kind == "class"}
        named = {(one.kind, one.name): one for one in others}
        for one in left:
            kind = "attribute" if one.parent else "global"
            last = self.names.get((kind, one.last), (kind, one.last))[1]
            home = classes.get(one.parent, one.parent)
            other = named.pop((one.kind, f"{home}.{last}" if home else last), None)
            if other is not None and self.share(one, other) >= least:
                self.match.add(one, other)

    def share(self, one: Piece, other: Piece) -> float:
        same = sum(line.weight for line, _ in self.lines_paired(one, other))
        return 2 * same / max(1, one.weight + other.weight)

    def loose(self, kind: str, name: object, side: int) -> bool:
        return kind != "attribute" or name in self.soft[side]

    def line_key(self, line: Line, side: int) -> tuple:
        names = [(kind,) if self.loose(kind, name, side) else name for kind, name in line.names]
        return line.shape, *names

    def known(self) -> dict:
        return self.names

    def home(self, piece: Piece) -> str | None:
        if not piece.parent:
            return ""
        for one, other in self.match.of.items():
            if one.kind == "class" and one.name == piece.parent:
                return other.name
        return None


def agreed(votes: Counter[tuple]) -> tuple[dict, dict]:
    """One to one: for each name the one it is paired with most, the first of equals."""
    mapping: dict = {}
    back: dict = {}
    for (one, other), _ in votes.most_common():
        if one not in mapping and other not in back:
            mapping[one], back[other] = other, one
    return mapping, back

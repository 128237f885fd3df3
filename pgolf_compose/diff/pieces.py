"""The functions and classes of a script as pieces that can be compared: shapes, and names apart."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from pgolf_compose.passes.docstrings import docstrings, last_name
from pgolf_compose.passes.names import kept_names
from pgolf_compose.passes.scopes import BUILTINS, Binding, Scopes, words

__all__ = ["MODULE", "SHORT", "Line", "Piece", "Program", "hoists", "is_minified", "read_program"]

MODULE = "(module)"  # statements outside of functions and classes
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
SKIPPED = words("ctx kind type_comment type_ignores")
NAMED = {ast.ExceptHandler: "name", ast.MatchAs: "name", ast.MatchStar: "name", ast.arg: "arg"}
NAMED |= {ast.MatchMapping: "rest", ast.FunctionDef: "name", ast.AsyncFunctionDef: "name"}
NAMED |= {ast.ClassDef: "name", ast.Name: "id"}
HOISTED = 5  # constants of short names
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

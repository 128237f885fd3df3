"""What a script reads from its environment, and what it takes where that says nothing."""

import ast
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pgolf_compose.passes.tree import OPERATORS, literal

__all__ = ["Changed", "Reading", "changed", "readings"]

MASK = "(of the environment)"
LARGEST = 1 << 62  # of whole numbers that are computed


@dataclass(frozen=True)
class Reading:
    """The names that set one value, the first as a rule, and each default in the text."""

    names: tuple[str, ...]
    defaults: tuple[str, ...]  # as text: 1 for True; none where it has to be set
    shapes: frozenset[object]  # of these: equal for 1e-8 and 1e-08, and whatever names are in them
    line: int


@dataclass(frozen=True)
class Changed:
    """A value whose default differs; None where a script does not read it."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Helper:
    """A function that reads the name it is given."""

    parameters: tuple[str, ...]
    defaults: Mapping[str, ast.expr]
    name: str
    default: str | None
    several: bool = False  # names in one text, apart by blanks

    def given(self, call: ast.Call, parameter: str | None) -> ast.expr | None:
        if parameter is None:
            return None
        found = {one.arg: one.value for one in call.keywords}
        found |= dict(zip(self.parameters, call.args, strict=False))
        return found.get(parameter, self.defaults.get(parameter))


GET = Helper(("key", "default"), {}, "key", "default")


def readings(tree: ast.Module, mask: bool = False) -> dict[str, Reading]:
    """By first name. With `mask`, defaults that are told here are taken out of the tree."""
    dictionaries, getters = spelled(tree)

    def is_get(node: ast.expr) -> bool:
        text = plain(node)
        return text in getters or (text.endswith(".get") and text[:-4] in dictionaries)

    constants = constants_of(tree)

    def settled(node: ast.expr | None) -> ast.expr | None:
        return constants.get(plain(node), node) if node is not None else None

    helpers = {}
    for node in ast.walk(tree):
        if found := helper(node, is_get, dictionaries):
            helpers[found[0]] = found[1]
    rows: dict[str, Reading] = {}
    masked: dict[ast.expr, ast.expr] = {}
    converted: set[ast.expr] = set()  # by int() or float(): 9 is as good as "9"
    for node in ast.walk(tree):
        if plain(getattr(node, "func", node)) in ("int", "float", "str"):
            converted |= {*getattr(node, "args", ())}
        names, default = [], None
        if isinstance(node, ast.Call):
            text = plain(node.func)
            one = GET if is_get(node.func) else helpers.get(text)
            name = literal(settled(one.given(node, one.name))) if one else None
            if name and isinstance(name.value, str):
                names = name.value.split() if one.several else [name.value]
                default = one.given(node, one.default)
        elif isinstance(node, ast.Subscript) and plain(node.value) in dictionaries:
            name = literal(settled(node.slice))
            if name and isinstance(name.value, str) and isinstance(node.ctx, ast.Load):
                names = [name.value]
        if names:
            value = settled(default)
            told = [(value_of(value), shape(value))] if value is not None else []
            known = rows.get(names[0], Reading((), (), frozenset(), node.lineno))
            rows[names[0]] = Reading(
                tuple(dict.fromkeys((*known.names, *names))),
                tuple(dict.fromkeys((*known.defaults, *(text for text, _ in told)))),
                known.shapes | {one for _, one in told},
                known.line,
            )
            if mask and value is not None and computed(value) is not None:
                kind = "" if node in converted else f" {type(computed(value)).__name__}"
                masked[default] = ast.copy_location(ast.Constant(MASK + kind), default)
    for node in ast.walk(tree) if masked else ():
        if isinstance(node, ast.Call):
            node.args = [masked.get(one, one) for one in node.args]
            for one in node.keywords:
                one.value = masked.get(one.value, one.value)
    return dict(sorted(rows.items(), key=lambda row: row[1].line))


def plain(node: ast.AST) -> str:
    """`os.environ.get` for what is made of names and dots, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        above = plain(node.value)
        return f"{above}.{node.attr}" if above else ""
    return ""


def constants_of(tree: ast.Module) -> dict[str, ast.expr]:
    """Variables of the module that are set once, to a constant: minifiers name literals so."""
    stores: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            stores[node.id] += 1
        elif isinstance(node, ast.arg):
            stores[node.arg] += 1
    return {
        name: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and stores[name := plain(node.targets[0])] == 1
    }


def spelled(tree: ast.Module) -> tuple[set[str], set[str]]:
    """What the script calls `os.environ`, and what `os.getenv`."""
    dictionaries, getters = {"os.environ"}, {"os.getenv"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name == "os" and one.asname:
                    dictionaries.add(f"{one.asname}.environ")
                    getters.add(f"{one.asname}.getenv")
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            for one in node.names:
                known = {"environ": dictionaries, "getenv": getters}.get(one.name)
                if known is not None:
                    known.add(one.asname or one.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text, name = plain(node.value), node.targets[0].id
            if text in dictionaries:
                dictionaries.add(name)
            elif text in getters or (text.endswith(".get") and text[:-4] in dictionaries):
                getters.add(name)
    return dictionaries, getters


def helper(node: ast.AST, is_get, dictionaries: set[str]) -> tuple[str, Helper] | None:
    """A function, or a variable that holds a lambda, which reads what its parameter names."""
    name, function = getattr(node, "name", ""), node
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        name, function = plain(node.targets[0]), node.value
    elif not isinstance(node, ast.FunctionDef):
        return None
    arguments = function.args
    each = [*arguments.posonlyargs, *arguments.args]
    parameters = tuple(one.arg for one in each)
    defaults = dict(zip(parameters[::-1], arguments.defaults[::-1], strict=False))
    given = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    defaults |= {one.arg: value for one, value in given if value is not None}
    inside = {plain(one) for one in ast.walk(function)}
    if len(parameters) > 1 and inside & dictionaries and f"{parameters[0]}.split" in inside:
        return name, Helper(parameters, defaults, *parameters[:2], several=True)  # our `env`
    for one in ast.walk(function):
        if isinstance(one, ast.Call) and is_get(one.func):
            read, *rest = [plain(it) for it in one.args] or [""]
            if read in parameters:
                usual = rest[0] if rest and rest[0] in parameters else "default"
                if usual not in parameters:
                    after = parameters[parameters.index(read) + 1 :]
                    usual = after[0] if after else None
                return name, Helper(parameters, defaults, read, usual)
    return None


def computed(node: ast.expr) -> object | None:
    """The value of a literal or of arithmetic with small numbers."""
    if found := literal(node):
        return found.value
    if isinstance(node, ast.BinOp) and type(node.op) in (ast.Add, ast.Sub, ast.Mult, ast.Div):
        one, other = computed(node.left), computed(node.right)
        numbers = type(one) in (int, float) and type(other) in (int, float)
        if numbers and abs(one) < LARGEST and 0 < abs(other) < LARGEST:
            return OPERATORS[type(node.op)](one, other)
    return None


def value_of(node: ast.expr) -> str:
    """The default as a command line would write it."""
    if isinstance(node, ast.Constant) and node.value is None:
        return "None"
    value = computed(node)
    if value is None:
        return ast.unparse(node)
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if type(value) is int and abs(value) > LARGEST:
        return hex(value)
    return str(value)


def changed(a: Mapping[str, Reading], b: Mapping[str, Reading]) -> list[Changed]:
    """From A to B: other defaults, then what only A reads, then what only B reads."""
    by_any = {name: one for one in b.values() for name in one.names}
    paired, found, gone = set(), [], []
    for name, one in a.items():
        other = next((by_any[it] for it in one.names if it in by_any), None)
        if other is None:
            gone.append(Changed(name, told(one), None))
            continue
        paired.add(other.names[0])
        if one.shapes != other.shapes:
            found.append(Changed(name, told(one), told(other)))
    new = [Changed(name, None, told(one)) for name, one in b.items() if name not in paired]
    return [*found, *gone, *new]


def told(one: Reading) -> str:
    return " and ".join(one.defaults) or "(no default)"


def shape(node: ast.expr) -> object:
    text = value_of(node)
    if computed(node) is None:  # names may have been made short: functions tell of others
        known = {it.id for it in ast.walk(node) if isinstance(it, ast.Name)}
        for name in known:
            text = re.sub(rf"\b{name}\b", "_", text)
    try:
        return float(text)
    except ValueError:
        return text

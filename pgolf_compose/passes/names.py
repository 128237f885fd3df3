"""Short names for what a script defines, scope by scope: `message`, `tokens` -> `a`, `b`.

Names may be shared between scopes that do not see each other. A name that somebody outside could
ask for stays: an attribute, a keyword of a call that is not known to be ours, what `globals()`,
`locals()`, `eval` and `exec` can reach.
"""

import ast
import keyword
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from pgolf_compose.passes.attributes import add_attributes
from pgolf_compose.passes.docstrings import PLAIN_BASES, decorated, last_name
from pgolf_compose.passes.letters import Text, alike
from pgolf_compose.passes.printing import print_tree
from pgolf_compose.passes.scopes import BUILTINS, FUNCTIONS, Binding, Place, Scope, Scopes, words

__all__ = ["compressed_size", "kept_names", "rename"]

LETTERS = "eatnirsoldcmpuhfgbwvykxqjzETAOINSRHLDCUMFPGWYBVKXJQZ"
DIGITS = "0123456789"


def rename(
    tree: ast.Module,
    *,
    attributes: bool = True,
    parameters: bool = False,
    size: Callable[[str], int] | None = None,
    told: dict[str, str] | None = None,
) -> ast.Module:
    """Rename so that the text is smallest by `size`: compressed, unless told otherwise.

    `parameters` renames those of modules too, which stand in artifacts; `told` takes the new name
    of each attribute by its old one.
    """
    scopes = Scopes(tree)
    keep(tree, scopes)
    if attributes:
        add_attributes(tree, scopes, parameters)
    names = Names(scopes)
    text = template(tree, names.bindings)
    tries = [one(names) for one in STRATEGIES]
    tries.append(alike(text, tries[0], names.kept, names))
    best = min(tries, key=lambda given: (size or compressed_size)(text.filled(given)))
    for binding, name in best.items():
        if told is not None and binding.scope is scopes.all[-1] and attributes:
            told[binding.name] = name
        binding.rename(name)
    return tree


def compressed_size(text: str) -> int:
    import brotli

    return len(brotli.compress(text.encode(), quality=11, lgwin=18))


def template(tree: ast.Module, bindings: list[Binding]) -> Text:
    """The printed tree with blanks for the names of bindings."""
    strange = {char for node in ast.walk(tree) if is_string(node) for char in node.value}
    strange |= {char for node in ast.walk(tree) for char in getattr(node, "id", "")}
    blank = next(char for char in map(chr, range(0x1C0, 0x1C4)) if char not in strange)
    for n, binding in enumerate(bindings):
        binding.rename(f"{blank}{n}{blank}")
    return Text(print_tree(tree).split(blank), bindings)


def kept_names(tree: ast.Module) -> list[tuple[str, int]]:
    """What in a script keeps whole scopes from being renamed, with its line."""
    return [(told, node.lineno) for told, node, _ in reaches(tree, Scopes(tree))]


# what has to stay


def reaches(tree: ast.Module, scopes: Scopes) -> Iterator[tuple[str, ast.AST, list[Scope]]]:
    """Each use of something that can read names at run time, with the scopes whose names."""
    where = {}

    def note(node, scope):
        for child in ast.iter_child_nodes(node):
            where[child] = scope
            note(child, scopes.of.get(child, scope))

    note(tree, scopes.module)
    calls = {node.func: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    everything = scopes.all
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node not in scopes.meant:
            call = calls.get(node)
            above = list(where[node].upwards())
            given = len(call.args) + len(call.keywords) if call else 0
            tells = "exec eval" if given < 2 else ""
            tells += " locals" if given == 0 else ""
            tells += " vars dir" if call and given == 0 else ""
            if node.id == "globals":
                yield "globals()", node, [scopes.module]
            elif node.id in tells.split():
                yield f"{node.id}()", node, above
        elif isinstance(node, ast.Attribute):
            if node.attr == "f_locals":
                yield ".f_locals", node, everything
            elif node.attr in ("f_globals", "__globals__"):
                yield f".{node.attr}", node, [scopes.module]
            elif node.attr == "modules" and ast.unparse(node.value) == "sys":
                yield "sys.modules", node, [scopes.module]
            elif ast.unparse(node) in ("unittest.main", "doctest.testmod", "pytest.main"):
                yield f"{ast.unparse(node)}()", node, [scopes.module]
        elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            yield f"from {node.module} import *", node, [scopes.module]
        elif isinstance(node, ast.Import) and any(one.name == "__main__" for one in node.names):
            yield "import __main__", node, [scopes.module]


def keep(tree: ast.Module, scopes: Scopes) -> None:
    for told, _, reached in reaches(tree, scopes):
        for scope in reached:
            for binding in scope.bindings.values():
                binding.keep(f"can be read by {told}")
    strings = {node.value for node in ast.walk(tree) if is_string(node)}
    shown = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):  # dataclasses, enums and named tuples show theirs
        if isinstance(node, ast.ClassDef) and (decorated(node) or shows_name(node, scopes)):
            scopes.meant[node].keep("its name may be shown")
    if "__name__" in shown or "__qualname__" in shown:
        for binding in scopes.bindings():
            if binding.kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}:
                binding.keep("its __name__ may be shown")
    for binding in scopes.module.bindings.values():
        if any("__main__" in one and binding.name in one for one in strings):
            binding.keep("stands in a string that names __main__")
    for node in tree.body:  # what others import by name
        if isinstance(node, ast.Assign) and any(
            isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets
        ):
            for inner in ast.walk(node.value):
                if is_string(inner) and inner.value in scopes.module.bindings:
                    scopes.module.bindings[inner.value].keep("is in __all__")
    keep_parameters(tree, scopes, strings, shown)


def shows_name(node: ast.ClassDef, scopes: Scopes) -> bool:
    """Whether a base is neither a class of the script nor one that keeps quiet."""
    return any(
        last_name(one) not in PLAIN_BASES
        and (one not in scopes.meant or scopes.meant[one].kinds != {ast.ClassDef})
        for one in node.bases
    )


def is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def parameters(node: ast.AST) -> list[ast.arg]:
    arguments = node.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def initializer(node: ast.AST) -> ast.AST | None:
    """The function that a call of this definition ends in: itself, or a class's `__init__`."""
    if isinstance(node, ast.ClassDef):
        if decorated(node):
            return None
        found = [one for one in node.body if getattr(one, "name", "") == "__init__"]
        return found[0] if len(found) == 1 and not decorated(found[0]) else None
    return node if isinstance(node, FUNCTIONS) and not decorated(node) else None


def keep_parameters(tree: ast.Module, scopes: Scopes, strings: set[str], shown: set[str]) -> None:
    """Write the keywords of calls that are known as the parameters they mean; keep the others."""
    owned: dict[Binding, ast.AST] = {}  # what a name that is bound just once defines
    for binding in scopes.bindings():
        if binding.scope.is_class:
            continue
        stores = [one.node for one in binding.places if stores_name(one)]
        made = stores[0] if len(stores) == 1 else None
        if isinstance(made, (*FUNCTIONS, ast.ClassDef)) and (function := initializer(made)):
            owned[binding] = function
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    callees = {call.func: call for call in calls if isinstance(call.func, ast.Name)}
    unknown: set[str] = set()
    spread = False
    open_to: set[ast.AST] = set()  # functions that are called with a dict of keywords
    for call in calls:
        function = owned.get(scopes.meant.get(call.func)) if call.func in callees else None
        taken = {one.arg: one for one in parameters(function)} if function else {}
        for word in call.keywords:
            if word.arg is None and function:
                open_to.add(function)
            elif word.arg is None:
                spread = spread or not passed_on(word.value, scopes)
            elif word.arg in taken:
                binding = scopes.meant[taken[word.arg]]
                binding.places.append(Place(word, "arg"))
            else:
                unknown.add(word.arg)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):  # those of __init_subclass__
            unknown |= {one.arg for one in node.keywords if one.arg}
    # dict(x=1) and f(**{"x": 1}) end in keywords as well
    unknown |= strings
    asked_for = {
        inner.func
        for node in ast.walk(tree)
        for inner in ast.iter_child_nodes(node)
        if isinstance(inner, ast.Call)
        and (
            isinstance(node, ast.Compare)
            or (isinstance(node, ast.Attribute) and node.attr in ("__name__", "__dict__"))
            or (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "vars")
        )
    }
    # `type(x)(...)` and `cls(...)` make objects of classes that they do not name
    classes_met = shown & {"__class__", "__init_subclass__", "classmethod"} or any(
        isinstance(node, ast.Name) and node.id in ("type", "classmethod") and node not in asked_for
        for node in ast.walk(tree)
    )
    closed = {
        function
        for binding, function in owned.items()
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        and function not in open_to
        and (function.name != "__init__" or not classes_met)
        and all(one.node in callees for one in binding.places if not stores_name(one))
    }
    foreign = foreign_methods(tree, scopes)
    named = shown | {one for node in ast.walk(tree) for one in [getattr(node, "id", "")]}
    asked = named & SIGNATURE
    for scope in scopes.all:
        node = scope.node
        if not isinstance(node, FUNCTIONS):
            continue
        if node.args.kwarg:  # no new name may be a keyword that is meant for the rest
            scope.free |= {one for one in unknown if len(one) < 4}
        if node in closed and not asked:
            continue
        for n, one in enumerate(parameters(node)):
            binding = scopes.meant[one]
            if node.args.kwarg and (spread or node in open_to):
                binding.keep("its function may be called with any keyword")
            elif n == 0 and scope.parent.is_class and node.args.args and not static(node):
                continue  # self
            elif one in node.args.posonlyargs and not asked:
                continue
            elif one.arg in unknown:
                binding.keep("may be a keyword of a call")
            elif asked or spread or node in open_to or node in foreign or decorated(node):
                binding.keep("its function may be called with keywords")


def static(node: ast.AST) -> bool:
    return any(last_name(one) == "staticmethod" for one in getattr(node, "decorator_list", ()))


def stores_name(place: Place) -> bool:
    node = place.node
    return not isinstance(node, (ast.keyword, ast.Global, ast.Nonlocal)) and not (
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    )


def passed_on(node: ast.expr, scopes: Scopes) -> bool:
    """Whether `**node` hands on the keywords that the function around was called with."""
    binding = scopes.meant.get(node)
    function = binding.scope.node if binding else None
    taken = function.args.kwarg if isinstance(function, FUNCTIONS) else None
    return taken is not None and scopes.meant[taken] is binding


# what tells the names of a function's parameters
SIGNATURE = words(
    """__annotations__ __code__ __kwdefaults__ __signature__ getfullargspec get_annotations
    get_type_hints signature"""
)
# methods that a base of another module may call with keywords of its own
CALLED_AS_WE_CALL = re.compile(r"forward\Z|backward\Z|__")


def foreign_methods(tree: ast.Module, scopes: Scopes) -> set[ast.AST]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(
            not isinstance(one, ast.Name)
            or one not in scopes.meant
            or scopes.meant[one].kinds != {ast.ClassDef}
            for one in node.bases
        ):
            methods = [one for one in node.body if isinstance(one, FUNCTIONS)]
            found |= {one for one in methods if not CALLED_AS_WE_CALL.match(one.name)}
    return found


# which name each gets


def short_names(letters: str) -> Iterator[str]:
    """Every name of one letter, of two, and so on."""
    yield from letters
    ends = [*letters, *DIGITS]
    stems = list(letters)
    while True:
        longer = [stem + end for stem in stems for end in ends]
        yield from (one for one in longer if not keyword.iskeyword(one) and one not in BUILTINS)
        stems = longer


class Names:
    """The bindings that may be renamed, and the names that the others keep."""

    def __init__(self, scopes: Scopes, letters: str = LETTERS, alias_gain: int = 6) -> None:
        self.alias_gain = alias_gain
        self.kept: dict[Scope, set[str]] = {one: set(one.free) for one in scopes.all}
        self.bindings = []
        for binding in scopes.bindings():
            if self.movable(binding) and binding.name not in scopes.fixed:
                self.bindings.append(binding)
            else:
                for scope in binding.live:
                    self.kept[scope].add(binding.name)
        self.module = scopes.module
        self.list: list[str] = []
        self.more = short_names(letters)

    def movable(self, binding: Binding) -> bool:
        """Whether a name may change and is worth it: an import needs ` as x` for that."""
        if binding.kept:
            return False
        imports = [one.node for one in binding.places if one.field == "asname"]
        cost = sum(4 + len(one.name) for one in imports if one.asname is None)
        return not cost or weight(binding) * (len(binding.name) - 1) >= cost + self.alias_gain

    def __getitem__(self, n: int) -> str:
        while len(self.list) <= n:
            self.list.append(next(self.more))
        return self.list[n]


class Given(dict[Binding, str]):
    """Names given out so far, and which are still free for a binding."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.taken = {scope: set(kept) for scope, kept in names.kept.items()}

    def free(self, binding: Binding, name: str) -> bool:
        return all(name not in self.taken[scope] for scope in binding.live)

    def first(self, binding: Binding) -> str:
        n = 0
        while not self.free(binding, self.names[n]):
            n += 1
        return self.names[n]

    def give(self, binding: Binding, name: str) -> None:
        self[binding] = name
        for scope in binding.live:
            self.taken[scope].add(name)


def weight(binding: Binding) -> int:
    """How often a name is written."""
    return len({(place.node, place.index) for place in binding.places})


def heaviest(bindings: Iterable[Binding]) -> list[Binding]:
    return sorted(bindings, key=weight, reverse=True)


def by_frequency(names: Names) -> Given:
    """The most used name gets the first letter that is free for it."""
    given = Given(names)
    for binding in heaviest(names.bindings):
        given.give(binding, given.first(binding))
    return given


def by_origin(names: Names) -> Given:
    """As by frequency, but the same letter for the same name where it is free."""
    given, used = Given(names), {}
    for binding in heaviest(names.bindings):
        counts = used.setdefault(binding.name, Counter())
        liked = (one for one, _ in counts.most_common() if given.free(binding, one))
        name = next(liked, None) or given.first(binding)
        counts[name] += weight(binding)
        given.give(binding, name)
    return given


def by_order(names: Names) -> Given:
    """What all see first; then each function's names in the order in which they are bound."""
    given = Given(names)
    outer = [one for one in names.bindings if one.scope is names.module]
    inner = [one for one in names.bindings if one.scope is not names.module]
    for binding in [*heaviest(outer), *inner]:
        given.give(binding, given.first(binding))
    return given


STRATEGIES = [by_origin, by_order, by_frequency]

"""Which names of a tree are one name: what each scope binds, and where it is written.

Apart from `variables`, whose bindings list reads and writes by node and not places in the text.
"""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

from pgolf_compose.passes.tree import words

__all__ = ["BUILTINS", "Binding", "Place", "Scope", "Scopes", "words"]


# those of every Python that is supported: no pass may depend on the one it runs on
BUILTINS = frozenset(dir(builtins)) | {"PythonFinalizationError", "_IncompleteInputError"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(eq=False)
class Place:
    """Where an identifier is written: a field of a node, or one of a field's names."""

    node: ast.AST
    field: str
    index: int | None = None

    def write(self, name: str) -> None:
        if self.field == "asname":
            alias = self.node
            alias.asname = None if alias.name == name else name
        elif self.index is None:
            setattr(self.node, self.field, name)
        else:
            getattr(self.node, self.field)[self.index] = name


@dataclass(eq=False)
class Binding:
    """A name of one scope, everywhere it is meant. `kept` says why it has to stay, if it has."""

    name: str
    scope: "Scope"
    places: list[Place] = field(default_factory=list)
    live: dict["Scope", None] = field(default_factory=dict)  # in which it can be neither shadowed
    kept: str = ""
    kinds: set[type] = field(default_factory=set)  # of the nodes that bind it

    def keep(self, why: str) -> None:
        self.kept = self.kept or why

    def rename(self, name: str) -> None:
        for place in self.places:
            place.write(name)


@dataclass(eq=False)
class Scope:
    node: ast.AST
    parent: "Scope | None"
    bindings: dict[str, Binding] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)  # builtin or undefined names that it reads

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    def upwards(self) -> Iterator["Scope"]:
        scope = self
        while scope is not None:
            yield scope
            scope = scope.parent


class Scopes(ast.NodeVisitor):
    """The scopes of a module, its bindings, and the binding that each name stands for."""

    def __init__(self, tree: ast.Module) -> None:
        self.module = self.scope = Scope(tree, None)
        self.all = [self.module]
        self.of: dict[ast.AST, Scope] = {tree: self.module}  # by the node that opens it
        self.meant: dict[ast.AST, Binding] = {}  # by Name, arg or definition
        self.written: list[tuple[Scope, str, Place, bool]] = []
        self.fixed: set[str] = set()  # names of type parameters: left alone wherever they stand
        self.generic_visit(tree)
        for binds in (True, False):
            for scope, name, place, stores in self.written:
                if (stores and name not in scope.nonlocals) == binds:
                    self.resolve(scope, name, place, stores)
        for binding in self.bindings():
            self.judge(binding)

    def bindings(self) -> Iterator[Binding]:
        for scope in self.all:
            yield from scope.bindings.values()

    # which binding a name stands for

    def find(self, scope: Scope, name: str) -> Binding | None:
        """What `name` means in `scope`: None for a builtin, or what nothing defines."""
        if name in scope.globals:
            return self.module.bindings.get(name)
        for outer in scope.upwards():
            visible = outer is scope or not outer.is_class
            if visible and name in outer.bindings and name not in outer.nonlocals:
                return outer.bindings[name]
            if visible and name in outer.globals:
                return self.module.bindings.get(name)
        return None

    def resolve(self, scope: Scope, name: str, place: Place, stores: bool) -> None:
        home = scope
        if name in scope.globals:
            home = self.module
        if stores and name not in scope.nonlocals:
            binding = home.bindings.setdefault(name, Binding(name, home))
            binding.kinds.add(type(place.node))
        else:
            binding = self.find(scope, name)
        if binding is None:
            for outer in scope.upwards():
                outer.free.add(name)
            return
        binding.places.append(place)
        self.meant[place.node] = binding
        for outer in scope.upwards():
            binding.live[outer] = None
            if outer is binding.scope:
                break
        if scope.is_class and binding.scope is scope and scope.parent is not None:
            # before it is bound there, a name in a class body is that of a scope around it
            above = self.find(scope.parent, name)
            if above is not None or name in BUILTINS:
                binding.keep("stands for two things in a class body")
            if above is not None:
                above.keep("stands for two things in a class body")

    def judge(self, binding: Binding) -> None:
        if binding.name.startswith("__"):
            binding.keep("is special to Python")
        if binding.scope.is_class:
            binding.keep("is an attribute")
        if binding.scope is self.module and binding.name in BUILTINS:
            binding.keep("is a builtin too")
        if binding.name in self.fixed:
            binding.keep("is a type parameter")

    # the walk

    def put(self, name: str, node: ast.AST, field: str, index=None, stores=True) -> None:
        self.written.append((self.scope, name, Place(node, field, index), stores))

    def inside(self, node: ast.AST) -> "Inside":
        return Inside(self, node)

    def visit_all(self, nodes) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_Name(self, node):
        scope = self.scope
        if not isinstance(node.ctx, ast.Load):
            self.put(node.id, node, "id")
        else:
            self.written.append((scope, node.id, Place(node, "id"), False))

    def visit_NamedExpr(self, node):
        scope = self.scope
        while isinstance(self.scope.node, COMPREHENSIONS):
            self.scope = self.scope.parent
        self.visit(node.target)
        inner, self.scope = self.scope, scope
        while scope is not inner:  # nothing between may take its new name
            self.written.append((scope, node.target.id, Place(node.target, "id"), False))
            scope = scope.parent
        self.visit(node.value)

    def visit_function(self, node):
        arguments = node.args
        each = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        each += [one for one in (arguments.vararg, arguments.kwarg) if one]
        if not isinstance(node, ast.Lambda):
            self.visit_all(node.decorator_list)
            self.put(node.name, node, "name")
            self.visit_type_parameters(node)
            self.visit_all([node.returns, *(one.annotation for one in each)])
        self.visit_all([*arguments.defaults, *arguments.kw_defaults])
        with self.inside(node):
            for one in each:
                self.put(one.arg, one, "arg")
            self.visit_all([node.body] if isinstance(node, ast.Lambda) else node.body)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = visit_function

    def visit_ClassDef(self, node):
        self.visit_all(node.decorator_list)
        self.put(node.name, node, "name")
        self.visit_type_parameters(node)
        self.visit_all([*node.bases, *node.keywords])
        with self.inside(node):
            self.visit_all(node.body)

    def visit_type_parameters(self, node):
        for one in getattr(node, "type_params", ()):
            self.fixed.add(one.name)
            self.visit_all([getattr(one, "bound", None), getattr(one, "default_value", None)])

    def visit_TypeAlias(self, node):
        self.visit(node.name)
        self.visit_type_parameters(node)
        self.visit(node.value)

    def visit_comprehension_scope(self, node):
        first, *rest = node.generators
        self.visit(first.iter)
        with self.inside(node):
            self.visit_all([first.target, *first.ifs])
            for one in rest:
                self.visit_all([one.target, one.iter, *one.ifs])
            values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            self.visit_all(values)

    visit_ListComp = visit_SetComp = visit_comprehension_scope
    visit_DictComp = visit_GeneratorExp = visit_comprehension_scope

    def visit_Import(self, node):
        for alias in node.names:
            if alias.asname or "." not in alias.name:
                self.put(alias.asname or alias.name, alias, "asname")
            else:
                root = alias.name.partition(".")[0]
                self.put(root, alias, "name")
                self.fixed.add(root)

    def visit_ImportFrom(self, node):
        for alias in node.names:
            if node.module == "__future__":
                self.fixed.add(alias.name)
            if alias.name != "*":
                self.put(alias.asname or alias.name, alias, "asname")

    def visit_Global(self, node):
        self.scope.globals |= set(node.names)
        for index, name in enumerate(node.names):
            self.put(name, node, "names", index)

    def visit_Nonlocal(self, node):
        self.scope.nonlocals |= set(node.names)
        for index, name in enumerate(node.names):
            self.put(name, node, "names", index, stores=False)

    def visit_ExceptHandler(self, node):
        if node.name:
            self.put(node.name, node, "name")
        self.generic_visit(node)

    def visit_MatchAs(self, node):
        if node.name:
            self.put(node.name, node, "name")
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node):
        if node.rest:
            self.put(node.rest, node, "rest")
        self.generic_visit(node)


class Inside:
    """Opens the scope of a node for as long as its body is walked."""

    def __init__(self, scopes: Scopes, node: ast.AST) -> None:
        self.scopes, self.outer = scopes, scopes.scope
        self.scope = Scope(node, self.outer)
        scopes.all.append(self.scope)
        scopes.of[node] = self.scope

    def __enter__(self) -> Scope:
        self.scopes.scope = self.scope
        return self.scope

    def __exit__(self, *_) -> None:
        self.scopes.scope = self.outer

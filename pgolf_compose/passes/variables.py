"""Which binding each name in a tree means, as Python resolves them: who reads and writes it.

Apart from `scopes`, which is about text: every place of a name, and where another may not stand.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pgolf_compose.passes.scopes import BUILTINS
from pgolf_compose.passes.tree import children

__all__ = ["Binding", "Scope", "Scopes", "read_at_once", "stops"]

CALLABLES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(eq=False)
class Binding:
    """A variable: the nodes that read it, and those that bind it (names, arguments, imports)."""

    name: str
    scope: "Scope"
    reads: list[ast.Name] = field(default_factory=list)
    writes: list[ast.AST] = field(default_factory=list)
    declared: bool = False  # `global` or `nonlocal` names it


@dataclass(eq=False)
class Scope:
    node: ast.AST
    parent: "Scope | None"
    bindings: dict[str, Binding] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)  # name: "global" or "nonlocal"

    def bind(self, name: str, node: ast.AST) -> None:
        if name not in self.elsewhere:
            self.bindings.setdefault(name, Binding(name, self)).writes.append(node)

    def find(self, name: str) -> Binding | None:
        """The binding that `name` means here; None for builtins and what nothing binds."""
        scope, first = self, True
        if self.elsewhere.get(name) == "global":
            while scope.parent:
                scope = scope.parent
            return scope.bindings.get(name)
        while scope:
            skipped = isinstance(scope.node, ast.ClassDef) and not first
            if name in scope.bindings and not skipped:
                return scope.bindings[name]
            if scope.elsewhere.get(name) == "global":
                return scope.find(name)
            if not isinstance(scope.node, COMPREHENSIONS):
                first = False
            scope = scope.parent
        return None


class Scopes:
    """All scopes of a module; `of` tells the binding of a name's node, `within` a node's scope."""

    def __init__(self, tree: ast.Module):
        self.tree = tree
        self.module = Scope(tree, None)
        self.all = [self.module]
        self.within: dict[ast.AST, Scope] = {}
        self.uses: list[tuple[ast.Name, Scope]] = []
        self.of: dict[ast.AST, Binding] = {}
        self.of_scope: dict[ast.AST, Scope] = {tree: self.module}
        self.visit_all(tree.body, self.module)
        for scope in self.all:
            for name, where in scope.elsewhere.items():
                outer = self.module if where == "global" else scope.parent
                found = outer.find(name) if outer else None
                if found is None:
                    found = self.module.bindings.setdefault(name, Binding(name, self.module))
                found.declared = True
        for node, scope in self.uses:
            found = scope.find(node.id)
            if found is None:
                continue
            self.of[node] = found
            if isinstance(node.ctx, ast.Load):
                found.reads.append(node)
                self.ambiguous(found, node)
            elif node not in found.writes:  # through `global` or `nonlocal`
                found.writes.append(node)
        for binding in self.bindings():
            for node in binding.writes:
                self.of[node] = binding

    def ambiguous(self, found: Binding, node: ast.Name) -> None:
        """A name that a class body has yet to bind is the one around it: counted as declared."""
        if isinstance(found.scope.node, ast.ClassDef):
            above = found.scope.parent.find(node.id)
            if above is not None:
                above.reads.append(node)
                above.declared = found.declared = True
        if isinstance(found.scope.node, ast.ClassDef | ast.Module) and node.id in BUILTINS:
            found.declared = True

    @cached_property
    def order(self) -> dict[ast.AST, int]:
        """The rank of each node in the text; line numbers tell where a node once stood."""
        return {node: n for n, node in enumerate(self.within)}

    def bindings(self) -> Iterator[Binding]:
        for scope in self.all:
            yield from scope.bindings.values()

    def visit_all(self, nodes, scope: Scope) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node, scope)

    def inner(self, node: ast.AST, scope: Scope) -> Scope:
        made = Scope(node, scope)
        self.all.append(made)
        self.of_scope[node] = made
        return made

    def visit(self, node: ast.AST, scope: Scope) -> None:
        self.within[node] = scope
        if isinstance(node, ast.Name):
            self.uses.append((node, scope))
            if not isinstance(node.ctx, ast.Load):
                scope.bind(node.id, node)
        elif isinstance(node, CALLABLES):
            self.visit_function(node, scope)
        elif isinstance(node, ast.ClassDef):
            scope.bind(node.name, node)
            self.visit_all([*node.decorator_list, *node.bases, *node.keywords], scope)
            self.visit_all(node.body, self.inner(node, scope))
        elif isinstance(node, COMPREHENSIONS):
            self.visit_comprehension(node, scope)
        elif isinstance(node, ast.NamedExpr):
            self.visit(node.value, scope)
            target = scope
            while isinstance(target.node, COMPREHENSIONS):
                target = target.parent
            self.visit(node.target, target)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            for name in node.names:
                scope.elsewhere[name] = "global" if isinstance(node, ast.Global) else "nonlocal"
                scope.bindings.pop(name, None)
        else:
            if isinstance(node, ast.alias):
                scope.bind((node.asname or node.name).partition(".")[0], node)
            elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                scope.bind(node.name, node)
            elif isinstance(node, ast.MatchMapping) and node.rest:
                scope.bind(node.rest, node)
            self.visit_all(children(node), scope)

    def visit_function(self, node, scope: Scope) -> None:
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
        every = [one for one in every if one]
        if not isinstance(node, ast.Lambda):
            scope.bind(node.name, node)
            self.visit_all(node.decorator_list, scope)
            self.visit_all([node.returns], scope)
        self.visit_all([*args.defaults, *args.kw_defaults], scope)
        self.visit_all([one.annotation for one in every], scope)
        inner = self.inner(node, scope)
        for one in every:
            self.within[one] = inner
            inner.bind(one.arg, one)
        body = node.body if isinstance(node.body, list) else [node.body]
        # `global` counts for the whole body, wherever it stands
        for one in body:
            self.declare(one, inner)
        self.visit_all(body, inner)

    def declare(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Global | ast.Nonlocal):
            for name in node.names:
                scope.elsewhere[name] = "global" if isinstance(node, ast.Global) else "nonlocal"
        elif not isinstance(node, (*CALLABLES, ast.ClassDef)):
            for child in children(node):
                self.declare(child, scope)

    def visit_comprehension(self, node, scope: Scope) -> None:
        inner = self.inner(node, scope)
        for n, part in enumerate(node.generators):
            self.within[part] = inner
            self.visit(part.iter, scope if n == 0 else inner)
            self.visit(part.target, inner)
            self.visit_all(part.ifs, inner)
        if isinstance(node, ast.DictComp):
            self.visit_all([node.key, node.value], inner)
        else:
            self.visit(node.elt, inner)


def read_at_once(read: ast.Name, scope: Scope, scopes: Scopes) -> bool:
    """Whether a read happens when its statement runs: in the function itself or a display in it."""
    within = scopes.within[read]
    while isinstance(within.node, ast.ListComp | ast.SetComp | ast.DictComp):
        within = within.parent
    return within is scope


def stops(node: ast.AST, parents: dict, kinds: tuple) -> bool:
    """Whether a statement stands within one of some kinds, in its function."""
    while node in parents and not isinstance(node, CALLABLES):
        if isinstance(node, kinds):
            return True
        node = parents[node]
    return False

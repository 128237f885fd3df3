"""Take out what nothing reads: functions, classes, methods, attributes, variables, imports."""

import ast

from pgolf_compose.passes.constants import may_override, sets_by_name
from pgolf_compose.passes.kinds import FUNCTIONS, Kinds
from pgolf_compose.passes.tree import HARMLESS, edit, literal, pure, walk

__all__ = ["drop_unused"]

# a decorator with one of these words hands the function to somebody
REGISTERING = ("register", "custom_op", "impl", "hook", "command", "route", "fixture")
DYNAMIC = ("exec", "eval", "globals", "locals", "vars", "dir")


def drop_unused(tree: ast.Module) -> ast.Module:
    """The tree without definitions, bindings and attributes that nothing reads."""
    kinds = Kinds(tree)
    dynamic = any(
        isinstance(node, ast.Name) and node.id in DYNAMIC and not kinds.scopes.of.get(node)
        for node in kinds.nodes
    )
    changes: dict[ast.AST, ast.AST | list | None] = {}
    if not dynamic:
        for binding in kinds.scopes.bindings():
            drop_binding(binding, kinds, changes)
        drop_methods(kinds, changes)
        if not sets_by_name(kinds.nodes):
            drop_attributes(kinds, changes)
    drop_expressions(kinds, changes)
    return edit(tree, changes)


def drop_binding(binding, kinds: Kinds, changes: dict) -> None:
    """Imports, definitions and pure assignments of a variable that only its own code reads."""
    inside = isinstance(binding.scope.node, ast.ClassDef)
    if binding.name.startswith("__") or binding.declared or inside:
        return
    definitions = [one for one in binding.writes if isinstance(one, (*FUNCTIONS, ast.ClassDef))]
    own = {inner for one in definitions for inner in walk(one)}
    if any(read not in own for read in binding.reads):
        return
    for node in binding.writes:
        above = kinds.parents.get(node)
        if isinstance(node, ast.alias):
            if isinstance(above, ast.ImportFrom) and above.module == "__future__":
                continue
            if len(above.names) > 1:
                above.names.remove(node)
            else:
                changes[above] = None
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            words = " ".join(ast.unparse(one) for one in node.decorator_list)
            if not any(word in words for word in REGISTERING):
                changes[node] = None
        elif isinstance(above, ast.Assign) and above.targets == [node]:
            changes[above] = None if pure(above.value) else as_statement(above)
        elif isinstance(above, ast.Assign) and node in above.targets:
            above.targets.remove(node)
        elif isinstance(above, ast.AugAssign | ast.AnnAssign) and above.target is node:
            if above.value is None or pure(above.value):
                changes[above] = None
        elif isinstance(above, ast.NamedExpr):
            changes[above] = above.value
        elif isinstance(above, ast.Tuple) and isinstance(up := kinds.parents[above], ast.Assign):
            place = above.elts.index(node)
            if up.targets == [above] and isinstance(up.value, ast.Tuple):
                if len(up.value.elts) == len(above.elts) > 1 and pure(up.value.elts[place]):
                    del above.elts[place], up.value.elts[place]
                if len(above.elts) == 1:
                    up.targets, up.value = above.elts, up.value.elts[0]


def as_statement(node: ast.Assign) -> ast.Expr:
    return ast.copy_location(ast.Expr(node.value), node)


def drop_methods(kinds: Kinds, changes: dict) -> None:
    """Methods whose name stands nowhere else."""
    named = {node.attr for node in kinds.nodes if isinstance(node, ast.Attribute)}
    named |= words_in_texts(kinds)
    for own in kinds.classes.values():
        inner = kinds.scopes.of_scope[own].bindings
        for one in own.body:
            name = getattr(one, "name", "")
            if does_nothing(one, own) or (
                isinstance(one, FUNCTIONS)
                and name not in named
                and not name.startswith("__")
                and not may_override(own, name)
                and not inner[name].reads
            ):
                changes[one] = None
            elif isinstance(one, ast.Assign) and not own.bases and not own.decorator_list:
                target = one.targets[0]
                if (
                    isinstance(target, ast.Name)
                    and len(one.targets) == 1
                    and target.id not in named
                    and not target.id.startswith("__")
                    and not inner[target.id].reads
                    and pure(one.value)
                ):
                    changes[one] = None


def does_nothing(one: ast.stmt, own: ast.ClassDef) -> bool:
    """An `__init__` that is `object`'s own."""
    return (
        isinstance(one, ast.FunctionDef)
        and one.name == "__init__"
        and not own.bases
        and len(own.body) > 1
        and len(ast.unparse(one.args).split(",")) == 1
        and isinstance(one.body[-1], ast.Pass)
        and len(one.body) == 1
    )


def drop_attributes(kinds: Kinds, changes: dict) -> None:
    """Stores to attributes of own objects that nothing loads.

    A module that a model holds is a part of it even where nothing names it, so only values that
    cannot be one go: literals, and attributes of classes without a base.
    """
    loaded = {
        node.attr
        for node in kinds.nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    loaded |= words_in_texts(kinds)
    for name, stores in kinds.attribute_stores.items():
        if name in loaded or name.startswith("__"):
            continue
        for target, value in stores:
            own, above = kinds.of(target.value), kinds.parents[target]
            if own is None or may_override(own, name) or not isinstance(above, ast.Assign):
                continue
            plain = value is not None and (literal(value) or (not own.bases and pure(value)))
            if plain and len(above.targets) == 1:
                changes[above] = None
            elif plain:
                above.targets.remove(target)


def words_in_texts(kinds: Kinds) -> set[str]:
    """Words of strings that may name an attribute, for `getattr` or a name of a parameter.

    All words where code could be made of strings; else those of strings without other signs.
    """
    texts = {
        node.value
        for node in kinds.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    if not any(made_of_texts(node, kinds) for node in kinds.nodes):
        texts = {one for one in texts if all(c.isalnum() or c in "_.," for c in one)}
    return {
        word
        for text in texts
        for word in "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
    }


def made_of_texts(node: ast.AST, kinds: Kinds) -> bool:
    """Whether attributes may be asked for by a text that is put together, or by code in one."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr"):
        imported = kinds.scopes.of.get(node.args[0]) if node.args else None
        if imported and all(isinstance(one, ast.alias) for one in imported.writes):
            return False
        return len(node.args) < 2 or not isinstance(node.args[1], ast.Constant)
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in ("attrgetter", "methodcaller", "format_map", "format", "eval", "exec") or (
        name in ("getattr", "hasattr") and not isinstance(kinds.parents.get(node), ast.Call)
    )


def drop_expressions(kinds: Kinds, changes: dict) -> None:
    """Statements that only compute, docstrings aside."""
    for node in kinds.nodes:
        if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
            safe = frozenset(name for name in HARMLESS if name not in kinds.classes)
            if isinstance(node.value, ast.Name | ast.Attribute) and pure(node.value, safe):
                changes[node] = None

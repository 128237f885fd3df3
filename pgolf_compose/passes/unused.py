"""Take out what nothing reads: functions, classes, methods, attributes, variables, imports."""

import ast

from pgolf_compose.passes.attributes import KNOWN, STANDARD, foreign
from pgolf_compose.passes.constants import asks_by_name, may_override, sets_by_name
from pgolf_compose.passes.docstrings import HARMLESS as HARMLESS_DECORATORS
from pgolf_compose.passes.docstrings import last_name
from pgolf_compose.passes.kinds import FUNCTIONS, Kinds
from pgolf_compose.passes.tree import edit, literal, pure, walk, words
from pgolf_compose.passes.variables import stops

__all__ = ["drop_unused"]

# decorators that hand the function to nobody but who names it
DECORATORS = HARMLESS_DECORATORS | words("autotune dataclass enable_grad heuristics jit script")
GUARDS = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)
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
        if not asks_by_name(kinds.nodes):
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
    if any(read not in own for read in binding.reads) or needed(binding, kinds):
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
            changes[node] = None
        elif isinstance(above, ast.Assign) and above.targets == [node]:
            fails = not literal(above.value) and stops(above, kinds.parents, GUARDS)
            gone = pure(above.value, kinds.defined) and not fails
            changes[above] = None if gone else as_statement(above)
        elif isinstance(above, ast.Assign) and node in above.targets:
            above.targets.remove(node)
        elif isinstance(above, ast.AugAssign | ast.AnnAssign) and above.target is node:
            if above.value is None or pure(above.value):
                changes[above] = None
        elif isinstance(above, ast.NamedExpr):
            changes[above] = above.value
        elif isinstance(above, ast.Tuple) and isinstance(up := kinds.parents[above], ast.Assign):
            place = above.elts.index(node)
            starred = any(isinstance(one, ast.Starred) for one in walk(up))
            fails = stops(up, kinds.parents, GUARDS)
            plain = isinstance(up.value, ast.Tuple) and not starred and not fails
            if up.targets == [above] and plain:
                if len(up.value.elts) == len(above.elts) > 1 and pure(up.value.elts[place]):
                    del above.elts[place], up.value.elts[place]
                if len(above.elts) == 1:
                    up.targets, up.value = above.elts, up.value.elts[0]


def needed(binding, kinds: Kinds) -> bool:
    """Whether a variable that nothing reads does more: it is deleted, changes what it is bound to,
    or how it is bound has effects."""
    for node in binding.writes:
        above = kinds.parents.get(node)
        if isinstance(getattr(node, "ctx", None), ast.Del):
            return True
        if isinstance(above, ast.AugAssign):
            values = [getattr(kinds.parents.get(one), "value", None) for one in binding.writes]
            if not pure(above.value) or not all(literal(one) for one in values):
                return True
        if isinstance(node, ast.alias):
            module = above.module or "" if isinstance(above, ast.ImportFrom) else node.name
            known = module.partition(".")[0] in KNOWN | STANDARD
            if not known or stops(above, kinds.parents, GUARDS):
                return True
        if isinstance(node, ast.ClassDef) and not quiet(node, kinds):
            return True
        if isinstance(node, FUNCTIONS) and not all(
            map(pure, [*node.args.defaults, *filter(None, node.args.kw_defaults)])
        ):
            return True
        if any(last_name(one) not in DECORATORS for one in getattr(node, "decorator_list", ())):
            return True
    return False


def quiet(node: ast.ClassDef, kinds: Kinds) -> bool:
    """Whether nobody hears of a class that is made."""
    return kinds.plain(node) and all(
        isinstance(one, (*FUNCTIONS, ast.AnnAssign, ast.Pass))
        or (isinstance(one, ast.Assign | ast.Expr) and pure(one.value))
        for one in node.body
    )


def as_statement(node: ast.Assign) -> ast.Expr:
    return ast.copy_location(ast.Expr(node.value), node)


def drop_methods(kinds: Kinds, changes: dict) -> None:
    """Methods whose name stands nowhere else."""
    named = {node.attr for node in kinds.nodes if isinstance(node, ast.Attribute)}
    named |= words_in_texts(kinds) | asked_in_patterns(kinds)
    for own in kinds.classes.values():
        inner = kinds.scopes.of_scope[own].bindings
        for one in own.body:
            name = getattr(one, "name", "")
            if does_nothing(one, own) or (
                isinstance(one, FUNCTIONS)
                and name not in named
                and not name.startswith("__")
                and name not in foreign()
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
        and not (one.args.vararg or one.args.args[1:] or one.args.kwonlyargs or one.args.kwarg)
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
        if isinstance(node, ast.Attribute)
        and (
            isinstance(node.ctx, ast.Load | ast.Del)
            or isinstance(kinds.parents[node], ast.AugAssign)
        )
    }
    loaded |= words_in_texts(kinds) | asked_in_patterns(kinds) | set(kinds.defined)
    for name, stores in kinds.attribute_stores.items():
        if name in loaded or name.startswith("__"):
            continue
        for target, value in stores:
            own, above = kinds.of(target.value), kinds.parents[target]
            if own is None or may_override(own, name) or not isinstance(above, ast.Assign):
                continue
            if stops(above, kinds.parents, GUARDS):
                continue
            plain = value is not None and (
                literal(value) or (not own.bases and pure(value, kinds.defined))
            )
            if plain and len(above.targets) == 1:
                changes[above] = None
            elif plain:
                above.targets.remove(target)


def asked_in_patterns(kinds: Kinds) -> set[str]:
    return {
        name for node in kinds.nodes if isinstance(node, ast.MatchClass) for name in node.kwd_attrs
    }


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
            may_fail = stops(node, kinds.parents, GUARDS)
            own = getattr(node.value, "attr", "") in kinds.defined  # a property
            if isinstance(node.value, ast.Name | ast.Attribute) and not may_fail and not own:
                changes[node] = None

"""Put the values of a run where the environment was read, but for a few names."""

import ast
import copy
from collections.abc import Collection, Iterable, Mapping

from pgolf_compose.errors import ComposeError, did_you_mean, listed
from pgolf_compose.passes.tree import edit, literal, node_of, pure, words

__all__ = ["KEPT", "check_read", "freeze", "name_read", "names_read", "overridden"]

# What belongs to a run or to a machine and not to a submission; torchrun sets the second line.
KEPT = words("""SEED RUN_ID DATA_DIR DATA_PATH TOKENIZER_PATH ITERATIONS MAX_WALLCLOCK_SECONDS
    RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE GROUP_RANK MASTER_ADDR MASTER_PORT""")
TRUTHS = {"0": False, "1": True, "false": False, "true": True}


def freeze(tree: ast.Module, values: Mapping[str, str], keep: Collection[str] = KEPT) -> ast.Module:
    """The tree with each read of the environment replaced by its value in `values` or its default.

    Names in `keep` are still read, as are names that the script itself sets. Reads inside one-line
    functions that are given the name count. A loop that lists all values goes: none is open. A
    variable `VALUES` that holds a text becomes "frozen": our own scripts log it.
    Raises ComposeError where a value does not read as its default's type.
    """
    tree = beta_reduced(tree)
    changes: dict[ast.AST, ast.AST | list | None] = {}
    set_here = {
        name.value
        for node in ast.walk(tree)
        if (name := subscript_name(node)) and not isinstance(node.ctx, ast.Load)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and changes_environ(node.func):
            # every text in the call may be a name that it sets
            set_here |= {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
            set_here |= {one.arg for one in node.keywords}
    open_names = {*keep, *set_here}
    ours = any(is_env_helper(node) for node in tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if ours and isinstance(node.func, ast.Name) and node.func.id == "env":
                changes[node] = declared_value(node, values, open_names)
            elif is_get(node.func):
                name = literal(node.args[0] if node.args else None)
                if name and name.value not in open_names:
                    changes[node] = value_read(node, name.value, values)
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            name, sign = literal(node.left), node.ops[0]
            asked = isinstance(sign, ast.In | ast.NotIn) and is_environ(node.comparators[0])
            if name and asked and name.value not in open_names:
                found = (name.value in values) == isinstance(sign, ast.In)
                changes[node] = node_of(found, node)
        elif (name := subscript_name(node)) and isinstance(node.ctx, ast.Load):
            if name.value in values and name.value not in open_names:
                changes[node] = node_of(values[name.value], node)
        elif isinstance(node, ast.For) and lists_values(node.iter):
            changes[node] = None
        elif (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "VALUES"
            and literal(node.value)
        ):
            node.value = node_of("frozen", node.value)
    return edit(tree, changes)


def names_read(tree: ast.Module) -> list[str]:
    """The environment's names that a script reads by a name in its text, sorted."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "env":
            if node.args and (name := literal(node.args[0])):
                found.update(str(name.value).split())
        else:
            found.add(name_read(node))
    return sorted(name for name in found if isinstance(name, str))


def name_read(node: ast.AST) -> object:
    """NAME, where a node is `os.environ.get("NAME")`, `os.getenv("NAME")`, `os.environ["NAME"]`."""
    if isinstance(node, ast.Call) and node.args and is_get(node.func):
        name = literal(node.args[0])
    else:
        name = subscript_name(node) if isinstance(getattr(node, "ctx", 0), ast.Load) else None
    return name.value if name else None


def check_read(tree: ast.Module, names: Iterable[str], where: object = None) -> None:
    """Raises ComposeError for a name of the environment that the script does not read."""
    known = names_read(tree)
    for name in names:
        if name not in known:
            more = f" and {len(known) - 8} more" if len(known) > 9 else ""
            few = f"{', '.join(known[:8])}{more}" if more else listed(known)
            reads = did_you_mean(name, known) or f" It reads {few or 'none'}."
            raise ComposeError(f"{name} is not read by this script.{reads}", where)


def overridden(
    tree: ast.Module, environ: Mapping[str, str], keep: Collection[str] = KEPT
) -> dict[str, str]:
    """What the environment sets to something else than this script of ours holds, once frozen.

    By the name that is set, the script's own value as text.
    """
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "env":
            names = node.args[0].value.split()
            value, default = declared_value(node, environ, keep), node.args[1]
            name = next((one for one in names if one in environ), None)
            if name and not set(names) & set(keep) and literal(value) != literal(default):
                found[name] = ast.unparse(default)
    return found


def is_environ(node: ast.AST) -> bool:
    return ast.unparse(node) in ("os.environ", "environ")


def changes_environ(node: ast.AST) -> bool:
    """`os.environ.setdefault`, `.update`, `.pop` and the like."""
    reading = ("get", "copy", "items", "keys", "values")
    return isinstance(node, ast.Attribute) and is_environ(node.value) and node.attr not in reading


def is_get(node: ast.AST) -> bool:
    """`os.environ.get` or `os.getenv`."""
    if isinstance(node, ast.Attribute) and node.attr == "get":
        return is_environ(node.value)
    return ast.unparse(node) in ("os.getenv", "getenv")


def subscript_name(node: ast.AST):
    """The name in `os.environ["NAME"]`."""
    if isinstance(node, ast.Subscript) and is_environ(node.value):
        return literal(node.slice)
    return None


def is_env_helper(node: ast.AST) -> bool:
    """Our own scripts' `env(names, default, ...)`: by its name and its first two parameters."""
    return (
        isinstance(node, ast.FunctionDef)
        and node.name == "env"
        and [one.arg for one in node.args.args[:2]] == ["names", "default"]
    )


def value_read(node: ast.Call, name: str, values: Mapping[str, str]) -> ast.expr:
    """What `os.environ.get(name, default)` gives."""
    if name in values:
        return node_of(values[name], node)
    if len(node.args) > 1:
        return node.args[1]
    default = [one.value for one in node.keywords if one.arg == "default"]
    return default[0] if default else node_of(None, node)


def declared_value(node: ast.Call, values: Mapping[str, str], keep: Collection[str]) -> ast.expr:
    """What `env(names, default)` gives, or a plain read of the name that is kept."""
    names, default = node.args[0].value.split(), node.args[1]
    found = literal(default)
    kept = [name for name in names if name in keep]
    if kept:
        kind = type(found.value).__name__ if found else "str"
        read = ast.parse(f"os.environ.get({kept[0]!r}, 0)", mode="eval").body
        read.args[1] = default
        if kind == "bool":
            raise ComposeError(f"{kept[0]} is a switch: it cannot stay open in a frozen file")
        if kind != "str":
            read = ast.Call(ast.Name(kind, ast.Load()), [read], [])
        for one in ast.walk(read):
            ast.copy_location(one, node)
        return read
    name = next((one for one in names if one in values), None)
    if name is None or found is None:
        return default
    text, usual = values[name], found.value
    try:
        if isinstance(usual, bool):
            value = TRUTHS[text.lower()]
        elif isinstance(usual, tuple):
            value = tuple(int(item) for item in text.split(",") if item)
        else:
            value = type(usual)(text)
    except (KeyError, ValueError):
        kind = type(usual).__name__
        raise ComposeError(f"{name}={text} does not read as {kind}; unset, it is {usual}") from None
    return node_of(value, node)


def lists_values(node: ast.AST) -> bool:
    """An iterator over all attributes of an object or class: the log's list of values."""
    text = ast.unparse(node)
    return ".items()" in text and ("__dict__" in text or "vars(" in text)


def beta_reduced(tree: ast.Module) -> ast.Module:
    """Calls of one-line functions that read a name they are given, written out."""
    helpers = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and len(body := without_docstring(node)) == 1
        and isinstance(body[0], ast.Return)
        and not (node.args.vararg or node.args.kwarg or node.args.kwonlyargs)
        and any(
            isinstance(one, ast.Call)
            and is_get(one.func)
            and one.args
            and isinstance(one.args[0], ast.Name)
            for one in ast.walk(body[0])
        )
    }
    changes = {}
    for node in ast.walk(tree):
        helper = isinstance(node, ast.Call) and helpers.get(getattr(node.func, "id", ""))
        if not helper or (node.keywords and any(one.arg is None for one in node.keywords)):
            continue
        names = [one.arg for one in (*helper.args.posonlyargs, *helper.args.args)]
        defaults = helper.args.defaults
        given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
        given |= dict(zip(names, node.args, strict=False))
        given |= {one.arg: one.value for one in node.keywords}
        if any(isinstance(one, ast.Starred) for one in node.args) or not all(map(pure, node.args)):
            continue
        if set(given) == set(names):
            text = ast.unparse(without_docstring(helper)[0].value)
            value = Replace(given).visit(ast.parse(text, mode="eval").body)
            for one in ast.walk(value):
                ast.copy_location(one, node)
            changes[node] = value
    return edit(tree, changes)


def without_docstring(node: ast.FunctionDef) -> list[ast.stmt]:
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body


class Replace(ast.NodeTransformer):
    def __init__(self, given: Mapping[str, ast.expr]):
        self.given = given

    def visit_Name(self, node):
        return copy.deepcopy(self.given.get(node.id, node))

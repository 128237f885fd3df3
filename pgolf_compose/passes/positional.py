"""Arguments by their place: `f(x, steps=5)` as `f(x, 5)`, where the callee is the script's own."""

import ast

from pgolf_compose.passes.constants import own_functions
from pgolf_compose.passes.docstrings import decorated
from pgolf_compose.passes.kinds import FUNCTIONS, Kinds
from pgolf_compose.passes.tree import pure

__all__ = ["place_arguments"]


def place_arguments(tree: ast.Module) -> ast.Module:
    """The tree with keywords of known calls by place, and no default that every call overrides."""
    kinds = Kinds(tree)
    functions = own_functions(kinds)
    known = {call: function.parameters for function in functions for call in function.calls}
    for node in kinds.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node not in known and (parameters := callee(node.func, kinds)) is not None:
            known[node] = parameters
    for call, parameters in known.items():
        by_place(call, [one.arg for one in parameters])
    for function in functions:
        arguments = function.node.args
        while arguments.defaults:
            n = len(arguments.args) - len(arguments.defaults) - function.first
            if n < 0 or not all(gives(call, n, arguments) for call in function.calls):
                break
            del arguments.defaults[0]
    return tree


def callee(name: ast.Name, kinds: Kinds) -> list[ast.arg] | None:
    """The parameters of the function or class that a name can only mean."""
    binding = kinds.scopes.of.get(name)
    if binding is None or len(binding.writes) != 1 or binding.declared:
        return None
    node, first = binding.writes[0], 0
    if isinstance(node, ast.ClassDef) and not node.keywords and not decorated(node):
        inner = {getattr(one, "name", ""): one for one in node.body}
        node, first = None if "__new__" in inner else inner.get("__init__"), 1
    if isinstance(node, FUNCTIONS) and not node.decorator_list:
        return [*node.args.posonlyargs, *node.args.args][first:]
    return None


def by_place(call: ast.Call, names: list[str]) -> None:
    if any(isinstance(one, ast.Starred) for one in call.args):
        return
    if any(one.arg is None for one in call.keywords):
        return
    for name in names[len(call.args) :]:
        found = [n for n, one in enumerate(call.keywords) if one.arg == name]
        if not found:
            break
        passed = call.keywords[: found[0] + 1]
        if found[0] and not all(pure(one.value) for one in passed):
            break
        call.args.append(call.keywords.pop(found[0]).value)


def gives(call: ast.Call, n: int, arguments: ast.arguments) -> bool:
    """Whether a call says what the n-th parameter is."""
    name = arguments.args[len(arguments.args) - len(arguments.defaults)].arg
    return n < len(call.args) or any(one.arg == name for one in call.keywords)

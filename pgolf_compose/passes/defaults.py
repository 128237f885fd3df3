"""Leave out arguments that say what holds without them."""

import ast

from pgolf_compose.passes.tree import literal, walk

__all__ = ["drop_defaults"]

# method or function: keyword, and the default that PyTorch documents since 2.0
DEFAULTS = {
    ("autocast", "enabled"): True,
    ("cross_entropy", "reduction"): "mean",
    ("load_state_dict", "strict"): True,
    ("normal_", "mean"): 0.0,
    ("orthogonal_", "gain"): 1.0,
    ("zero_grad", "set_to_none"): True,
}


def drop_defaults(tree: ast.Module) -> ast.Module:
    """The tree without keyword arguments at their defaults, of functions the script has not."""
    own = {node.name for node in walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in walk(tree):
        name = getattr(node.func, "attr", "") if isinstance(node, ast.Call) else ""
        if name and name not in own:
            node.keywords = [one for one in node.keywords if not is_default(name, one)]
    return tree


def is_default(function: str, keyword: ast.keyword) -> bool:
    value = literal(keyword.value)
    key = function, keyword.arg
    return bool(value) and key in DEFAULTS and repr(DEFAULTS[key]) == repr(value.value)

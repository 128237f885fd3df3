"""Leave out arguments that say what holds without them."""

import ast

from pgolf_compose.passes.tree import literal, walk

__all__ = ["drop_defaults"]

# method or function: keyword, and the default that PyTorch documents since 2.0
DEFAULTS = {
    ("all_gather", "async_op"): False,
    ("all_reduce", "async_op"): False,
    ("autocast", "enabled"): True,
    ("cat", "dim"): 0,
    ("compile", "fullgraph"): False,
    ("cross_entropy", "reduction"): "mean",
    ("linspace", "requires_grad"): False,
    ("load_state_dict", "strict"): True,
    ("normal_", "mean"): 0.0,
    ("orthogonal_", "gain"): 1.0,
    ("register_buffer", "persistent"): True,
    ("rms_norm", "eps"): None,
    ("scaled_dot_product_attention", "attn_mask"): None,
    ("scaled_dot_product_attention", "dropout_p"): 0.0,
    ("scaled_dot_product_attention", "enable_gqa"): False,
    ("scaled_dot_product_attention", "is_causal"): False,
    ("stack", "dim"): 0,
    ("zero_grad", "set_to_none"): True,
}
SUMS = ("dist.ReduceOp.SUM", "torch.distributed.ReduceOp.SUM")


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
    if key == ("all_reduce", "op"):
        return ast.unparse(keyword.value) in SUMS
    return bool(value) and key in DEFAULTS and repr(DEFAULTS[key]) == repr(value.value)

"""Drop docstrings, annotations and other statements that are only a literal.

What has a meaning at run time stays: annotations of dataclasses, of functions with decorators that
read them (`custom_op`, Triton's `constexpr`), and all of them where something asks for them.
"""

import ast

from pgolf_compose.passes.scopes import BUILTINS, words

__all__ = ["HARMLESS", "PLAIN_BASES", "decorated", "docstrings", "last_name"]

# decorators that call a function as it was called, and read neither its names nor its annotations
HARMLESS = words("""abstractmethod cache cached_property classmethod compile contextmanager disable
    inference_mode lru_cache no_grad property staticmethod wraps""")
# bases that read nothing of the classes made of them
PLAIN_BASES = BUILTINS | words(
    """ABC Adam AdamW Dataset Embedding Function IterableDataset LayerNorm Linear Module ModuleDict
    ModuleList Optimizer RMSNorm SGD Sequential Thread"""
)
# what reads annotations of functions and classes that are handed to it, by the name it is called by
READERS = words("custom_op infer_schema script triton_op validate_call")
ASKED = words("__annotations__ get_annotations get_type_hints signature")
# packages that make command lines or checks of annotations
PACKAGES = words(
    """attr attrs beartype chz cyclopts draccus fastapi fire jaxtyping jsonargparse msgspec
    numba plac pydantic simple_parsing tap traitlets transformers typeguard typer tyro"""
)


def last_name(node: ast.expr) -> str:
    """`torch.compile(dynamic=False)` -> `compile`."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def decorated(node: ast.AST) -> bool:
    """Whether a definition has a decorator that may read more than it calls."""
    return any(
        last_name(one) not in HARMLESS and last_name(one) not in ("setter", "getter", "deleter")
        for one in getattr(node, "decorator_list", ())
    )


def docstrings(tree: ast.Module) -> ast.Module:
    tree = Docstrings(tree).visit(tree)
    if not any(map(annotated, ast.walk(tree))):
        tree.body = [one for one in tree.body if not lets_annotations_wait(one)] or tree.body
    return tree


def annotated(node: ast.AST) -> bool:
    return bool(getattr(node, "annotation", None) or getattr(node, "returns", None))


def lets_annotations_wait(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and [one.name for one in node.names] == ["annotations"]
        and node.names[0].asname is None
    )


class Docstrings(ast.NodeTransformer):
    def __init__(self, tree: ast.Module) -> None:
        self.names: set[str] = set()  # of all variables and attributes that the script reads
        self.read: set[str] = set()  # functions that are handed to readers of annotations
        packages = set()
        self.classes = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                self.names.add(node.id)
            elif isinstance(node, ast.Attribute):
                self.names.add(node.attr)
            elif isinstance(node, ast.alias):
                packages.add(node.name.partition(".")[0])
                self.names.add(node.name)
            elif isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Call) and last_name(node.func) in READERS:
                self.read |= {one.id for one in node.args if isinstance(one, ast.Name)}
            if isinstance(node, ast.ImportFrom):
                packages.add((node.module or "").partition(".")[0])
        self.asked = bool(self.names & ASKED or packages & PACKAGES)
        self.documented = bool(self.names & {"__doc__", "getdoc"})
        self.scope: ast.AST = tree

    def reads_annotations(self, node: ast.AST) -> bool:
        """Whether a function's or class's annotations mean something when it runs."""
        if self.asked or decorated(node) or getattr(node, "name", "") in self.read:
            return True
        return isinstance(node, ast.ClassDef) and not self.plain(node, set())

    def plain(self, node: ast.ClassDef, seen: set[str]) -> bool:
        names = [last_name(one) for one in node.bases]
        above = [self.classes[one] for one in names if one in self.classes and one not in seen]
        return (
            all(one in self.classes or one in PLAIN_BASES for one in names)
            and all(last_name(one.value) == "ABCMeta" for one in node.keywords)
            and not any(decorated(one) for one in [node, *above])
            and all(self.plain(one, seen | {node.name}) for one in above)
        )

    def body(self, node: ast.AST, keep_first: bool) -> None:
        """Without the literals among its statements."""
        outer, self.scope = self.scope, node
        first, kept = node.body[:1], []
        for one in node.body:
            docstring = keep_first and one is first[0] and is_string(one)
            if docstring or not is_literal(one):
                done = self.visit(one)
                kept += [done] if done is not None else []
        node.body = kept or ([] if isinstance(node, ast.Module) else [nothing(first[0])])
        self.scope = outer

    def visit_Module(self, node):
        self.body(node, self.documented)
        return node

    def visit_function(self, node):
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.args = self.visit(node.args)
        if not self.reads_annotations(node):
            for one in ast.walk(node.args):
                if isinstance(one, ast.arg) and not is_constexpr(one.annotation):
                    one.annotation = None
            node.returns = None
        self.body(node, self.documented or decorated(node))
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_function

    def visit_ClassDef(self, node):
        self.body(node, self.documented or self.reads_annotations(node))
        return node

    def generic_visit(self, node):
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list) and not isinstance(node, ast.Module):
                kept = [one for one in statements if not is_literal(one)]
                empty = name == "body" and not kept
                setattr(node, name, [nothing(node)] if empty else kept)
        return node

    def visit_AnnAssign(self, node):
        self.generic_visit(node)
        keeps = isinstance(self.scope, ast.ClassDef) and self.reads_annotations(self.scope)
        module = isinstance(self.scope, ast.Module)
        if keeps or is_constexpr(node.annotation) or (module and self.asked):
            return node
        if node.value is not None:
            return ast.copy_location(ast.Assign([node.target], node.value), node)
        function = isinstance(self.scope, (ast.FunctionDef, ast.AsyncFunctionDef))
        if function and isinstance(node.target, ast.Name) and not self.bound(node.target):
            return node  # this line alone makes the name a local one
        return None

    def bound(self, target: ast.Name) -> bool:
        """Whether the function binds the name in another place too."""
        named = [one for one in ast.walk(self.scope) if getattr(one, "id", "") == target.id]
        return all(not isinstance(one.ctx, ast.Load) for one in named) or any(
            isinstance(one.ctx, ast.Store) and one is not target for one in named
        )


def is_literal(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_string(node: ast.AST) -> bool:
    return is_literal(node) and isinstance(node.value.value, str)


def is_constexpr(annotation: ast.expr | None) -> bool:
    return annotation is not None and "constexpr" in ast.unparse(annotation)


def nothing(node: ast.AST) -> ast.Expr:
    """The shortest statement."""
    return ast.copy_location(ast.Expr(ast.copy_location(ast.Constant(0), node)), node)

"""Which expressions are objects of a class that the script defines, as far as its text tells."""

import ast
from functools import cached_property

from pgolf_compose.passes.docstrings import PLAIN_BASES, last_name
from pgolf_compose.passes.tree import children, walk, words
from pgolf_compose.passes.variables import Binding, Scopes

__all__ = ["Kinds"]

# methods that make attributes or objects what they are not in the text
SPECIAL = words(
    """__delattr__ __getattr__ __getattribute__ __init_subclass__ __new__ __set_name__ __setattr__
    __setstate__"""
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# methods of modules that return their object
SAME = words("bfloat16 cpu cuda double eval float half requires_grad_ to train")


class Kinds:
    """Own classes by name; `of` tells an expression's class, the class itself or an instance."""

    def __init__(self, tree: ast.Module):
        self.tree = tree
        self.nodes = walk(tree)
        self.scopes = Scopes(tree)
        self.parents = {child: node for node in self.nodes for child in children(node)}
        self.classes = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            and len(self.scopes.module.bindings[node.name].writes) == 1
        }
        while odd := [name for name, node in self.classes.items() if not self.plain(node)]:
            for name in odd:
                del self.classes[name]
        self.known: dict[Binding, ast.ClassDef | None] = {}
        self.known_attributes: dict[str, ast.ClassDef | None] = {}

    def plain(self, node: ast.ClassDef) -> bool:
        """Whether attributes are what is stored: no enumeration, data class, `__getattr__`."""
        return (
            not node.decorator_list
            and not node.keywords
            and all(last_name(one) in PLAIN_BASES | set(self.classes) for one in node.bases)
            and not any(getattr(one, "name", "") in SPECIAL for one in node.body)
        )

    @cached_property
    def defined(self) -> dict[str, list[ast.AST]]:
        """Functions and classes, by name."""
        found: dict[str, list[ast.AST]] = {}
        for node in self.nodes:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                found.setdefault(node.name, []).append(node)
        return found

    @cached_property
    def members(self) -> dict[str, ast.ClassDef]:
        """What bodies of classes bind, with one of these classes."""
        scopes = [one for one in self.scopes.all if isinstance(one.node, ast.ClassDef)]
        return {name: scope.node for scope in scopes for name in scope.bindings}

    @cached_property
    def names(self) -> set[str]:
        """Every name of a variable, to keep new ones apart; a pass adds those it makes."""
        used = {node.id for node in self.nodes if isinstance(node, ast.Name)}
        return used | {one.name for one in self.scopes.bindings()}

    @cached_property
    def attribute_stores(self) -> dict[str, list[tuple[ast.Attribute, ast.expr | None]]]:
        """Stores through a dot, by attribute: the target and the value where it is one."""
        found: dict[str, list[tuple[ast.Attribute, ast.expr | None]]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                above, value = self.parents[node], None
                if (isinstance(above, ast.Assign) and node in above.targets) or isinstance(
                    above, ast.AnnAssign
                ):
                    value = above.value
                found.setdefault(node.attr, []).append((node, value))
        return found

    def class_of_method(self, function: ast.AST) -> ast.ClassDef | None:
        above = self.parents.get(function)
        if isinstance(above, ast.ClassDef) and self.classes.get(above.name) is above:
            return above
        return None

    def of(self, node: ast.expr | None) -> ast.ClassDef | None:
        if isinstance(node, ast.Name):
            if node.id in self.classes and self.scopes.of.get(node) is self.module_binding(node.id):
                return self.classes[node.id]
            binding = self.scopes.of.get(node)
            return self.of_binding(binding) if binding else None
        if isinstance(node, ast.Attribute):
            return self.of_attribute(node.attr) if self.of(node.value) else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in self.classes:
                return self.of(node.func)
            if node.func.id == "type" and len(node.args) == 1:
                return self.of(node.args[0])
        method = node.func.attr if is_method_call(node) else ""
        if method in SAME and method not in self.defined:  # model.to(device)
            own = self.of(node.func.value)
            return own if own and is_module(own) else None
        return None

    def module_binding(self, name: str) -> Binding | None:
        return self.scopes.module.bindings.get(name)

    def of_binding(self, binding: Binding) -> ast.ClassDef | None:
        if binding not in self.known:
            self.known[binding] = None  # while it is being found: it may depend on itself
            found = {self.of_write(binding, node) for node in binding.writes}
            self.known[binding] = found.pop() if len(found) == 1 else None
        return self.known[binding]

    def of_write(self, binding: Binding, node: ast.AST) -> ast.ClassDef | None:
        above = self.parents.get(node)
        if isinstance(node, ast.arg):
            return self.of_parameter(binding, node)
        if isinstance(above, ast.Assign) and node in above.targets:
            return self.of(above.value)
        if isinstance(above, ast.AnnAssign):
            return self.of(above.value)
        if isinstance(above, ast.Tuple) and isinstance(self.parents[above], ast.Assign):
            value = self.parents[above].value
            if isinstance(value, ast.Tuple) and len(value.elts) == len(above.elts):
                return self.of(value.elts[above.elts.index(node)])
        return None

    def of_parameter(self, binding: Binding, node: ast.arg) -> ast.ClassDef | None:
        arguments = binding.scope.node.args
        if node in (arguments.vararg, arguments.kwarg):
            return None
        if isinstance(node.annotation, ast.Name):
            return self.classes.get(node.annotation.id)
        if isinstance(node.annotation, ast.Constant):
            return self.classes.get(node.annotation.value)
        if node.annotation is not None:
            return None
        function = binding.scope.node
        first = (*arguments.posonlyargs, *arguments.args)[:1]
        own = self.class_of_method(function) if isinstance(function, FUNCTIONS) else None
        if own and first == (node,):
            static = any(
                getattr(one, "id", "") == "staticmethod" for one in function.decorator_list
            )
            return None if static else own
        named = self.by_name.get(node.arg)
        if named and self.given_everywhere(node, function, named):
            return named
        return self.of_arguments(function, node)

    def of_arguments(self, function: ast.AST, node: ast.arg) -> ast.ClassDef | None:
        """The class of what every call gives for a parameter, where all uses are plain calls."""
        own = self.class_of_method(function)
        if isinstance(function, ast.Lambda) or (own and function.name != "__init__"):
            return None
        binding = self.scopes.of.get(own or function)
        if binding is None or len(binding.writes) != 1 or binding.declared or not binding.reads:
            return None
        parameters = [*function.args.posonlyargs, *function.args.args][bool(own) :]
        if node not in parameters or isinstance(self.parents[own or function], ast.ClassDef):
            return None
        first = len(parameters) - len(function.args.defaults)
        place, found = parameters.index(node), set()
        for read in binding.reads:
            call = self.parents[read]
            if not isinstance(call, ast.Call) or call.func is not read:
                return None
            if any(isinstance(one, ast.Starred) for one in call.args):
                return None
            words_given = {one.arg: one.value for one in call.keywords}
            if None in words_given:
                return None
            if place < len(call.args):
                found.add(self.of(call.args[place]))
            elif node.arg in words_given:
                found.add(self.of(words_given[node.arg]))
            else:
                return None if place < first else self.of(function.args.defaults[place - first])
        return found.pop() if len(found) == 1 else None

    def given_everywhere(self, node: ast.arg, function: ast.AST, kind: ast.ClassDef) -> bool:
        """Whether each call by a function's name gives such an object for a parameter."""
        if isinstance(function, ast.Lambda):
            return False
        above = self.parents[function]
        bound = isinstance(above, ast.ClassDef)
        name = above.name if bound and function.name == "__init__" else function.name
        place = [*function.args.posonlyargs, *function.args.args].index(node) - bound
        for call in self.calls.get(name, ()):
            given = [one.value for one in call.keywords if one.arg == node.arg]
            given += call.args[place : place + 1]
            if any(
                getattr(one, "id", "") != node.arg and self.of(one) is not kind for one in given
            ):
                return False
        return True

    @cached_property
    def calls(self) -> dict[str, list[ast.Call]]:
        found: dict[str, list[ast.Call]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Call):
                found.setdefault(last_name(node.func), []).append(node)
        return found

    @cached_property
    def by_name(self) -> dict[str, ast.ClassDef]:
        """Parameters without annotation that carry the name of the one object of a class of values.

        Public scripts pass their hyperparameters as `h` or `args` everywhere; this holds where
        every variable of that name is such an object.
        """
        bags = {name: node for name, node in self.classes.items() if is_bag(node)}
        found: dict[str, set[ast.ClassDef | None]] = {}
        for binding in self.scopes.bindings():
            for node in binding.writes:
                if isinstance(node, ast.arg):
                    continue
                above, made = self.parents.get(node), None
                if isinstance(above, ast.Assign) and node in above.targets:
                    value = above.value
                    value = value.func if isinstance(value, ast.Call) else value
                    if isinstance(value, ast.Name):
                        made = bags.get(value.id)
                found.setdefault(binding.name, set()).add(made)
        return {
            n: kinds.pop() for n, kinds in found.items() if len(kinds) == 1 and None not in kinds
        }

    def of_attribute(self, attribute: str) -> ast.ClassDef | None:
        if attribute not in self.known_attributes:
            self.known_attributes[attribute] = None
            found = {self.of(value) for _, value in self.attribute_stores.get(attribute, ())}
            if len(found) == 1 and attribute not in self.defined | self.members:
                self.known_attributes[attribute] = found.pop()
        return self.known_attributes[attribute]


def is_method_call(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def is_module(node: ast.ClassDef) -> bool:
    """A class of `nn.Module` and of nothing else."""
    return bool(node.bases) and all(
        isinstance(one, ast.Attribute | ast.Name)
        and (one.attr if isinstance(one, ast.Attribute) else one.id) == "Module"
        for one in node.bases
    )


def is_bag(node: ast.ClassDef) -> bool:
    """A class that only holds values: no base, no method, no decorator."""
    return not (node.bases or node.keywords or node.decorator_list) and not any(
        isinstance(one, (*FUNCTIONS, ast.ClassDef)) for one in walk(node) if one is not node
    )

"""Carry known values to where they are read: through names, attributes and arguments."""

import ast

from pgolf_compose.passes.attributes import foreign
from pgolf_compose.passes.docstrings import last_name
from pgolf_compose.passes.kinds import FUNCTIONS, Kinds, is_bag, is_module
from pgolf_compose.passes.scopes import BUILTINS
from pgolf_compose.passes.tree import (
    Literal,
    edit,
    fits,
    literal,
    node_of,
    parents_of,
    pure,
    put,
    walk,
    words,
)
from pgolf_compose.passes.variables import Binding, Scopes, stops

__all__ = [
    "dissolve_values",
    "propagate_arguments",
    "propagate_attributes",
    "propagate_names",
    "split_assignments",
]

# what `nn.Module` has, and asks of itself
MODULE = words(
    """T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda
    double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict modules mtia named_buffers named_children named_modules
    named_parameters parameters register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu
    zero_grad"""
)
REPEATED = 12  # a text of more characters is not repeated


def split_assignments(tree: ast.Module) -> ast.Module:
    """`a, b = x, y` as two statements where neither can see the other."""
    scopes, parents = Scopes(tree), parents_of(tree)
    changes, properties = {}, {one.name for one in walk(tree) if isinstance(one, FUNCTIONS)}
    for node in walk(tree):
        if not (
            isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Tuple)
            and isinstance(node.value, ast.Tuple)
            and len(node.targets[0].elts) == len(node.value.elts)
        ):
            continue
        targets, values = node.targets[0].elts, node.value.elts
        if not all(map(is_plain, targets)) or any(isinstance(n, ast.Starred) for n in values):
            continue
        read = {ast.unparse(n) for v in values for n in walk(v) if is_plain(n)}
        if not read.isdisjoint(ast.unparse(one) for one in targets):
            continue
        parts = [n for v in values for n in walk(v)]
        stored = {one.attr for one in targets if isinstance(one, ast.Attribute)}
        if stored and any(
            isinstance(one, ast.Call) or getattr(one, "attr", "") in stored | properties
            for one in parts
        ):
            continue
        if fails(values[1:]) and stops(node, parents, (ast.Try, ast.TryStar, ast.With)):
            continue
        if all(map(pure, values)) or all(seen_here(one, scopes) for one in targets):
            changes[node] = [
                ast.copy_location(ast.Assign([target], value), node)
                for target, value in zip(targets, values, strict=True)
            ]
    return edit(tree, changes)


def fails(values: list[ast.expr]) -> bool:
    return not all(literal(one) or isinstance(one, ast.Name) for one in values)


def seen_here(node: ast.expr, scopes: Scopes) -> bool:
    """A function's variable that no function in it reads."""
    binding = scopes.of.get(node)
    return (
        binding is not None
        and not binding.declared
        and isinstance(binding.scope.node, FUNCTIONS)
        and all(scopes.within[one] is binding.scope for one in binding.reads)
    )


def is_plain(node: ast.AST) -> bool:
    """A name, or an attribute of a name."""
    if isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def repeats_well(value: Literal, reads: int) -> bool:
    return (
        reads < 2
        or not isinstance(value.value, str | bytes | tuple)
        or (len(repr(value.value)) <= REPEATED)
    )


def propagate_names(tree: ast.Module) -> ast.Module:
    """Variables that are bound once, to a literal, written out where they are read.

    A read before the binding would have failed; it now gives the value.
    """
    scopes, parents = Scopes(tree), parents_of(tree)
    changes = {}
    for binding in scopes.bindings():
        value_node = assigned(binding, parents)
        value = literal(value_node)
        if value is None or binding.declared or binding.name.startswith("__"):
            continue
        if repeats_well(value, len(binding.reads)):
            for node in binding.reads:
                if not isinstance(parents[node], ast.Delete) and fits(value_node, node, parents):
                    changes[node] = node_of(value.value, node)
    return edit(tree, changes)


def assigned(binding: Binding, parents) -> ast.expr | None:
    """The value of the one plain assignment that binds it."""
    if len(binding.writes) != 1:
        return None
    above = parents.get(binding.writes[0])
    if isinstance(above, ast.Assign) and len(above.targets) == 1:
        return above.value if above.targets[0] is binding.writes[0] else None
    if isinstance(above, ast.AnnAssign | ast.NamedExpr) and above.target is binding.writes[0]:
        return above.value
    return None


def propagate_attributes(tree: ast.Module) -> ast.Module:
    """Attributes of the script's own classes that only ever get one literal, written out."""
    kinds = Kinds(tree)
    if sets_by_name(kinds.nodes):
        return tree
    values = attribute_values(kinds)
    changes = {}
    reads: dict[tuple, list[ast.Attribute]] = {}
    for node in kinds.nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            own = kinds.of(node.value)
            if own and (own, node.attr) in values:
                reads.setdefault((own, node.attr), []).append(node)
    for key, nodes in reads.items():
        if repeats_well(values[key], len(nodes)):
            new = {node: node_of(values[key].value, node) for node in nodes}
            changes |= {n: value for n, value in new.items() if fits(value, n, kinds.parents)}
    return edit(tree, changes)


def attribute_values(kinds: Kinds) -> dict[tuple[ast.ClassDef, str], Literal]:
    """Per class and attribute, the one literal it is ever given."""
    given: dict[tuple[ast.ClassDef, str], list[Literal | None]] = {}
    everywhere: set[str] = set()
    for name, stores in kinds.attribute_stores.items():
        for target, value in stores:
            own = kinds.of(target.value)
            if own is None:
                everywhere.add(name)
            else:
                given.setdefault((own, name), []).append(literal(value))
    inherited = {getattr(base, "id", "") for one in kinds.classes.values() for base in one.bases}
    for own, name in list(given):
        line = inherited_from(own, kinds)
        strange = any(last_name(base) not in kinds.classes for one in line for base in one.bases)
        if (strange and name == "training") or any(
            name in kinds.scopes.of_scope[one].bindings for one in line[1:]
        ):
            given[own, name].append(None)
    for name, own in kinds.classes.items():
        for binding in kinds.scopes.of_scope[own].bindings.values():
            value = literal(assigned(binding, kinds.parents))
            given.setdefault((own, binding.name), []).append(value)
        if name in inherited:  # a subclass may differ
            for key in [key for key in given if key[0] is own]:
                given[key].append(None)
    return {
        key: found[0]
        for key, found in given.items()
        if found[0] is not None and len(set(found)) == 1 and key[1] not in everywhere
    }


def inherited_from(own: ast.ClassDef, kinds: Kinds) -> list[ast.ClassDef]:
    """A class and those of the script that it is made of."""
    found = [own]
    for one in found:
        found += [kinds.classes[n] for n in map(last_name, one.bases) if n in kinds.classes]
    return found


def sets_by_name(nodes: list[ast.AST]) -> bool:
    """Whether attributes are set by names that the text does not show."""
    return any(
        (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("setattr", "delattr", "exec", "eval", "globals", "locals", "vars")
        )
        or getattr(node, "attr", "") in ("__dict__", "__setattr__")
        for node in nodes
    )


def asks_by_name(nodes: list[ast.AST]) -> bool:
    """Whether attributes are read by names that are made while the script runs."""
    return any(
        isinstance(node, ast.Call)
        and last_name(node.func) in ("getattr", "hasattr", "attrgetter", "methodcaller")
        and not all(isinstance(one, ast.Constant) for one in node.args[-2:][-1:] + node.args[1:2])
        for node in nodes
    )


# --- arguments ---------------------------------------------------------------------------------

# decorators that hand on the signature
TRANSPARENT = ("no_grad", "inference_mode", "compile", "staticmethod", "enable_grad")


class Function:
    """A function of the script with every call of it, where all uses of it are plain calls."""

    def __init__(self, node: ast.FunctionDef, calls: list[ast.Call], bound: bool):
        self.node, self.calls = node, calls
        self.parameters = node.args.args[1:] if bound else node.args.args
        self.first = int(bound)

    def given(self, call: ast.Call, n: int) -> ast.expr | None:
        """What a call gives for the n-th parameter, its default if nothing."""
        name = self.parameters[n].arg
        if n < len(call.args):
            return call.args[n]
        for keyword in call.keywords:
            if keyword.arg == name:
                return keyword.value
        defaults, count = self.node.args.defaults, len(self.node.args.args)
        place = n + self.first - (count - len(defaults))
        return defaults[place] if place >= 0 else None

    def drop(self, n: int) -> None:
        """Without the n-th parameter, here and in every call."""
        name = self.parameters[n].arg
        arguments = self.node.args
        place = n + self.first - (len(arguments.args) - len(arguments.defaults))
        if place >= 0:
            del arguments.defaults[place]
        del arguments.args[n + self.first]
        self.parameters = arguments.args[self.first :]
        for call in self.calls:
            if n < len(call.args):
                del call.args[n]
            call.keywords = [one for one in call.keywords if one.arg != name]


def own_functions(kinds: Kinds) -> list[Function]:
    """The functions, methods and constructors that are only ever called, each with its calls."""
    found = []
    strings = {
        node.value
        for node in kinds.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    loads: dict[str, list[ast.Attribute]] = {}
    for node in kinds.nodes:
        if isinstance(node, ast.Attribute):
            loads.setdefault(node.attr, []).append(node)
    for node in kinds.nodes:
        if not isinstance(node, ast.FunctionDef) or not plain_signature(node):
            continue
        own = kinds.parents[node] if isinstance(kinds.parents[node], ast.ClassDef) else None
        if own is None:
            binding = kinds.scopes.of[node]
            uses = binding.reads if len(binding.writes) == 1 and not binding.declared else None
        elif kinds.classes.get(own.name) is not own:
            continue
        elif node.name == "__init__":
            uses = constructor_uses(own, kinds)
        elif node.name.startswith("__") or node.name in strings:
            continue
        else:
            uses = method_uses(node, own, loads.get(node.name, []), kinds)
        if not uses:
            continue
        calls = [kinds.parents[use] for use in uses]
        if all(
            isinstance(call, ast.Call) and call.func is use and plain_call(call)
            for use, call in zip(uses, calls, strict=True)
        ):
            static = any(getattr(one, "id", "") == "staticmethod" for one in node.decorator_list)
            found.append(Function(node, calls, own is not None and not static))
    return found


def constructor_uses(own: ast.ClassDef, kinds: Kinds) -> list[ast.AST] | None:
    """Reads of a class's name that are neither annotations nor `isinstance`; None if a base."""
    uses = []
    if any(is_own_class(node, kinds) for node in kinds.nodes):
        return None
    for read in kinds.module_binding(own.name).reads:
        above = kinds.parents[read]
        if isinstance(above, ast.ClassDef):
            return None
        if in_annotation(read, kinds.parents):
            continue
        if isinstance(above, ast.Call) and getattr(above.func, "id", "") == "isinstance":
            continue
        uses.append(read)
    return uses


def is_own_class(node: ast.AST, kinds: Kinds) -> bool:
    """`type(x)(...)`, `x.__class__`, `cls`: a class without its name."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Call):
        return last_name(node.func.func) == "type"
    return getattr(node, "attr", getattr(node, "id", "")) in ("__class__", "classmethod")


def in_annotation(node: ast.AST, parents) -> bool:
    while node in parents:
        above = parents[node]
        if isinstance(above, ast.arg | ast.AnnAssign) and above.annotation is node:
            return True
        if isinstance(above, FUNCTIONS) and above.returns is node:
            return True
        node = above
    return False


def method_uses(
    node: ast.FunctionDef, own: ast.ClassDef, loads: list[ast.Attribute], kinds: Kinds
) -> list[ast.AST] | None:
    """Every use of a method, where no other object can be meant and nobody else calls it."""
    if (
        len(kinds.defined[node.name]) > 1
        or node.name in kinds.attribute_stores
        or may_override(own, node.name)
    ):
        return None
    if any(getattr(base, "id", "") == own.name for c in kinds.classes.values() for base in c.bases):
        return None
    if kinds.scopes.of_scope[own].bindings[node.name].reads:  # the class body itself uses it
        return None
    if any(kinds.of(one.value) is not own for one in loads):
        return None
    if asks_by_name(kinds.nodes) or constructor_uses(own, kinds) is None:
        return None
    made = [kinds.parents[read] for read in constructor_uses(own, kinds)]
    if not all(isinstance(one, ast.Call) for one in made):  # `A.f(a)`
        return None
    if any(isinstance(one.value, ast.Call) and last_name(one.value) == "type" for one in loads):
        return None
    return loads


def may_override(own: ast.ClassDef, name: str) -> bool:
    """Whether a method of a class with bases may be one that its base calls."""
    if is_module(own):
        return name in MODULE or (name.startswith("_") and name in foreign())
    return bool(own.bases) and name in foreign()


def plain_signature(node: ast.FunctionDef) -> bool:
    args = node.args
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs:
        return False
    for one in node.decorator_list:
        one = one.func if isinstance(one, ast.Call) else one
        if getattr(one, "attr", getattr(one, "id", "")) not in TRANSPARENT:
            return False
    return True


def plain_call(call: ast.Call) -> bool:
    return not any(isinstance(one, ast.Starred) for one in call.args) and all(
        one.arg for one in call.keywords
    )


def propagate_arguments(tree: ast.Module) -> ast.Module:
    """Parameters that every call gives one literal, or that nothing reads, taken out."""
    kinds = Kinds(tree)
    for function in own_functions(kinds):
        inner = kinds.scopes.of_scope[function.node]
        for n in reversed(range(len(function.parameters))):
            binding = inner.bindings[function.parameters[n].arg]
            given = [function.given(call, n) for call in function.calls]
            if any(one is None for one in given):
                continue
            values = {literal(one) for one in given}
            if len(binding.writes) == 1 and len(values) == 1 and None not in values:
                value = values.pop()
                if not repeats_well(value, len(binding.reads)):
                    continue
                news = [node_of(value.value, read) for read in binding.reads]
                if not binding.declared and all(
                    fits(new, read, kinds.parents)
                    for new, read in zip(news, binding.reads, strict=True)
                ):
                    for new, read in zip(news, binding.reads, strict=True):
                        put(read, new, kinds.parents)
                    binding.reads.clear()
            if not binding.reads and len(binding.writes) == 1 and all(map(pure, given)):
                function.drop(n)
    return ast.fix_missing_locations(tree)


# --- the class of hyperparameters --------------------------------------------------------------


def dissolve_values(tree: ast.Module) -> ast.Module:
    """A class that only holds values as plain global variables, and what passes it on without it.

    `h.rank`, wherever h is the class or its instance, becomes `rank`. It must be clear of every
    use that it is only read from or handed on.
    """
    kinds = Kinds(tree)
    for own in kinds.classes.values():
        if is_bag(own) and not any(
            one.declared for one in kinds.scopes.of_scope[own].bindings.values()
        ):
            uses = uses_of(own, kinds)
            if uses is not None:
                return dissolved(tree, own, uses, kinds)
    return tree


def uses_of(own: ast.ClassDef, kinds: Kinds) -> list[ast.expr] | None:
    """Every expression that is the class or an instance; None where one is used for more."""
    attributes = set(kinds.scopes.of_scope[own].bindings)
    uses = []
    for node in kinds.nodes:
        if isinstance(node, ast.Name | ast.Attribute | ast.Call) and kinds.of(node) is own:
            if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
                if isinstance(getattr(node, "ctx", None), ast.Del):
                    return None
                continue
            if in_annotation(node, kinds.parents):
                continue
            above = kinds.parents[node]
            if isinstance(above, ast.Attribute):
                if above.attr not in attributes or not isinstance(above.ctx, ast.Load):
                    return None
                call = kinds.parents[above]
                if isinstance(call, ast.Call) and call.func is above:  # it may be bound to h
                    return None
            elif isinstance(above, ast.Call) and above.func is node:
                if above.args or above.keywords:
                    return None
                continue  # the call is a use of its own
            elif isinstance(above, ast.Call | ast.keyword):
                call = above if isinstance(above, ast.Call) else kinds.parents[above]
                if not takes(call, own, node, kinds):
                    return None
            elif isinstance(above, ast.Assign):
                if any(kinds.of(target) is not own for target in above.targets):
                    return None
            elif isinstance(above, ast.Tuple):
                up = kinds.parents[above]
                if not isinstance(up, ast.Assign) or not isinstance(up.targets[0], ast.Tuple):
                    return None
                if kinds.of(up.targets[0].elts[above.elts.index(node)]) is not own:
                    return None
            elif not isinstance(above, ast.Expr):
                return None
            uses.append(node)
    return uses


def takes(call: ast.Call, own: ast.ClassDef, node: ast.expr, kinds: Kinds) -> bool:
    """Whether the callee is ours and its parameter is known to be of the class."""
    function, bound = None, 0
    if isinstance(call.func, ast.Name):
        binding = kinds.scopes.of.get(call.func)
        target = binding.writes[0] if binding and len(binding.writes) == 1 else None
        if isinstance(target, ast.ClassDef):
            function, bound = method_of(target, "__init__", kinds), 1
        elif isinstance(target, FUNCTIONS):
            function = target
        elif call.func.id == "type":
            return True
    elif isinstance(call.func, ast.Attribute):
        named = kinds.defined.get(call.func.attr, [])
        function, bound = (named[0], 1) if len(named) == 1 else (None, 0)
        if function is not None and not isinstance(kinds.parents[function], ast.ClassDef):
            return False
        if call.func.attr == "__init__":
            return False
    if function is None:  # a callable value, such as a function handed on: by its arguments
        return passes_on(call, node, kinds)
    parameters = [*function.args.posonlyargs, *function.args.args][bound:]
    if node in call.args:
        if any(isinstance(one, ast.Starred) for one in call.args):
            return False
        n = call.args.index(node)
        if n >= len(parameters):
            return False
        parameter = parameters[n]
    else:
        name = next(one.arg for one in call.keywords if one.value is node)
        every = [*parameters, *function.args.kwonlyargs]
        parameter = next((one for one in every if one.arg == name), None)
        if parameter is None:
            return False
    return kinds.of_binding(kinds.scopes.of[parameter]) is own


def passes_on(call: ast.Call, node: ast.expr, kinds: Kinds) -> bool:
    """A call through a variable: fine where that variable is a parameter or local of the script."""
    if not isinstance(call.func, ast.Name):
        return False
    binding = kinds.scopes.of.get(call.func)
    return bool(binding) and not any(isinstance(one, ast.alias) for one in binding.writes)


def method_of(own: ast.ClassDef, name: str, kinds: Kinds) -> ast.FunctionDef | None:
    for one in own.body:
        if isinstance(one, FUNCTIONS) and one.name == name:
            return one
    for base in own.bases:
        if isinstance(base, ast.Name) and base.id in kinds.classes:
            return method_of(kinds.classes[base.id], name, kinds)
    return None


def dissolved(tree: ast.Module, own: ast.ClassDef, uses: list, kinds: Kinds) -> ast.Module:
    taken = {binding.name for binding in kinds.scopes.bindings()}
    taken |= {node.id for node in kinds.nodes if isinstance(node, ast.Name)} | BUILTINS
    taken -= {b.name for b in kinds.scopes.of_scope[own].bindings.values()}
    elsewhere = BUILTINS | {
        b.name for b in kinds.scopes.bindings() if b.scope is not kinds.scopes.of_scope[own]
    }
    names = {}
    for binding in kinds.scopes.of_scope[own].bindings.values():
        name = binding.name
        while name in elsewhere or (name != binding.name and name in taken):
            name = f"{own.name.lower()}_{binding.name}" if name == binding.name else f"{name}_"
        names[binding.name] = name
        for node in (*binding.reads, *binding.writes):
            if isinstance(node, ast.Name):
                node.id = name
    changes: dict[ast.AST, ast.AST | list | None] = {own: own.body}
    for node in uses:
        above = kinds.parents[node]
        if isinstance(above, ast.Attribute):
            changes[above] = ast.copy_location(ast.Name(names[above.attr], ast.Load()), above)
        elif node not in changes:
            changes[node] = node_of(None, node)
    return edit(tree, changes)

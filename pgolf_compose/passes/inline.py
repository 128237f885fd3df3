"""Write what is used once where it is used: variables, and functions that are called once."""

import ast
import copy

from pgolf_compose.passes.constants import Function, own_functions
from pgolf_compose.passes.kinds import Kinds
from pgolf_compose.passes.tree import (
    children,
    edit,
    fill_blocks,
    fits,
    literal,
    parents_of,
    pure,
    put,
    walk,
)
from pgolf_compose.passes.variables import (
    CALLABLES,
    COMPREHENSIONS,
    Binding,
    Scope,
    Scopes,
    read_at_once,
)

__all__ = ["inline_functions", "inline_locals"]

BLOCKS = ("body", "orelse", "finalbody")
LOOPS = (ast.For, ast.While, ast.AsyncFor)


# --- order of evaluation -------------------------------------------------------------------------


def evaluated_before(expression: ast.expr, target: ast.Name) -> list[ast.expr] | None:
    """What is computed before `target` is read, once and in any case; None where that is open."""
    before: list[ast.expr] = []

    def visit(node: ast.AST) -> bool | None:
        """True when the target was found, None when it is somewhere it must not be."""
        if node is target:
            return True
        if not isinstance(node, ast.expr | ast.keyword | ast.FormattedValue):
            return False
        steps, later = parts(node)
        for step in steps:
            found = visit(step)
            if found is not False:
                return found
        if any(inner is target for one in later for inner in walk(one)):
            return None
        before.append(node)
        return False

    return before if visit(expression) else None


def parts(node: ast.AST) -> tuple[list[ast.AST], list[ast.AST]]:
    """The operands that are evaluated in any case, in order, and those that may not be."""
    if isinstance(node, ast.BoolOp):
        return node.values[:1], node.values[1:]
    if isinstance(node, ast.IfExp):
        return [node.test], [node.body, node.orelse]
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        return [node.left, node.comparators[0]], node.comparators[1:]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return [one for pair in pairs for one in pair if one], []
    if isinstance(node, ast.Lambda):
        return [one for one in (*node.args.defaults, *node.args.kw_defaults) if one], [node.body]
    if isinstance(node, COMPREHENSIONS):
        first = node.generators[0].iter
        return [first], [one for one in walk(node) if one is not first and one is not node]
    if isinstance(node, ast.NamedExpr):
        return [node.value], []
    return children(node), []


def read_first(statement: ast.stmt, scopes: Scopes) -> ast.expr | None:
    """The expression that a statement evaluates first and in any case."""
    if isinstance(statement, ast.Return | ast.Expr | ast.Assign | ast.AnnAssign):
        return statement.value
    if isinstance(statement, ast.AugAssign) and is_name(statement.target, scopes):
        return statement.value
    if isinstance(statement, ast.If | ast.Assert):
        return statement.test
    if isinstance(statement, ast.For):
        return statement.iter
    if isinstance(statement, ast.With):
        return statement.items[0].context_expr
    return None


def may_move(value: ast.expr, before: list[ast.expr], scopes: Scopes) -> bool:
    """Whether `value` gives the same, and they do, when it is computed after `before`."""
    if literal(value) or is_name(value, scopes):
        return not any(isinstance(one, ast.NamedExpr) for one in before)
    return all(unmoved(one, scopes) for one in before)


def is_name(node: ast.AST, scopes: Scopes) -> bool:
    """A variable that nobody else can bind anew."""
    binding = scopes.of.get(node) if isinstance(node, ast.Name) else None
    return bool(binding) and not binding.declared


def unmoved(node: ast.AST, scopes: Scopes) -> bool:
    """Whether a node means the same before and after any call: names, modules' members, texts."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.keyword):
        return node.arg is not None
    if isinstance(node, ast.Name):
        binding = scopes.of.get(node)
        return binding is None or not binding.declared
    if isinstance(node, ast.Attribute):
        while isinstance(node, ast.Attribute):
            node = node.value
        binding = scopes.of.get(node)
        return bool(binding) and all(isinstance(one, ast.alias) for one in binding.writes)
    if isinstance(node, ast.Tuple | ast.List | ast.UnaryOp | ast.BinOp):
        return all(
            literal(one) or unmoved(one, scopes)
            for one in children(node)
            if isinstance(one, ast.expr)
        ) and (not isinstance(node, ast.BinOp | ast.UnaryOp) or literal(node) is not None)
    return False


# --- variables -----------------------------------------------------------------------------------


def inline_locals(tree: ast.Module) -> ast.Module:
    """Variables that only the next statement reads, once, and copies of other variables."""
    for _ in range(100):
        tree, changed = inline_once(tree)
        if not changed:
            break
    return ast.fix_missing_locations(copied_names(tree))


def inline_once(tree: ast.Module) -> tuple[ast.Module, int]:
    scopes, parents = Scopes(tree), parents_of(tree)
    changed = 0
    for node in walk(tree):
        if isinstance(node, ast.ClassDef):
            continue
        for name in BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                changed += inline_in_block(block, scopes, parents)
    return tree, changed


def inline_in_block(block: list[ast.stmt], scopes: Scopes, parents: dict) -> int:
    changed, n = 0, 0
    while n < len(block) - 1:
        statement, after = block[n], block[n + 1]
        read = sole_read(statement, after, scopes, parents)
        if read is None:
            after = passed_quietly(block, n, scopes) or after
            read = sole_read(statement, after, scopes, parents)
        if read is not None:
            expression = read_first(after, scopes)
            before = evaluated_before(expression, read)
            fine = before is not None and fits(statement.value, read, parents)
            if fine and may_move(statement.value, before, scopes):
                put(read, statement.value, parents)
                binding = scopes.of[statement.targets[0]]
                binding.reads.remove(read)
                binding.writes.remove(statement.targets[0])
                del block[n]
                changed, n = changed + 1, max(n - 1, 0)
                continue
        n += 1
    return changed


def passed_quietly(block: list[ast.stmt], n: int, scopes: Scopes) -> ast.stmt | None:
    """The first statement behind the n-th that does not just bind other variables, or reads it.

    None where the n-th could not be carried there: both sides must change nothing.
    """
    statement = block[n]
    if not isinstance(statement, ast.Assign) or not pure(statement.value):
        return None
    used = {scopes.of.get(one) for one in walk(statement) if isinstance(one, ast.Name)} - {None}
    for later in block[n + 1 : n + 6]:
        names = {scopes.of.get(one) for one in walk(later) if isinstance(one, ast.Name)}
        if scopes.of.get(statement.targets[0]) in names:
            return later
        if not isinstance(later, ast.Assign) or not pure(later.value):
            return None
        if any(not isinstance(one, ast.Name) or scopes.of[one] in used for one in later.targets):
            return None
    return None


def sole_read(
    statement: ast.stmt, after: ast.stmt, scopes: Scopes, parents: dict
) -> ast.Name | None:
    """The one read in `after` of what `statement` assigns, where nothing reads it later."""
    if not (
        isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
        and not isinstance(statement.value, ast.Lambda)
    ):
        return None
    binding = scopes.of[statement.targets[0]]
    expression = read_first(after, scopes)
    if expression is None or binding.declared:
        return None
    if any(
        isinstance(one, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom)
        for one in walk(statement.value)
    ):
        return None
    inside = set(walk(expression))
    reads = [one for one in binding.reads if one in inside]
    if len(reads) != 1 or scopes.within[reads[0]] is not binding.scope:
        return None
    if len(binding.writes) == 1 and len(binding.reads) == 1:
        return reads[0]
    # it is assigned again at once, or the function ends: no later read sees this value
    local = not in_loop(statement, parents) or all(
        read_at_once(one, binding.scope, scopes) for one in binding.reads
    )
    early = any(
        not read_at_once(one, binding.scope, scopes) and scopes.order[one] < scopes.order[after]
        for one in binding.reads
    )
    if early or not local or isinstance(binding.scope.node, ast.Module):
        return None
    if seen_after_failure(statement, binding, parents):
        return None
    if isinstance(after, ast.Return):
        return reads[0]
    if (
        isinstance(after, ast.Assign)
        and len(after.targets) == 1
        and isinstance(after.targets[0], ast.Name)
        and scopes.of[after.targets[0]] is binding
    ):
        return reads[0]
    return None


def seen_after_failure(statement: ast.stmt, binding: Binding, parents: dict) -> bool:
    """Whether the function goes on where a statement fails, and reads the variable there."""
    inner: ast.AST = statement
    while (above := parents.get(inner)) and not isinstance(inner, CALLABLES):
        if isinstance(above, ast.Try | ast.TryStar | ast.With | ast.AsyncWith):
            suites = [getattr(above, name, []) for name in (*BLOCKS, "handlers")]
            suite = next(one for one in suites if inner in one)
            if not {one for part in suite for one in walk(part)}.issuperset(binding.reads):
                return True
        inner = above
    return False


def copied_names(tree: ast.Module) -> ast.Module:
    """`a = b`, both bound once: b wherever a is read."""
    scopes, parents = Scopes(tree), parents_of(tree)
    changes, done = {}, set()
    for binding in scopes.bindings():
        if len(binding.writes) != 1 or binding.declared:
            continue
        above = parents.get(binding.writes[0])
        if not (
            isinstance(above, ast.Assign)
            and above.targets == binding.writes
            and isinstance(above.value, ast.Name)
        ):
            continue
        source = scopes.of.get(above.value)
        if source is None or len(source.writes) != 1 or source.declared or source in done:
            continue
        if not isinstance(binding.scope.node, CALLABLES) or isinstance(
            source.scope.node, ast.ClassDef
        ):
            continue
        if in_loop(source.writes[0], parents) or isinstance(source.writes[0], ast.ExceptHandler):
            continue
        reads = binding.reads
        if all(scopes.within[one].find(source.name) is source for one in reads):
            changes |= {
                one: ast.copy_location(ast.Name(source.name, ast.Load()), one) for one in reads
            }
            changes[above] = None
            done.add(binding)
    return edit(tree, changes)


def in_loop(node: ast.AST, parents: dict) -> bool:
    while node in parents:
        node = parents[node]
        if isinstance(node, (*LOOPS, *COMPREHENSIONS)):
            return True
        if isinstance(node, (*CALLABLES, ast.ClassDef)):
            return False
    return False


# --- functions -----------------------------------------------------------------------------------


def inline_functions(tree: ast.Module) -> ast.Module:
    """Functions and methods of the script that are called in one place, written there.

    The variables of such a function live on in its caller: what they hold is freed later.
    """
    while inline_some(tree):
        pass
    return ast.fix_missing_locations(tree)


def inline_some(tree: ast.Module) -> bool:
    """One round, in which each function moves or takes in once: then what is known is old."""
    kinds = Kinds(tree)
    touched: set[ast.AST] = set()
    for function in own_functions(kinds):
        if len(function.calls) != 1 or function.node in touched:
            continue
        around = {function.node, *ancestors(function.calls[0], kinds.parents)} - {tree}
        free = touched.isdisjoint(around) and can_go(function, kinds)
        if free and (as_expression(function, kinds) or as_statements(function, kinds)):
            remove(function.node, kinds)
            touched |= {one for one in around if isinstance(one, CALLABLES)}
    fill_blocks(tree)
    return bool(touched)


def can_go(function: Function, kinds: Kinds) -> bool:
    """Whether the body could stand elsewhere: no decorator, no generator, no scope of its own."""
    node = function.node
    if node.decorator_list or node.name.startswith("__"):
        return False
    call = function.calls[0]
    caller = kinds.scopes.within[call].node
    if caller is node or node in ancestors(call, kinds.parents):
        return False
    for one in walk(node):
        if isinstance(one, ast.Yield | ast.YieldFrom | ast.Await | ast.Global | ast.Nonlocal):
            return False
        name = getattr(one, "id", None) or getattr(one, "attr", None) or ""
        if name in ("super", "__class__") or (name[:2] == "__" and name[-2:] != "__"):
            return False  # what they mean depends on the class around
        if isinstance(one, ast.alias) and "." in one.name and not one.asname:
            return False
    # a method needs its object at hand under a name
    return not function.first or (
        isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
    )


def ancestors(node: ast.AST, parents: dict) -> list[ast.AST]:
    found = []
    while node in parents:
        node = parents[node]
        found.append(node)
    return found


def body_of(node: ast.FunctionDef) -> list[ast.stmt]:
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body


def arguments_of(function: Function) -> list[tuple[ast.arg, ast.expr]] | None:
    """Each parameter with what the one call gives for it, in the order of evaluation."""
    call = function.calls[0]
    given = [function.given(call, n) for n in range(len(function.parameters))]
    if any(one is None for one in given) or len(call.args) > len(given):
        return None
    order = [*call.args, *(one.value for one in call.keywords)]
    if any(one not in order and not literal(one) for one in given):
        return None  # a default is made once
    pairs = list(zip(function.parameters, given, strict=True))
    pairs.sort(key=lambda pair: order.index(pair[1]) if pair[1] in order else -1)
    if function.first:
        pairs.insert(0, (function.node.args.args[0], call.func.value))
    return pairs


def as_expression(function: Function, kinds: Kinds) -> bool:
    """A function that only returns an expression: that expression instead of the call."""
    body, call = body_of(function.node), function.calls[0]
    pairs = arguments_of(function)
    if pairs is None or len(body) != 1 or not isinstance(body[0], ast.Return):
        return False
    inner = kinds.scopes.of_scope[function.node]
    if len(inner.bindings) > len(pairs) or isinstance(kinds.scopes.within[call].node, ast.ClassDef):
        return False
    value = body[0].value
    if value is None or not names_mean_the_same(function, value, kinds):
        return False
    reads: dict[Binding, ast.expr] = {}
    order = [one for one in walk_evaluated(value)]
    last = -1
    for parameter, given in pairs:
        binding = inner.bindings[parameter.arg]
        if len(binding.writes) != 1:
            return False
        simple = literal(given) or steady(given, binding, kinds)
        if simple or (is_name(given, kinds.scopes) and bound_once(given, kinds)):
            reads[binding] = given
            continue
        if len(binding.reads) != 1:
            return False
        read = binding.reads[0]
        before = evaluated_before(value, read)
        if before is None or read not in order or order.index(read) < last:
            return False
        calm = pure(given)
        if not all(unmoved(n, kinds.scopes) or (calm and plain_operation(n)) for n in before):
            return False
        last = order.index(read)
        reads[binding] = given
    if capture_conflict(function, value, reads, kinds) or not fits(value, call, kinds.parents):
        return False
    for binding, given in reads.items():
        if not all(fits(given, read, kinds.parents) for read in binding.reads):
            return False
    for binding, given in reads.items():
        for n, read in enumerate(list(binding.reads)):
            new = given if n == 0 and not is_leaf(given) else copy.deepcopy(given)
            if value is read:
                value = new
            else:
                put(read, new, kinds.parents)
    put(call, value, kinds.parents)
    return True


def is_leaf(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Constant)


def plain_operation(node: ast.AST) -> bool:
    """An operation that changes nothing, on what was already evaluated."""
    return isinstance(node, ast.BinOp | ast.UnaryOp | ast.Attribute | ast.Subscript) and pure(node)


def walk_evaluated(node: ast.AST):
    steps, later = parts(node)
    for one in [*steps, *later]:
        yield from walk_evaluated(one)
    yield node


def names_mean_the_same(function: Function, value: ast.AST, kinds: Kinds) -> bool:
    """Whether what the function reads from outside is what its caller sees by that name."""
    inner = kinds.scopes.of_scope[function.node]
    outer = kinds.scopes.within[function.calls[0]]
    inside = set(walk(function.node))
    for one in walk(value):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            binding = kinds.scopes.of.get(one)
            if binding is not None and (binding.scope is inner or binding.scope.node in inside):
                continue
            if outer.find(one.id) is not binding:
                return False
    return True


def bound_once(node: ast.Name, kinds: Kinds) -> bool:
    source = kinds.scopes.of[node]
    return len(source.writes) == 1 and not in_loop(source.writes[0], kinds.parents)


def capture_conflict(function: Function, value, reads: dict, kinds: Kinds) -> bool:
    """Whether a name in an argument would be captured by a lambda or comprehension of the body."""
    given = {one.id for arg in reads.values() for one in walk(arg) if isinstance(one, ast.Name)}
    return any(
        isinstance(one, (*COMPREHENSIONS, ast.Lambda))
        and given & set(kinds.scopes.of_scope[one].bindings)
        for one in walk(value)
    )


def as_statements(function: Function, kinds: Kinds) -> bool:
    """The body before the statement that calls it, where that starts with nothing but the call."""
    call = function.calls[0]
    statement = kinds.parents[call]
    shape = isinstance(statement, ast.Expr | ast.Return) or (
        isinstance(statement, ast.Assign) and statement.value is call
    )
    body = body_of(function.node)
    pairs = arguments_of(function)
    if not shape or pairs is None:
        return False
    returns = [one for one in walk_function(function.node) if isinstance(one, ast.Return)]
    ends = body and isinstance(body[-1], ast.Return)
    if len(returns) > int(bool(ends)):
        body = without_guard(body, returns, statement)
        if body is None:
            return False
        ends = False
    caller = kinds.scopes.within[call]
    if isinstance(caller.node, ast.ClassDef | ast.Module):
        return False
    nested = [
        one
        for one in walk(function.node)
        if isinstance(one, (*CALLABLES, ast.ClassDef, ast.GeneratorExp))
        and one is not function.node
    ]
    if nested and in_loop(call, kinds.parents):
        return False
    if not names_mean_the_same(function, ast.Module(body, []), kinds):
        return False
    rename_apart(function, caller, kinds)
    inner = kinds.scopes.of_scope[function.node]
    start = []
    for parameter, given in pairs:
        binding = inner.bindings[parameter.arg]
        if (
            len(binding.writes) == 1
            and not binding.declared
            and (literal(given) or steady(given, binding, kinds))
            and all(fits(given, read, kinds.parents) for read in binding.reads)
        ):
            for read in binding.reads:
                put(read, copy.deepcopy(given), kinds.parents)
        else:
            target = ast.Name(binding.name, ast.Store())
            start.append(ast.copy_location(ast.Assign([target], given), call))
    tail: list[ast.stmt] = []
    if ends:
        value = body[-1].value or ast.copy_location(ast.Constant(None), call)
        body = body[:-1]
    else:
        value = ast.copy_location(ast.Constant(None), call)
    if isinstance(statement, ast.Expr):
        if not pure(value):
            tail = [ast.copy_location(ast.Expr(value), statement)]
    else:
        statement.value = value
        tail = [statement]
    splice(statement, [*start, *body, *tail], kinds)
    return True


def walk_function(node: ast.FunctionDef):
    """What is inside a function, but not inside functions in it."""
    todo: list[ast.AST] = list(node.body)
    while todo:
        one = todo.pop()
        yield one
        if not isinstance(one, (*CALLABLES, ast.ClassDef)):
            todo.extend(children(one))


def without_guard(body, returns, statement) -> list[ast.stmt] | None:
    """`if test: return` and the rest, as `if not test:` and the rest in it."""
    if not isinstance(statement, ast.Expr) or len(returns) != 1 or len(body) < 2:
        return None
    first = body[0]
    if not (
        isinstance(first, ast.If)
        and not first.orelse
        and len(first.body) == 1
        and first.body[0] is returns[0]
        and first.body[0].value is None
    ):
        return None
    test = ast.copy_location(ast.UnaryOp(ast.Not(), first.test), first.test)
    return [ast.copy_location(ast.If(test, body[1:], []), first)]


def steady(given: ast.expr, binding: Binding, kinds: Kinds) -> bool:
    """A variable, where the body reads it at once: no closure in it may see a later value."""
    return is_name(given, kinds.scopes) and all(
        read_at_once(read, binding.scope, kinds.scopes) for read in binding.reads
    )


def rename_apart(function: Function, caller: Scope, kinds: Kinds) -> None:
    """New names for the function's variables where the caller knows them otherwise."""
    taken = kinds.names
    in_caller = {one.id for one in walk(caller.node) if isinstance(one, ast.Name)}
    in_caller |= {*caller.bindings, *caller.elsewhere}
    inner = kinds.scopes.of_scope[function.node]
    for binding in list(inner.bindings.values()):
        if binding.name not in in_caller:
            continue
        n, name = 2, binding.name
        while name in taken:
            name, n = f"{binding.name}_{n}", n + 1
        taken.add(name)
        for node in (*binding.reads, *binding.writes):
            rename(node, name)
        binding.name = name
        inner.bindings[name] = binding


def rename(node: ast.AST, name: str) -> None:
    if isinstance(node, ast.Name):
        node.id = name
    elif isinstance(node, ast.arg):
        node.arg = name
    elif isinstance(node, ast.alias):
        node.asname = name
    elif isinstance(node, ast.MatchMapping):
        node.rest = name
    else:  # a definition, a handler or a pattern
        node.name = name


def splice(statement: ast.stmt, new: list[ast.stmt], kinds: Kinds) -> None:
    above = kinds.parents[statement]
    for name in (*BLOCKS, "handlers"):
        block = getattr(above, name, None)
        if isinstance(block, list) and statement in block:
            place = block.index(statement)
            block[place : place + 1] = new or [ast.copy_location(ast.Pass(), statement)]


def remove(node: ast.AST, kinds: Kinds) -> None:
    above = kinds.parents[node]
    for name in BLOCKS:
        block = getattr(above, name, None)
        if isinstance(block, list) and node in block:
            block.remove(node)

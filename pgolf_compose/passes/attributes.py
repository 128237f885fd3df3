"""Short names for attributes and methods that a script's own classes define: `h.rank` -> `h.b`.

One name is one name in the whole file. It stays if an object of another package may have it too
(foreign.txt lists those of Python, numpy and torch), if a string holds it as a word (keys of state
dicts, getattr), if it is a keyword of a call, or if something may list the class's attributes.
Names of parameters and submodules, which end up in artifacts, change only where asked for.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pgolf_compose.passes.docstrings import PLAIN_BASES, decorated, last_name
from pgolf_compose.passes.scopes import BUILTINS, FUNCTIONS, Binding, Place, Scope, Scopes, words

__all__ = ["PRIVATE", "add_attributes", "foreign"]

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FIELD = re.compile(r"\{[^{}.]*\.([^{}:!]*)")
PATH = re.compile(r"[A-Za-z0-9_.]+\Z")  # what may be the name of an attribute, or lead to one
# what makes or finds attributes by names in strings that may hold more than the name
BY_WORDS = words(
    """__getattr__ __getattribute__ __match_args__ __slots__ attrgetter eval exec make_dataclass
    methodcaller namedtuple patch"""
)
LISTS = words("items keys values")  # of a namespace: they tell names, and take none
BY_NAME = words("delattr getattr hasattr setattr")
# attributes of one or two letters that tensors, arrays and modules have
SHORT = words("""F H I L M R S T X eq fn fp ge gt id in is le lt mH mT ne or pi re""")
# packages whose objects have no attributes but those of foreign.txt, or hand out functions only
KNOWN = words(
    """brotli dotenv flash_attn flash_attn_interface lrzip numpy sentencepiece tiktoken torch
    tqdm triton zstandard"""
)
STANDARD = words(
    """__future__ abc argparse array ast asyncio base64 bisect builtins bz2 codecs collections
    concurrent contextlib copy csv ctypes dataclasses datetime decimal enum errno fcntl
    fnmatch fractions functools gc getpass glob gzip hashlib heapq hmac importlib inspect io
    itertools json linecache locale logging lzma marshal math mmap multiprocessing numbers
    operator os pathlib pickle pkgutil platform pprint queue random re resource secrets
    select shlex shutil signal site socket sqlite3 stat statistics string struct subprocess
    sys sysconfig tarfile tempfile textwrap threading time timeit token tokenize traceback
    types typing unicodedata urllib uuid warnings weakref zipfile zlib"""
)
# what modules, optimizers and threads ask of themselves, beside foreign.txt
PRIVATE = words("""
    _accelerator_graph_capture_health_check _apply _args _backward_cls _backward_hooks
    _backward_pre_hooks _bootstrap _bootstrap_inner _buffers _call_impl
    _compiled_autograd_backward_state _compiled_autograd_key _compiled_call_impl
    _cuda_graph_capture_health_check _daemonic _delete _fill_padding_idx_with_zero
    _forward_hooks _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks
    _forward_pre_hooks_with_kwargs _get_backward_hooks _get_backward_pre_hooks
    _get_compiled_autograd_symints _get_name _group_tensors_by_device_and_dtype _ident
    _init_group _initialized _input_metadata _invoke_excepthook _is_full_backward_hook
    _is_protocol _is_pure_view _is_stopped _kwargs _load_from_state_dict
    _load_state_dict_post_hooks _load_state_dict_pre_hooks _materialize_non_diff_grads
    _maybe_warn_non_full_backward_hook _modules _name _named_members _native_id
    _non_persistent_buffers_set _optimizer_load_state_dict_post_hooks
    _optimizer_load_state_dict_pre_hooks _optimizer_state_dict_post_hooks
    _optimizer_state_dict_pre_hooks _optimizer_step_code _optimizer_step_post_hooks
    _optimizer_step_pre_hooks _parameters _patch_step_function
    _process_value_according_to_param_policy _raw_saved_tensors _register_hook
    _register_hook_dict _register_load_state_dict_pre_hook _register_state_dict_hook
    _replicate_for_data_parallel _reset_internal_locks _save_to_state_dict _sequence_nr
    _set_ident _set_native_id _set_sequence_nr _set_tstate_lock _slow_forward _started
    _state_dict_hooks _state_dict_pre_hooks _stderr _stop _target _tstate_lock _version
    _wait_for_tstate_lock _warned_capturable_if_run_uncaptured _wrapped_call_impl
    _zero_grad_profile_name
    """)
# what a tensor or module has, so that its owner's attribute is no plain value
OF_MODULES = words(
    """apply bias buffers data grad modules named_modules named_parameters numel parameters
    requires_grad requires_grad_ state_dict weight"""
)
# functions in small letters that return the module that they were given
WRAPPERS = words("""checkpoint_wrapper compile deepcopy fully_shard prepare script""")


@cache
def foreign() -> frozenset[str]:
    """Attributes of Python's, numpy's and torch's objects, in small letters, of three or more."""
    text = Path(__file__).with_name("foreign.txt").read_text(encoding="ascii")
    return frozenset(text.split()) | PRIVATE


def add_attributes(tree: ast.Module, scopes: Scopes, parameters: bool = False) -> None:
    """Add a scope that binds the attributes that may be renamed, wherever they are written.

    Members of class bodies move there: they are attributes first.
    """
    own = Own(tree, scopes, parameters)
    scope = Scope(tree, None, free=set(SHORT))
    scope.free |= {one.attr for one in own.accesses if one.attr not in own.names}
    for body in [one for one in scopes.all if one.is_class]:
        for name, binding in list(body.bindings.items()):
            if name in own.names:
                ours = scope.bindings.setdefault(name, Binding(name, scope))
                ours.places += binding.places
                ours.live.update(binding.live)
                del body.bindings[name]
            else:
                scope.free.add(name)
        scope.free |= body.free
    for one in own.accesses:
        if one.attr in own.names:
            ours = scope.bindings.setdefault(one.attr, Binding(one.attr, scope))
            ours.places.append(Place(one, "attr"))
    for binding in scope.bindings.values():
        binding.live[scope] = None
    scopes.all.append(scope)


class Own:
    """What a script's own classes define, less what has to keep its name."""

    def __init__(self, tree: ast.Module, scopes: Scopes, parameters: bool) -> None:
        self.scopes = scopes
        self.nodes = list(ast.walk(tree))
        self.classes = [node for node in self.nodes if isinstance(node, ast.ClassDef)]
        self.by_name = {one.name: one for one in self.classes}
        self.accesses = [node for node in self.nodes if isinstance(node, ast.Attribute)]
        self.roots = self.imported_roots()
        self.calls = {node.func: node for node in self.nodes if isinstance(node, ast.Call)}
        self.only_listed = {
            one.value for one in self.accesses if one in self.calls and one.attr in LISTS
        }
        self.by_words = any(map(self.names_by_words, self.nodes))
        defined = set().union(*(self.defines(one) for one in self.classes), self.stored())
        kept = set(self.kept())
        held = self.parameters()
        kept |= self.in_patterns(held) if parameters else held
        self.names = {
            name
            for name in defined
            if len(name) > 1
            and name not in kept
            and name not in foreign()
            and name == name.lower()
            and not name.startswith("__")
            and (len(name) > 2 or name not in SHORT)
        }

    def members(self) -> Iterator[Binding]:
        """The bindings of class bodies."""
        for scope in self.scopes.all:
            if scope.is_class:
                yield from scope.bindings.values()

    def stored(self) -> set[str]:
        """Names of attributes that are set on a variable of the script."""
        return {
            one.attr
            for one in self.accesses
            if isinstance(one.ctx, ast.Store) and root(one) not in self.roots
        }

    def imported_roots(self) -> set[ast.AST]:
        """Every use of an imported name."""
        return {
            place.node
            for binding in self.scopes.bindings()
            if binding.kinds & {ast.alias}
            for place in binding.places
        }

    def defines(self, node: ast.ClassDef) -> set[str]:
        """Names of a class's body, and of what its methods store on their first argument."""
        stored = (one for one in of_first(node) if isinstance(one.ctx, ast.Store))
        return {*self.scopes.of[node].bindings, *(one.attr for one in stored)}

    def touches(self, node: ast.ClassDef) -> set[str]:
        """What a class defines, and all that its methods ask of their first argument."""
        return self.defines(node) | {one.attr for one in of_first(node)}

    # what keeps its name

    def names_by_words(self, node: ast.AST) -> bool:
        """Whether any word of a string may become the name of an attribute here."""
        if isinstance(node, ast.Attribute):
            return node.attr in BY_WORDS or (
                node.attr == "__dict__" and node not in self.only_listed
            )
        if not isinstance(node, ast.Name):
            return getattr(node, "name", "") in BY_WORDS
        call = self.calls.get(node)
        if node.id in BY_NAME:
            if call and call.args and root(call.args[0]) in self.roots:
                return False  # getattr(torch, name)
            return not (call and len(call.args) > 1 and isinstance(call.args[1], ast.Constant))
        return node.id in BY_WORDS or (node.id == "vars" and call not in self.only_listed)

    def kept(self) -> Iterator[str]:
        for binding in self.members():
            if binding.kept != "is an attribute":
                yield binding.name
        for node in self.nodes:
            if is_string(node):
                if self.by_words or PATH.match(node.value):
                    yield from WORD.findall(node.value)
                for field in FIELD.findall(node.value):  # "{0.rank}".format(h)
                    yield from WORD.findall(field)
                if node.value.startswith("-"):  # --model-dim makes an attribute model_dim
                    yield from WORD.findall(node.value.lstrip("-").replace("-", "_"))
            elif isinstance(node, ast.Call):
                if not self.calls_own(node):
                    yield from (one.arg for one in node.keywords if one.arg)
            elif isinstance(node, ast.MatchClass):
                yield from node.kwd_attrs
            elif isinstance(node, ast.Attribute) and root(node) in self.roots:
                yield node.attr  # torch.backends.cudnn.allow_tf32
        for node in self.classes:
            if not self.plain(node):
                yield from self.defines(node)
        if any(one.attr in ("__name__", "__qualname__") for one in self.accesses):
            for node in self.classes:
                yield from (one.name for one in node.body if hasattr(one, "name"))
        if any(getattr(one, "id", "") == "unittest" for one in self.roots):
            for node in self.classes:
                yield from (one for one in self.defines(node) if one.startswith("test"))
        yield from self.listed()
        if self.unknown_packages():
            yield from self.told_by_others()

    def calls_own(self, call: ast.Call) -> bool:
        """Whether a function or class of the script is called by its name."""
        binding = self.scopes.meant.get(call.func)
        made = {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}
        return binding is not None and binding.kinds <= made and not binding.scope.is_class

    def plain(self, node: ast.ClassDef, seen: frozenset[str] = frozenset()) -> bool:
        """Whether nothing that a class is made of asks for its attributes by name."""
        if decorated(node) or node.keywords or node.name in seen:
            return False
        for base in node.bases:
            name = last_name(base)
            if name in self.by_name and isinstance(base, ast.Name):
                if not self.plain(self.by_name[name], seen | {node.name}):
                    return False
            elif name not in PLAIN_BASES:
                return False
        return True

    def listed(self) -> Iterator[str]:
        """Attributes of classes and objects that `vars`, `__dict__`, `dir` or getattr may list."""
        functions = {
            inner: node
            for node in self.nodes
            if isinstance(node, FUNCTIONS)
            for inner in ast.walk(node)
        }  # the innermost: ast.walk goes from the outside in
        everything = set().union(*(self.defines(one) for one in self.classes), self.stored())
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and node.attr in ("__dict__", "__slots__"):
                subject = node.value
            elif isinstance(node, ast.Name) and node not in self.scopes.meant:
                call = self.calls.get(node)
                if node.id in ("exec", "eval"):
                    yield from everything
                    continue
                if node.id in ("vars", "dir", "getmembers"):
                    if call is None or not call.args:
                        continue
                elif node.id in BY_NAME:
                    if call and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
                        continue
                else:
                    continue
                subject = call.args[0] if call and call.args else None
            else:
                continue
            for one in self.candidates(subject, functions.get(node)):
                yield from everything if one is None else self.touches(one)

    def candidates(
        self, subject: ast.expr | None, function: ast.AST | None
    ) -> list[ast.ClassDef | None]:
        """Classes that an object may be of, as far as the function around tells; None: any."""
        if isinstance(subject, ast.Call) and last_name(subject.func) == "type" and subject.args:
            subject = subject.args[0]
        if subject is None or root(subject) in self.roots:
            return [None] if subject is None else []
        if not isinstance(subject, ast.Name):
            return [None]
        if subject.id in self.by_name:
            return [self.by_name[subject.id]]
        binding = self.scopes.meant.get(subject)
        if binding is None or function is None or binding.kinds - {ast.arg}:
            return [None]
        if binding.scope.parent is not None and binding.scope.parent.is_class:
            mine = binding.scope.parent.node
            arguments = binding.scope.node.args.args
            if arguments and arguments[0].arg == subject.id:
                return [one for one in self.classes if one is mine or self.related(one, mine)]
        read = {
            one.attr
            for one in ast.walk(function)
            if isinstance(one, ast.Attribute) and self.scopes.meant.get(one.value) is binding
        } - {"__dict__"}
        return [one for one in self.classes if read <= self.family(one)]

    def related(self, one: ast.ClassDef, other: ast.ClassDef) -> bool:
        return one in self.line(other) or other in self.line(one)

    def line(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        """A class and those of the script that it is made of."""
        found, todo = [], [node]
        while todo:
            one = todo.pop()
            if one not in found:
                found.append(one)
                names = [last_name(base) for base in one.bases]
                todo += [self.by_name[name] for name in names if name in self.by_name]
        return found

    def family(self, node: ast.ClassDef) -> set[str]:
        """Attributes that an object of a class may have: its own, inherited, and foreign ones."""
        line = self.line(node)
        found = set().union(*(self.defines(one) for one in line))
        strange = any(last_name(b) not in self.by_name for one in line for b in one.bases)
        return found | foreign() if strange else found

    def unknown_packages(self) -> bool:
        packages = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                packages |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                packages.add((node.module or "").partition(".")[0] if not node.level else "")
        return bool(packages - KNOWN - STANDARD)

    def told_by_others(self) -> Iterator[str]:
        """Attributes that are asked of anything but `self` or a class of the script."""
        for one in self.accesses:
            binding = self.scopes.meant.get(one.value)
            me = False
            if binding is not None and isinstance(binding.scope.node, FUNCTIONS):
                arguments = binding.scope.node.args.args
                method = binding.scope.parent.is_class
                me = method and bool(arguments) and arguments[0].arg == binding.name
            if not me and getattr(one.value, "id", "") not in self.by_name:
                yield one.attr

    def parameters(self) -> set[str]:
        """Attributes of modules that may be parameters, buffers or modules themselves."""
        asked = set()
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and node.attr in OF_MODULES:
                asked.add(last_name(node.value))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                asked.add(node.func.attr)
        found = set()
        for node in self.classes:
            if self.stateless(node):
                continue
            for one in ast.walk(node):
                targets = one.targets if isinstance(one, ast.Assign) else []
                if isinstance(one, (ast.AnnAssign, ast.NamedExpr)):
                    targets = [one.target]
                for target, value in pairs(targets, getattr(one, "value", None)):
                    if isinstance(target, ast.Attribute) and not plain_value(
                        value, target.attr in asked
                    ):
                        found.add(target.attr)
        return found

    def in_patterns(self, names: set[str]) -> set[str]:
        """Those of a state dict's names that a string holds a part of: `"attn" in name`."""
        texts = {one.value for one in self.nodes if is_string(one)}
        parts = {word for text in texts for word in WORD.findall(text) if len(text) < 80}
        return {
            name
            for name in names
            if any(part in name or name in part for part in parts if len(part) > 2)
        }

    def stateless(self, node: ast.ClassDef) -> bool:
        """Whether a class is no module: all that it is made of are classes without bases."""
        names = {last_name(base) for one in self.line(node) for base in one.bases}
        return names <= set(self.by_name) | {"Function", "Optimizer", "object"} | BUILTINS


def is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def root(node: ast.AST) -> ast.AST:
    """`torch` of `torch.backends.cuda`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def pairs(targets: list[ast.expr], value: ast.expr | None) -> Iterator[tuple]:
    """Each target with the value that it gets, None where that does not tell."""
    for target in targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            parts = getattr(value, "elts", [])
            if len(parts) != len(target.elts):
                parts = [value if isinstance(value, ast.Constant) else None] * len(target.elts)
            for one, part in zip(target.elts, parts, strict=True):
                yield from pairs([one], part)
        else:
            yield target, value


def plain_value(node: ast.expr | None, asked: bool) -> bool:
    """Whether a value is neither a module nor a parameter; `asked`: it is used like one."""
    if isinstance(node, ast.IfExp):
        return plain_value(node.body, asked) and plain_value(node.orelse, asked)
    if isinstance(node, ast.BoolOp):
        return all(plain_value(one, asked) for one in node.values)
    if isinstance(node, ast.Call):
        name = last_name(node.func)
        if isinstance(node.func, ast.Name):
            return name in BUILTINS
        within = isinstance(node.func, ast.Attribute)
        return within and name[:1].islower() and name not in WRAPPERS and not asked
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
        return not asked
    return node is not None


def of_first(node: ast.ClassDef) -> Iterator[ast.Attribute]:
    """The attributes of their first argument that a class's methods name."""
    for method in node.body:
        if isinstance(method, FUNCTIONS) and method.args.args:
            me = method.args.args[0].arg
            for one in ast.walk(method):
                if isinstance(one, ast.Attribute) and getattr(one.value, "id", "") == me:
                    yield one

"""From a packed script back to its text, without running any of it.

A small evaluator walks the syntax tree down to the `exec`. It knows literals, arithmetic, a few
pure functions and the decompressors; memory, steps and output are bounded. Whatever else a
script does is left undone, and a name that depends on it stays unknown.
"""

import ast
import base64
import binascii
import bz2
import codecs
import io
import lzma
import operator
import re
import tokenize
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pgolf_compose.errors import ComposeError
from pgolf_compose.pack import MARK
from pgolf_compose.packers import mixing
from pgolf_compose.passes.tree import COMPARISONS, OPERATORS

__all__ = ["Unpacked", "unpack"]

LIMIT = 64 << 20  # bytes that anything may grow to
STEPS = 20_000_000  # evaluated nodes, and words of long integers
LAYERS = 20


@dataclass(frozen=True)
class Unpacked:
    """The text inside, and what it was wrapped in, the outermost first."""

    source: str
    layers: tuple[str, ...]
    doubt: str = ""  # why the text is no Python of this version


class Unknown(Exception):
    """What cannot be told without running the script."""


class TooMuch(Exception):
    """A bound is reached."""


class Damaged(Exception):
    """A payload that its own decoder refuses."""


@dataclass(frozen=True)
class Named:
    """A module, a class or a function by its full name, such as `lzma.decompress`."""

    name: str


@dataclass(frozen=True)
class Method:
    """A method of a value, such as `b"..." .decode`."""

    value: object
    name: str


def unpack(data: bytes, where: object = None) -> Unpacked:
    """The innermost text of a packed script, ours or another's."""
    if len(data) > LIMIT:
        raise ComposeError(f"is larger than {LIMIT >> 20} MB", where)
    if not data.strip():
        raise ComposeError("is empty", where)
    layers: list[str] = []
    doubt = ""
    try:
        text = as_text(data)
        while len(layers) < LAYERS:
            try:
                found = opened(text)
            except Unknown as error:
                if not layers:
                    raise
                if re.search(r"[\0-\x08\x0e-\x1f\x7f]", text) and "no Python" in str(error):
                    raise Damaged("what comes out is no text") from None
                doubt = str(error) if "no Python" in str(error) else ""
                break
            if found is None:
                break
            text, layer = found
            layers.append(layer)
    except TooMuch as error:
        raise ComposeError(f"{inside(layers)}{error}", where) from None
    except Unknown as error:
        message = f"{inside(layers)}{error}; nothing of it was run"
        raise ComposeError(message, where) from None
    except Damaged as error:
        raise ComposeError(f"{inside(layers)}the payload is damaged: {error}", where) from None
    except RecursionError:
        raise ComposeError(f"{inside(layers)}it nests too deeply to be read", where) from None
    if not layers:
        raise ComposeError("is not packed: nothing in it is decoded and executed", where)
    return Unpacked(text, tuple(layers), doubt)


def inside(layers: list[str]) -> str:
    return f"inside {' and '.join(layers)}: " if layers else ""


def as_text(data: bytes) -> str:
    """Source text as Python reads it: a line that names an encoding counts."""
    if b"\0" in data:
        raise Unknown("is no text: it holds zero bytes")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise Unknown(f"is no text: {error}") from None
    return re.sub("\r\n?", "\n", text)


def opened(text: str) -> tuple[str, str] | None:
    """One layer less, and what it was; None where the text is not packed."""
    coded = mixing.read(text)
    if coded:
        if coded.count > mixing.MOST or coded.precision > 8 * LIMIT:
            raise TooMuch(f"claims {coded.count:,} characters; at most {mixing.MOST:,} are decoded")
        try:
            return mixing.decode(coded), "context mixing"
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise Damaged(str(error)) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise Unknown(f"is no Python: {getattr(error, 'msg', error)}{line}") from None
    if found := Evaluator().run(tree):
        return found
    if text.startswith(f"{MARK}\n"):
        return text.removeprefix(f"{MARK}\n"), "no compression: it is plain text"
    return None


class Evaluator:
    """Names and their values so far."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"__name__": "__main__"}
        self.steps = 0
        self.used: list[str] = []

    def run(self, tree: ast.Module) -> tuple[str, str] | None:
        """The text that the script executes."""
        refused: list[Unknown] = []
        for call in self.execs(tree.body, refused):
            try:
                self.used = []
                value = self.plain(call.args[0])
            except Unknown as error:
                refused.append(Unknown(f"line {call.lineno}: {error}"))
                continue
            if isinstance(value, bytes | bytearray):
                value = as_text(bytes(value))
            if isinstance(value, str) and not isinstance(call.args[0], ast.Constant):
                return value, ", ".join(dict.fromkeys(self.used)) or "exec"
        # an exec within a program is no packing
        if refused and len(tree.body) < 20:
            raise refused[0]
        return None

    def execs(self, body: list[ast.stmt], refused: list) -> Iterable[ast.Call]:
        """Walk statements; what they execute comes as soon as the names before it are known."""
        for node in body:
            self.spend(1)
            call = node.value if isinstance(node, ast.Expr) else None
            if isinstance(call, ast.Call) and self.executes(call):
                yield call
            elif isinstance(node, ast.If):
                try:
                    chosen = node.body if self.value(node.test) else node.orelse
                except Unknown:
                    chosen = [*node.body, *node.orelse]
                yield from self.execs(chosen, refused)
            elif isinstance(node, ast.Try | ast.With):
                yield from self.execs(node.body, refused)
            else:
                self.statement(node)

    def executes(self, call: ast.Call) -> bool:
        try:
            function = self.value(call.func)
        except Unknown:
            return False
        names = ("exec", "eval", "builtins.exec", "builtins.eval")
        return bool(call.args) and isinstance(function, Named) and function.name in names

    def statement(self, node: ast.stmt) -> None:
        """A statement's effect on names; one that cannot be told leaves them unknown."""
        try:
            self.effect(node)
        except Unknown as error:
            for name in bound(node):
                self.names[name] = error

    def effect(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                self.names[alias.asname or root] = Named(alias.name if alias.asname else root)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name != "*":
                    name = f"{node.module}.{alias.name}"
                    self.names[alias.asname or alias.name] = CONSTANTS.get(name, Named(name))
        elif isinstance(node, ast.Assign):
            value = self.value(node.value)
            for target in node.targets:
                self.bind(target, value)
        elif isinstance(node, ast.AnnAssign) and node.value:
            self.bind(node.target, self.value(node.value))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            left = self.value(ast.Name(node.target.id, ast.Load()))
            self.names[node.target.id] = self.operation(node.op, left, self.value(node.value))
        elif isinstance(node, ast.For) and not node.orelse:
            for item in self.items(self.value(node.iter)):
                self.bind(node.target, item)
                for inner in node.body:
                    self.effect(inner)
        elif isinstance(node, ast.If):
            for inner in node.body if self.value(node.test) else node.orelse:
                self.effect(inner)
        elif isinstance(node, ast.Expr):
            if not isinstance(node.value, ast.Constant | ast.Call):
                self.value(node.value)
        elif not isinstance(node, ast.Pass):
            raise Unknown(f"{type(node).__name__.lower()} is not followed")

    def bind(self, target: ast.expr, value: object) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, tuple | list | str):
            if len(target.elts) != len(value):
                raise Unknown("an assignment of another length")
            for one, item in zip(target.elts, value, strict=True):
                self.bind(one, item)
        else:
            raise Unknown(f"{ast.unparse(target)[:40]} is not followed")

    def spend(self, cost: int) -> None:
        self.steps += cost
        if self.steps > STEPS:
            raise TooMuch(f"takes more than {STEPS:,} steps to decode")

    def items(self, value: object) -> Iterable[object]:
        if not isinstance(value, str | bytes | bytearray | list | tuple | range | dict | map | zip):
            raise Unknown(f"a loop over {kind(value)}")
        for item in value:
            self.spend(1)
            yield item

    def value(self, node: ast.expr) -> object:
        """What an expression is worth, or Unknown."""
        self.spend(1)
        found = EXPRESSIONS.get(type(node))
        if found is None:
            raise Unknown(f"{ast.unparse(node)[:60]} cannot be told without running it")
        return found(self, node)

    def constant(self, node: ast.Constant) -> object:
        return node.value

    def name(self, node: ast.Name) -> object:
        found = self.names.get(node.id)
        if isinstance(found, Unknown):
            raise found
        return found if node.id in self.names else Named(node.id)

    def walrus(self, node: ast.NamedExpr) -> object:
        value = self.value(node.value)
        self.bind(node.target, value)
        return value

    def new_tuple(self, node: ast.Tuple) -> tuple:
        return tuple(map(self.value, node.elts))

    def new_list(self, node: ast.List) -> list:
        return list(map(self.value, node.elts))

    def new_dict(self, node: ast.Dict) -> dict:
        if None in node.keys:
            raise Unknown("** is not followed")
        return dict(zip(map(self.value, node.keys), map(self.value, node.values), strict=True))

    def attribute(self, node: ast.Attribute) -> object:
        value = self.value(node.value)
        if isinstance(value, Named):
            full = f"{value.name}.{node.attr}"
            return CONSTANTS.get(full, Named(full))
        return Method(value, node.attr)

    def binary(self, node: ast.BinOp) -> object:
        return self.operation(node.op, self.value(node.left), self.value(node.right))

    def unary(self, node: ast.UnaryOp) -> object:
        return attempt(UNARY[type(node.op)], self.plain(node.operand))

    def compare(self, node: ast.Compare) -> object:
        if len(node.ops) > 1 or type(node.ops[0]) not in COMPARISONS:
            raise Unknown(f"{ast.unparse(node)[:60]} is not followed")
        left, right = self.plain(node.left), self.plain(node.comparators[0])
        return attempt(COMPARISONS[type(node.ops[0])], left, right)

    def boolean(self, node: ast.BoolOp) -> object:
        for inner in node.values:
            value = self.plain(inner)
            if bool(value) is isinstance(node.op, ast.Or):
                break
        return value

    def choice(self, node: ast.IfExp) -> object:
        return self.value(node.body if self.plain(node.test) else node.orelse)

    def new_slice(self, node: ast.Slice) -> slice:
        parts = (node.lower, node.upper, node.step)
        return slice(*(self.value(one) if one else None for one in parts))

    def subscript(self, node: ast.Subscript) -> object:
        return attempt(operator.getitem, self.plain(node.value), self.value(node.slice))

    def comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> list:
        part, *more = node.generators
        if more or part.is_async:
            raise Unknown(f"{ast.unparse(node)[:60]} is not followed")
        found = []
        for item in self.items(self.value(part.iter)):
            self.bind(part.target, item)
            if all(self.plain(test) for test in part.ifs):
                found.append(self.value(node.elt))
        return found

    def plain(self, node: ast.expr) -> object:
        value = self.value(node)
        if isinstance(value, Named | Method):
            raise Unknown(f"{ast.unparse(node)[:60]} cannot be told without running it")
        return value

    def operation(self, op: ast.operator, left: object, right: object) -> object:
        """Arithmetic, after a look at how large its result can get."""
        if type(op) not in OPERATORS:
            raise Unknown(f"{type(op).__name__} is not followed")
        if isinstance(op, ast.Pow):
            bits = size(left) * abs(right) * 8 if isinstance(right, int) else 0
        elif isinstance(op, ast.LShift):
            bits = size(left) * 8 + right if isinstance(right, int) else 0
        elif isinstance(op, ast.Mult) and isinstance(left, int) != isinstance(right, int):
            count, thing = (left, right) if isinstance(left, int) else (right, left)
            bits = 8 * count * size(thing)
        else:
            bits = 8 * (size(left) + size(right))
        if bits > 8 * LIMIT:
            raise TooMuch(f"grows beyond {LIMIT >> 20} MB")
        if isinstance(op, ast.Mod) and not isinstance(left, int):
            raise Unknown("a text that is filled in")
        self.spend(max(0, bits) // 4096)
        return attempt(OPERATORS[type(op)], left, right)

    def call(self, node: ast.Call) -> object:
        function = self.value(node.func)
        if any(isinstance(one, ast.Starred) for one in node.args):
            raise Unknown(f"{ast.unparse(node)[:60]} is not followed")
        args = [self.value(one) for one in node.args]
        words = {one.arg: self.value(one.value) for one in node.keywords if one.arg}
        if isinstance(function, Named) and function.name in ("map", "builtins.map"):
            return [self.apply(args[0], [item], {}) for item in self.items(args[1])]
        value = self.apply(function, args, words)
        if isinstance(value, range):  # costs as it is run through
            return value
        if size(value) > LIMIT:
            raise TooMuch(f"grows beyond {LIMIT >> 20} MB")
        self.spend(size(value) // 512)
        return value

    def apply(self, function: object, args: list, words: dict) -> object:
        """A call of one of the few functions and methods that are known to be harmless."""
        for one in args:
            if size(one) > LIMIT:
                raise TooMuch(f"grows beyond {LIMIT >> 20} MB")
        if isinstance(function, Named):
            name = function.name.removeprefix("builtins.")
            if name in ("__import__", "importlib.import_module") and isinstance(args[0], str):
                return Named(args[0])
            if name not in FUNCTIONS:
                raise Unknown(f"{name}() is not among what is evaluated")
            if name in TOLD:
                self.used.append(TOLD[name])
            return attempt(FUNCTIONS[name], *args, **words)
        if isinstance(function, Method):
            value, name = function.value, function.name
            if isinstance(value, Decoder):
                self.used.append(value.kind)
                return attempt(value.decode, *args, **words)
            if name not in METHODS.get(type(value), ()):
                raise Unknown(f".{name}() of {kind(value)} is not among what is evaluated")
            if name == "join":
                args = [list(self.items(args[0]))]
            if name == "to_bytes" and args and isinstance(args[0], int) and args[0] > LIMIT:
                raise TooMuch(f"grows beyond {LIMIT >> 20} MB")
            if grown(value, name, args) > LIMIT:
                raise TooMuch(f"grows beyond {LIMIT >> 20} MB")
            return attempt(getattr(value, name), *args, **words)
        raise Unknown(f"a call of {kind(function)}")


EXPRESSIONS: dict[type, Callable] = {
    ast.Constant: Evaluator.constant,
    ast.Name: Evaluator.name,
    ast.NamedExpr: Evaluator.walrus,
    ast.Tuple: Evaluator.new_tuple,
    ast.List: Evaluator.new_list,
    ast.Dict: Evaluator.new_dict,
    ast.Attribute: Evaluator.attribute,
    ast.BinOp: Evaluator.binary,
    ast.UnaryOp: Evaluator.unary,
    ast.Compare: Evaluator.compare,
    ast.BoolOp: Evaluator.boolean,
    ast.IfExp: Evaluator.choice,
    ast.Slice: Evaluator.new_slice,
    ast.Subscript: Evaluator.subscript,
    ast.ListComp: Evaluator.comprehension,
    ast.GeneratorExp: Evaluator.comprehension,
    ast.Call: Evaluator.call,
}


def bound(node: ast.stmt) -> set[str]:
    """Names that a statement may give a value."""
    found = {
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }
    return found | ({node.name} if hasattr(node, "name") else set())


def kind(value: object) -> str:
    return value.name if isinstance(value, Named) else type(value).__name__


def size(value: object) -> int:
    """Bytes that a value takes, roughly; ranges and the like cost nothing until they are run."""
    if isinstance(value, int):
        return value.bit_length() // 8 + 1
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, range):
        return 8 * max(0, (value.stop - value.start) // value.step)
    return 8 * len(value) if isinstance(value, list | tuple | dict) else 0


def grown(value: object, name: str, args: list) -> int:
    """The most that a method makes of a value."""
    if name == "join":
        return sum(map(size, args[0])) + len(args[0]) * size(value)
    if name == "replace" and len(args) > 1 and isinstance(value, str | bytes):
        return size(value) + attempt(value.count, args[0]) * size(args[1])
    if name == "translate" and args and isinstance(args[0], dict):
        return size(value) * max(map(size, args[0].values()), default=1)
    return 0


def attempt(function: Callable, *args: object, **words: object) -> object:
    """A call; what it raises tells of a damaged payload."""
    try:
        return function(*args, **words)
    except (Unknown, TooMuch):
        raise
    except MemoryError:
        raise TooMuch(f"grows beyond {LIMIT >> 20} MB") from None
    except Exception as error:
        told = str(error).partition("\n")[0] or type(error).__name__
        raise Damaged(told) from None


def bounded(found: bytes, finished: bool) -> bytes:
    if len(found) >= LIMIT:
        raise TooMuch(f"expands to {LIMIT >> 20} MB or more")
    if not finished:
        raise Damaged("it ends too early")
    return found


def lzma_decompress(data, format=lzma.FORMAT_AUTO, memlimit=None, filters=None) -> bytes:
    for one in filters or ():
        if one.get("dict_size", 0) > LIMIT:
            raise TooMuch(f"wants a dictionary beyond {LIMIT >> 20} MB")
    limits = {} if format == lzma.FORMAT_RAW else {"memlimit": 4 * LIMIT}
    decoder = lzma.LZMADecompressor(format, filters=filters, **limits)
    found = decoder.decompress(data, LIMIT)
    # a raw stream of LZMA1 may carry no mark of its end
    return bounded(found, decoder.eof or format == lzma.FORMAT_RAW)


def zlib_decompress(data, /, wbits=zlib.MAX_WBITS, bufsize=0) -> bytes:
    decoder = zlib.decompressobj(wbits)
    return bounded(decoder.decompress(data, LIMIT), decoder.eof)


def gzip_decompress(data) -> bytes:
    return zlib_decompress(data, 31)


def bz2_decompress(data) -> bytes:
    decoder = bz2.BZ2Decompressor()
    return bounded(decoder.decompress(data, LIMIT), decoder.eof)


def brotli_decompress(string) -> bytes:
    import brotli

    decoder = brotli.Decompressor()
    found = decoder.process(string, output_buffer_limit=LIMIT)
    return bounded(found, decoder.is_finished() or len(found) >= LIMIT)


def zstd_decompress(data, *_, **__) -> bytes:
    try:
        import zstandard
    except ImportError:
        raise Unknown("it is packed with zstd: pip install zstandard") from None
    with zstandard.ZstdDecompressor(max_window_size=LIMIT).stream_reader(data) as reader:
        return bounded(reader.read(LIMIT), True)


def codecs_decode(data, encoding="utf-8", errors="strict"):
    known = {"zlib": zlib_decompress, "zip": zlib_decompress, "bz2": bz2_decompress}
    name = encoding.lower().removesuffix("_codec").removesuffix("-codec")
    if name in known:
        return known[name](data)
    if name in ("unicode_escape", "raw_unicode_escape", "rot13", "rot_13", "hex", "base64"):
        return codecs.decode(data, encoding, errors)
    return bytes(data).decode(encoding, errors)


@dataclass(frozen=True)
class Decoder:
    """An object that has a decompressor's settings, until its `decompress` is called."""

    kind: str
    decode: Callable


def decoder(kind: str, decode: Callable) -> Callable:
    return lambda *args, **words: Decoder(kind, lambda data, *_, **__: decode(data, *args, **words))


def identity(value, *_, **__):
    return value


def new_bytes(value=b"", *args) -> bytes:
    if isinstance(value, int):
        if value > LIMIT:
            raise TooMuch(f"grows beyond {LIMIT >> 20} MB")
        return bytes(value)
    return bytes(value, *args)


DECOMPRESSORS = {
    "lzma": lzma_decompress,
    "zlib": zlib_decompress,
    "gzip": gzip_decompress,
    "bz2": bz2_decompress,
    "brotli": brotli_decompress,
    "zstandard": zstd_decompress,
    "zstd": zstd_decompress,
    "pyzstd": zstd_decompress,
    "compression.zstd": zstd_decompress,
}
BASES = ("b16decode", "b32decode", "b64decode", "b85decode", "a85decode", "decodebytes")
BASES += ("standard_b64decode", "urlsafe_b64decode")
FUNCTIONS: dict[str, Callable] = {
    **{f"{module}.decompress": call for module, call in DECOMPRESSORS.items()},
    **{f"base64.{name}": getattr(base64, name) for name in BASES},
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.a2b_hex,
    "binascii.a2b_base64": binascii.a2b_base64,
    "codecs.decode": codecs_decode,
    "bytes.fromhex": bytes.fromhex,
    "int.from_bytes": int.from_bytes,
    "compile": identity,
    "bytes": new_bytes,
    "lzma.LZMADecompressor": decoder("lzma", lzma_decompress),
    "zlib.decompressobj": decoder("zlib", zlib_decompress),
    "bz2.BZ2Decompressor": decoder("bz2", bz2_decompress),
    "brotli.Decompressor": decoder("brotli", brotli_decompress),
    "zstandard.ZstdDecompressor": decoder("zstandard", lambda data, **_: zstd_decompress(data)),
    **{
        one.__name__: one
        for one in (str, int, ord, chr, len, range, list, tuple, dict, sum, min, max, abs, divmod)
    },
    "reversed": lambda value: list(value)[::-1],
    "enumerate": lambda value, start=0: list(enumerate(value, start)),
    "zip": lambda *values: list(zip(*values, strict=False)),
}
TOLD = {name: name.rpartition(".")[0] for name in FUNCTIONS if name.endswith(".decompress")}
TOLD |= {f"base64.{name}": name.removesuffix("decode") for name in BASES}
CONSTANTS = {
    f"lzma.{name}": getattr(lzma, name)
    for name in dir(lzma)
    if name.startswith(("FORMAT_", "FILTER_", "CHECK_", "PRESET_", "MODE_", "MF_"))
} | {f"zlib.{name}": getattr(zlib, name) for name in ("MAX_WBITS", "DEFLATED")}
METHODS = {
    str: {"encode", "join", "replace", "translate", "strip", "rstrip", "lstrip", "split"}
    | {"splitlines", "lower", "upper", "removeprefix", "removesuffix", "index", "find"},
    bytes: {"decode", "hex", "join", "replace", "translate", "strip", "split", "splitlines"}
    | {"rstrip", "lstrip", "index", "find"},
    int: {"to_bytes", "bit_length"},
    dict: {"get", "items", "keys", "values"},
    list: {"index"},
    tuple: {"index"},
}
UNARY = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}

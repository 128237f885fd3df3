"""Any Python script, made small: each pass by itself, so that one that stops leaves the others."""

import ast
import copy
import tokenize
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.pack import MARK, Packer, is_ours
from pgolf_compose.passes import VALUES, simplify
from pgolf_compose.passes.docstrings import docstrings
from pgolf_compose.passes.freeze import KEPT, check_read, freeze, name_read
from pgolf_compose.passes.names import compressed_size, kept_names, rename
from pgolf_compose.passes.printing import print_tree, tidy
from pgolf_compose.passes.unused import drop_unused

__all__ = ["Packed", "pack_script", "read_script"]

LIMIT = 2_000_000  # bytes of a script
ROUNDS = 5
OPENERS = {"b85decode", "a85decode", "b64decode", "decompress", "decode"}


@dataclass
class Packed:
    """A script's small file, its text before it was packed, and what a user should know of it."""

    data: bytes
    text: str
    notes: list[str] = field(default_factory=list)


def read_script(path: Path) -> str:
    """A script's text. Raises ComposeError for what is no script, or was packed before."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", path) from None
    if len(data) > LIMIT:
        raise ComposeError(
            f"has {len(data):,} bytes; a script of more than {LIMIT:,} is not packed", path
        )
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
        text = data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (SyntaxError, UnicodeDecodeError, LookupError):
        raise ComposeError("is no text that Python could read", path) from None
    if text.startswith("\ufeff"):
        text = text[1:]
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}:{line}" if line else path
        raise ComposeError(f"is not Python: {getattr(error, 'msg', error)}", where) from None
    except (RecursionError, MemoryError):
        raise ComposeError("is nested deeper than Python can read", path) from None
    if not tree.body:
        raise ComposeError("has no statements: there is nothing to pack", path)
    if is_packed(text, tree):
        raise ComposeError("is packed already; `pgolf-compose unpack` opens it", path)
    return text


def is_packed(text: str, tree: ast.Module) -> bool:
    """Whether a script is one that unpacks itself: `exec(decompress(...))` of a long literal."""
    if text.startswith(MARK):
        return is_ours(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "exec" and node.args:
            names = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
            names |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            held = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)]
            long = any(isinstance(one, str | bytes) and len(one) > len(text) / 2 for one in held)
            if names & OPENERS and long:
                return True
    return False


def pack_script(
    path: Path,
    text: str,
    packer: Packer,
    values: Mapping[str, str] | None = None,
    keep: Collection[str] = KEPT,
    asked: Collection[str] = (),
) -> Packed:
    """Shrink the text of a script, and pack it. `values` of the environment freeze it.

    Names in `keep` are still read then; those in `asked` have to be read by the script.
    """
    notes: list[str] = []
    tree = ast.parse(text)
    if values is not None:
        check_read(tree, (*values, *asked), path)
        check_numbers(tree, values, path)
        tree = freeze(tree, values, keep)
    steps = Steps(path, tree, notes)
    kept = kept_names(steps.tree)
    if kept:
        told, line = kept[0]
        more = f" (and {len(kept) - 1} more)" if len(kept) > 1 else ""
        notes.append(
            f"{path}:{line}: {told}{more} can ask for names: those within its reach are not "
            "renamed, and nothing is inlined or dropped"
        )
    else:
        steps.run_rounds()
    steps.run("docstrings", docstrings)
    if not kept:
        steps.run("unused", drop_unused)
    steps.run("tidy", tidy)
    if not steps.run("names", rename):
        steps.run("names", lambda tree: rename(tree, attributes=False))
    small = steps.text
    data, plain = packer.pack(small), f"{MARK}\n{small}\n".encode()
    if len(plain) <= len(data) + 1:
        notes.append(f"{path}: {packer.name} makes so short a text no smaller: it is left plain")
        data = plain
    if len(data) >= len(text.encode()):
        raise ComposeError(
            f"cannot be made smaller than its {len(text.encode()):,} bytes; nothing is written",
            path,
        )
    return Packed(data, small, notes)


def check_numbers(tree: ast.Module, values: Mapping[str, str], path: Path) -> None:
    """Raises ComposeError for a value that the script would read as a number and cannot."""
    for node in ast.walk(tree):
        kind = {"int": int, "float": float}.get(getattr(getattr(node, "func", 0), "id", ""))
        if kind and node.args and (name := name_read(node.args[0])) in values:
            try:
                kind(values[name])
            except ValueError:
                message = f"--set {name}={values[name]} does not read as {kind.__name__}"
                raise ComposeError(message, f"{path}:{node.lineno}") from None


class Steps:
    """Passes over a tree. One that fails or makes the text longer is left out, and told of."""

    def __init__(self, path: Path, tree: ast.Module, notes: list[str]) -> None:
        self.path, self.notes, self.tree = path, notes, tree
        try:
            self.text = print_tree(tree)
            self.size = compressed_size(self.text)
        except Exception as error:
            raise ComposeError(f"cannot be written anew: {first_line(error)}", path) from None

    def run(self, name: str, one: Callable[[ast.Module], ast.Module]) -> bool:
        tree = copy.deepcopy(self.tree)
        try:
            tree = one(tree)
            text = print_tree(tree)
            compile(text, str(self.path), "exec", dont_inherit=True)
        except Exception as error:
            where = f"{self.path}:{line}" if (line := line_of(error)) else self.path
            self.notes.append(f"{where}: {name} stopped ({first_line(error)}): it is left out")
            return False
        size = compressed_size(text)
        if size > self.size:
            return True  # it did what it does, to no avail
        self.tree, self.text, self.size = tree, text, size
        return True

    def run_rounds(self) -> None:
        """What follows from values that are known; pass by pass if one fails."""
        notes = len(self.notes)
        if self.run("values", simplify):
            return
        del self.notes[notes:]
        failed: set[str] = set()
        for _ in range(ROUNDS):
            before = ast.dump(self.tree)
            for one in VALUES:
                if one.__name__ not in failed:
                    self.attempt(one, failed)
            if ast.dump(self.tree) == before:
                break
        self.run("values", lambda tree: tree)

    def attempt(self, one: Callable[[ast.Module], ast.Module], failed: set[str]) -> None:
        kept = copy.deepcopy(self.tree)
        try:
            self.tree = one(self.tree)
            compile(ast.fix_missing_locations(self.tree), str(self.path), "exec")
        except Exception as error:
            self.tree = kept
            failed.add(one.__name__)
            where = f"{self.path}:{line}" if (line := line_of(error)) else self.path
            self.notes.append(
                f"{where}: {one.__name__} stopped ({first_line(error)}): it is left out"
            )


def first_line(error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def line_of(error: Exception) -> int | None:
    """The line that a pass was at: that of the innermost node that it had in hand."""
    if isinstance(error, SyntaxError):
        return None
    line, trace = None, error.__traceback__
    while trace is not None:
        for value in trace.tb_frame.f_locals.values():
            if isinstance(value, ast.AST) and getattr(value, "lineno", None):
                line = value.lineno
        trace = trace.tb_next
    return line

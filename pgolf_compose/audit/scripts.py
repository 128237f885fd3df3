"""A folder's script as it will run: opened if packed, parsed, with every file that it reaches.

Nothing is executed. A file counts as reached where the script imports it, or has its name in a
text: whatever opens, compiles, loads or executes a file has to name it.
"""

import ast
import fnmatch
import re
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from pgolf_compose.audit.fstrings import without_fstrings
from pgolf_compose.errors import ComposeError
from pgolf_compose.unpack import unpack

__all__ = ["Script", "Sibling", "closure", "read_script"]

IMPORTS = re.compile(r"^[ \t]*(?:from|import)[ \t]+([\w.]{1,200})", re.M)
QUOTED = re.compile(r"'([^'\\\n]{1,200})'|\"([^\"\\\n]{1,200})\"")
WORD = re.compile(r"[A-Za-z_]\w*+")
NO_CODE = {".md", ".log", ".svg", ".png", ".jpg", ".jpeg", ".csv", ".yaml", ".yml"}
NOT_READ = {"submission.json", "requirements.txt", "LICENSE"}
MOST_PATTERNS = 200  # like *.py, that are looked up
WEIGHTS = {".pt", ".ptz", ".pth", ".bin", ".safetensors", ".npz", ".npy", ".ckpt", ".pkl"}


@dataclass(frozen=True)
class Script:
    """A script's text inside all its wrapping, and its tree where it has one."""

    name: str
    size: int
    text: str = ""
    layers: tuple[str, ...] = ()  # what it was packed in
    tree: ast.Module | None = field(default=None, compare=False)
    problem: str = ""  # why it is no Python, or cannot be opened
    line: int = 0  # of the problem, in `text`
    newer: bool = False  # in a grammar that this Python does not have

    @property
    def packed(self) -> bool:
        return bool(self.layers)

    @cached_property
    def strings(self) -> tuple[tuple[str, int], ...]:
        """Its texts with their lines, docstrings left out."""
        if self.tree is None:
            return tuple((one[1] or one[2], line) for one, line in placed(QUOTED, self.text))
        skip = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        nodes = (one for one in ast.walk(self.tree) if isinstance(one, ast.Constant))
        return tuple(
            (one.value, one.lineno)
            for one in nodes
            if isinstance(one.value, str) and id(one) not in skip
        )

    @cached_property
    def words(self) -> frozenset[str]:
        """Its identifiers and the words of its short texts: what it is made of by name."""
        if self.tree is None:
            return frozenset(WORD.findall(self.text))
        found = {word for text, _ in self.strings if len(text) < 200 for word in WORD.findall(text)}
        for node in ast.walk(self.tree):
            for name in ("id", "attr", "arg", "name", "module"):
                value = getattr(node, name, None)
                if isinstance(value, str):
                    found.update(value.split("."))
        return frozenset(found)

    @cached_property
    def numbers(self) -> frozenset[float]:
        """Its constants."""
        if self.tree is None:
            return frozenset()
        values = (one.value for one in ast.walk(self.tree) if isinstance(one, ast.Constant))
        found = {
            one for one in values if isinstance(one, int | float) and not isinstance(one, bool)
        }
        for text, _ in self.strings:  # defaults are often texts: env("ITERATIONS", "20000")
            if re.fullmatch(r"[\d_]{1,20}(?:\.\d{1,20})?(?:e-?\d{1,3})?", text):
                try:
                    found.add(float(text))
                except ValueError:
                    continue
        return frozenset(float(one) for one in found if abs(one) < 1e300)

    def reads(self, name: str) -> bool:
        """Whether it may read a name of the environment."""
        if name in self.words:
            return True
        # some scripts ask for every field of theirs in capitals
        return "upper" in self.words and "environ" in self.words and name.lower() in self.words


@dataclass(frozen=True)
class Sibling:
    """A file that a script reaches: by which words of it, where."""

    name: str
    by: str  # the file that reaches it
    line: int
    how: str
    doubtful: bool = False  # may be what the script writes itself


def read_script(name: str, data: bytes, whole: bool = True) -> Script:
    """`data` is the file; not `whole`, if it is larger than any script."""
    if not whole:
        return Script(name, len(data), problem="is larger than any script")
    if not data.strip():
        return Script(name, len(data), problem="is empty")
    layers: tuple[str, ...] = ()
    try:
        found = unpack(data, name)
        text, layers = found.source, found.layers
    except ComposeError as error:
        text = data.decode("utf-8-sig", "replace")
        plain = re.search(r"is not packed|is no Python", error.message)
        if not plain or "\0" in text:
            return Script(name, len(data), text, problem=error.message)
    return parsed(name, len(data), text, layers)


def parsed(name: str, size: int, text: str, layers: tuple[str, ...]) -> Script:
    tree, problem, line = tree_of(text)
    if tree is not None:
        return Script(name, size, text, layers, tree)
    again, _, _ = tree_of(without_fstrings(text))
    if again is not None:
        return Script(name, size, text, layers, again, problem, line, newer=True)
    return Script(name, size, text, layers, None, problem, line)


def tree_of(text: str) -> tuple[ast.Module | None, str, int]:
    """A text's tree if it compiles, else why it does not and in which line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            compile(tree, "<script>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return None, error.msg or "is no Python", error.lineno or 0
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return None, f"cannot be read: {error or type(error).__name__}", 0
    return tree, "", 0


def placed(pattern: re.Pattern, text: str) -> Iterator[tuple[re.Match, int]]:
    """Each match with its line."""
    at, line = 0, 1
    for found in pattern.finditer(text):
        line += text.count("\n", at, found.start())
        at = found.start()
        yield found, line


def closure(
    entry: str, files: Collection[str], opened: Callable[[str], Script]
) -> tuple[Sibling, ...]:
    """What a script reaches among a folder's files, and what those reach, each once."""
    found: dict[str, Sibling] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop(0)
        for one in reached(opened(name), files):
            if one.name != entry and one.name not in found:
                found[one.name] = one
                if one.name.endswith(".py"):
                    waiting.append(one.name)
    return tuple(found.values())


def reached(script: Script, files: Collection[str]) -> Iterator[Sibling]:
    code = [name for name in files if counts(name) and name != script.name]
    for module, line, how in imported(script):
        for name in module_files(module, script.name, code):
            yield Sibling(name, script.name, line, how)
    by_base: dict[str, list[str]] = {}
    for name in code:
        by_base.setdefault(PurePosixPath(name).name, []).append(name)
    patterns = 0
    for text, line in script.strings:
        if len(text) > 500:
            continue
        for word in {text, *re.split(r"[\s\"'=,;]+", text)}:
            base = word.rpartition("/")[2]
            if base in by_base:
                names = by_base[base]
                exact = [one for one in names if word.removeprefix("./") == one]
                for name in exact or names:
                    doubt = PurePosixPath(name).suffix in WEIGHTS
                    yield Sibling(name, script.name, line, f"names {base!r}", doubt)
            elif "*" in base and "." in base and len(base) < 100 and patterns < MOST_PATTERNS:
                patterns += 1
                for name in by_base:
                    if fnmatch.fnmatchcase(name, base):
                        for one in by_base[name]:
                            yield Sibling(one, script.name, line, f"names {base!r}")


def counts(name: str) -> bool:
    path = PurePosixPath(name)
    text = path.suffix == ".txt" or path.suffix in NO_CODE
    return not text and path.name not in NOT_READ and "__pycache__" not in path.parts


def imported(script: Script) -> Iterator[tuple[str, int, str]]:
    """Modules by name, with the line and the words that import each."""
    if script.tree is None:
        for one, line in placed(IMPORTS, script.text):
            yield one[1], line, f"imports {one[1]}"
        return
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, f"imports {alias.name}"
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                full = f"{module}.{alias.name}".strip(".")
                yield full, node.lineno, f"imports {module or alias.name}"
        elif isinstance(node, ast.Call) and node.args:
            function = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if function in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield str(first.value)[:200], node.lineno, f"imports {first.value}"


def module_files(module: str, script: str, code: Collection[str]) -> Iterator[str]:
    """The files that an import of `a.b` may mean: a.py, a/__init__.py, a/b.py beside the script."""
    parts = module.split(".")
    homes = {"", str(PurePosixPath(script).parent).removeprefix(".")}
    for home in homes:
        for n in range(1, len(parts) + 1):
            stem = "/".join(filter(None, [home, *parts[:n]]))
            for name in (f"{stem}.py", f"{stem}/__init__.py"):
                if name in code:
                    yield name

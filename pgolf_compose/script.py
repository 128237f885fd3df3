"""A composed script: its text and, for each line, where that line was written."""

import ast
import difflib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pgolf_compose.errors import ComposeError
from pgolf_compose.origin import Origin

__all__ = ["Script", "drop_unused", "tidy"]

WIDTH = 100


@dataclass(frozen=True)
class Script:
    """Python text with one origin per line."""

    name: str
    code: str
    origins: tuple[Origin, ...]

    @cached_property
    def lines(self) -> list[str]:
        return self.code.split("\n")[:-1]

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text; what does not parse is told at the line its author wrote."""
        try:
            # compile() also sees what parse() does not: a return or break with nothing around it
            compile(self.code, self.name, "exec", dont_inherit=True)
            return ast.parse(self.code)
        except SyntaxError as error:
            origin = self.origins[min(error.lineno or 1, len(self.origins)) - 1]
            text = self.lines[min(error.lineno or 1, len(self.lines)) - 1].strip()
            raise ComposeError(f"{error.msg}: {text}", origin) from None

    def keep(self, numbers: Sequence[int], changed: dict[int, str] | None = None) -> "Script":
        """The script with only these lines (from 1), some with another text."""
        lines = [(changed or {}).get(n, self.lines[n - 1]) for n in numbers]
        origins = tuple(self.origins[n - 1] for n in numbers)
        return replace(self, code="".join(f"{line}\n" for line in lines), origins=origins)


def drop_unused(script: Script) -> Script:
    """Without hyperparameters that no line reads, without unused and repeated imports."""
    return sort_imports(drop_unused_imports(drop_unread_hyperparameters(script)))


def drop_unread_hyperparameters(script: Script) -> Script:
    settings = next(
        (n for n in script.tree.body if getattr(n, "name", "") == "Hyperparameters"), None
    )
    if settings is None:
        return script
    while True:
        read = {node.attr for node in ast.walk(script.tree) if isinstance(node, ast.Attribute)}
        settings = next(n for n in script.tree.body if getattr(n, "name", "") == "Hyperparameters")
        read |= {
            node.id
            for node in ast.walk(settings)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        unread = [
            node
            for node in settings.body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and getattr(node.value.func, "id", "") == "env"
            and not any(keyword.arg == "settled" for keyword in node.value.keywords)
            and node.targets[0].id not in read
        ]
        if not unread:
            return script
        gone = {n for node in unread for n in range(node.lineno, node.end_lineno + 1)}
        script = script.keep([n for n in range(1, len(script.lines) + 1) if n not in gone])


def drop_unused_imports(script: Script) -> Script:
    used = {node.id for node in ast.walk(script.tree) if isinstance(node, ast.Name)}
    imported: dict[str, str] = {}
    gone: set[int] = set()
    changed: dict[int, str] = {}
    for node in script.tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        source = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
        wanted = []
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            words = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
            if name in used and imported.get(name) != source + words:
                if name in imported and alias.asname is None and "." not in alias.name:
                    raise ComposeError(
                        f"{name} is imported twice: {imported[name]!r} and {source + words!r}",
                        script.origins[node.lineno - 1],
                    )
                imported[name] = source + words
                wanted.append(words)
        if len(wanted) < len(node.names):
            gone.update(range(node.lineno, node.end_lineno + 1))
        if wanted and node.lineno in gone:
            gone.remove(node.lineno)
            changed[node.lineno] = f"{source}import {', '.join(wanted)}"
    return script.keep([n for n in range(1, len(script.lines) + 1) if n not in gone], changed)


def sort_imports(script: Script) -> Script:
    """Each run of import lines sorted: `import a`, then `from a import b`."""
    lines = script.lines
    order = list(range(1, len(lines) + 1))
    tops = [n.lineno for n in script.tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    # consecutive line numbers keep one distance from their rank
    for _, ranked in itertools.groupby(enumerate(tops), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in ranked]
        run_sorted = sorted(run, key=lambda n: (lines[n - 1].startswith("from "), lines[n - 1]))
        order[run[0] - 1 : run[-1]] = run_sorted
    return script.keep(order)


# What black may add, drop or respell is left out: brackets, commas, quotes, backslashes, case.
WORD = re.compile(r"""\w+|\"{3}|[^\w\s()\[\],'"\\]""")


def tidy(script: Script) -> Script:
    """The script as black writes it, every line with the origin of its first word."""
    import black

    mode = black.Mode(line_length=WIDTH, target_versions={black.TargetVersion.PY311})
    code = black.format_str(script.code, mode=mode)
    before = [(word, n) for n, line in enumerate(script.lines) for word in words(line)]
    lines = code.split("\n")[:-1]
    after = [(word, n) for n, line in enumerate(lines) for word in words(line)]
    origins: list[Origin | None] = [None] * len(lines)
    for old, new in pairs([word for word, _ in before], [word for word, _ in after]):
        line = after[new][1]
        origins[line] = origins[line] or script.origins[before[old][1]]
    return Script(script.name, code, tuple(filled(origins)))


def words(line: str) -> list[str]:
    return WORD.findall(line.lower().replace("'''", '"""'))


def pairs(old: list[str], new: list[str]) -> Iterable[tuple[int, int]]:
    """Which word became which. Black moves a comment past a bracket, so equal counts suffice."""
    if Counter(old) == Counter(new):
        return zip(range(len(old)), range(len(new)), strict=True)
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return ((b.a + n, b.b + n) for b in blocks for n in range(b.size))


def filled(origins: list[Origin | None]) -> list[Origin]:
    """Lines without words (brackets, blank lines) belong to the line above, or else below."""
    last = next(origin for origin in origins if origin is not None)
    full = []
    for origin in origins:
        last = origin or last
        full.append(last)
    return full

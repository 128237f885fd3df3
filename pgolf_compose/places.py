"""The `# @` lines: places that templates offer, and fragments that techniques put there.

A *slot* collects fragments; a *part* has default lines that one technique may replace. What
stands above a place after `# @scope` tells which names are in scope there, with their shapes.
"""

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pgolf_compose.errors import ComposeError
from pgolf_compose.origin import File, Location, Origin
from pgolf_compose.technique import Host, Technique, Value

__all__ = [
    "STAMP",
    "Fragment",
    "Place",
    "directives",
    "read_fragments",
    "read_places",
    "read_text",
    "used_fragments",
]

# Joins a template's line to its origin while Jinja works. A noncharacter: it stands in no text,
# and Jinja, which eats white space after its statements, leaves it alone.
STAMP = "\ufdd0"

DIRECTIVE = re.compile(r"^(?P<indent>[ \t]*)# @(?P<word>\S*)[ ]?(?P<rest>.*)$")
DIRECTIVES = re.compile(DIRECTIVE.pattern, re.MULTILINE)
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+|header|modules|hyperparameters")
JINJA = {"if", "elif", "else", "endif", "for", "endfor", "include", "set"}
INSIDE = {"slot", "part", "endpart", "scope"} | JINJA
OPENS = {"fill", "fill?", "replace"}


@dataclass(frozen=True)
class Place:
    """A slot or a part, where it is, and what its author says is in scope."""

    name: str
    kind: str  # "slot" or "part"
    scope: str
    origin: Origin
    within: tuple[str, ...] = ()  # the parts whose default lines it stands in


@dataclass(frozen=True)
class Fragment:
    """Lines for one place. `origins` has one entry per line of `code`."""

    owner: str
    verb: str  # "fill", "fill?" (where the place is offered) or "replace"
    place: str
    code: str
    origins: tuple[Origin, ...]
    strings: frozenset[int] = frozenset()  # lines, from 0, inside a multi-line string
    generated: bool = False  # written from declarations: no directive is live in it
    condition: str = ""  # over the technique's settled choices, for it to be used at all

    @property
    def key(self) -> str:
        """What tells it from the others of a composition, wherever its folder lies."""
        return f"{self.origin.file.label}:{self.origin.line}"

    @property
    def origin(self) -> Origin:
        return self.origins[0]


@dataclass(frozen=True)
class Directive:
    """One `# @word rest` line; `number` counts from 1."""

    number: int
    indent: int
    word: str
    rest: str


def read_text(file: File) -> str:
    """A template's or fragment's text, refused where it could not be carried through."""
    try:
        text = file.path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ComposeError("there is no such file", file.path) from None
    except UnicodeDecodeError as error:
        raise ComposeError(f"not UTF-8: {error.reason} at byte {error.start}", file.path) from None
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", file.path) from None
    if STAMP in text:
        line = text[: text.index(STAMP)].count("\n") + 1
        raise ComposeError(
            "the character U+FDD0 is used to track lines; remove it", Location(file.path, line)
        )
    return text


def directives(text: str, file: File, known: set[str] = INSIDE) -> Iterator[Directive]:
    """Every `# @` line; one that Jinja would take for its own is refused."""
    strings = string_lines(text) if DIRECTIVES.search(text) else ()
    for number, line in enumerate(text.split("\n"), start=1):
        if not (found := DIRECTIVE.match(line)):
            continue
        where = Location(file.path, number)
        if number - 1 in strings:
            raise ComposeError(
                f"`{line.strip()}` stands in a string but reads as a directive; "
                "put a word before its `#`",
                where,
            )
        if found["word"] not in known:
            raise ComposeError(
                f"`{line.strip()}` reads as a directive, but there is no `# @{found['word']}`; "
                f"write {', '.join(f'`# @{word}`' for word in sorted(known - JINJA))}, "
                "or put a word before the `@`",
                where,
            )
        rest = found["rest"].strip()
        name = rest.partition(" if ")[0] if found["word"] in OPENS else rest
        if found["word"] in {"slot", "part"} | OPENS and not NAME.fullmatch(name):
            raise ComposeError(
                f"{name!r} is no name of a place; one is written like attention.after", where
            )
        yield Directive(number, len(found["indent"].expandtabs()), found["word"], rest)


@functools.cache
def string_lines(text: str) -> frozenset[int]:
    """Lines (from 0) that begin inside a string. Empty where the text does not tokenise."""
    inside: set[int] = set()
    opened = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = tokenize.tok_name[token.type]
            if kind in ("STRING", "FSTRING_MIDDLE"):
                inside.update(range(token.start[0], token.end[0]))
            elif kind == "FSTRING_START":
                opened = token.start[0]
            elif kind == "FSTRING_END":
                inside.update(range(opened, token.end[0]))
    except (tokenize.TokenError, SyntaxError):
        pass
    return frozenset(inside)


def read_places(host: Host) -> dict[str, Place]:
    """Every place of a host's templates by name."""
    places: dict[str, Place] = {}
    for path in sorted(host.home.glob("*.py")):
        if path.name != "__init__.py":
            file = host.file(path.name)
            for place in places_in(read_text(file), "host", file):
                if place.name in places:
                    raise ComposeError(
                        f"{place.name} is already at {places[place.name].origin}; "
                        "a place stands once",
                        place.origin,
                    )
                places[place.name] = place
    return places


def places_in(text: str, owner: str, file: File, offset: int = 0) -> Iterator[Place]:
    scope: list[str] = []
    parts: list[str] = []
    for directive in directives(text, file):
        if directive.word == "scope":
            scope.append(directive.rest)
            continue
        if directive.word in ("slot", "part"):
            origin = Origin(owner, file, directive.number + offset)
            yield Place(directive.rest, directive.word, " ".join(scope), origin, tuple(parts))
        if directive.word == "part":
            parts.append(directive.rest)
        elif directive.word == "endpart" and parts:
            parts.pop()
        scope = []


def read_fragments(technique: Technique) -> tuple[Fragment, ...]:
    """The sections of a technique's fragments.py, each under one directive."""
    file = technique.file("fragments.py")
    text = read_text(file)
    lines = text.rstrip("\n").split("\n")
    starts = [d for d in directives(text, file, INSIDE | OPENS) if d.word in OPENS]
    if not starts:
        raise ComposeError(
            "holds no fragment; write `# @fill PLACE` or `# @replace PLACE` and code under it",
            file.path,
        )
    for start in starts:
        if start.indent:
            raise ComposeError(
                f"`# @{start.word} {start.rest}` starts a fragment: begin it in the first column",
                Location(file.path, start.number),
            )
    for number, line in enumerate(lines[: starts[0].number - 1], start=1):
        if line.strip():
            raise ComposeError(
                "code before the first `# @fill PLACE` or `# @replace PLACE`",
                Location(file.path, number),
            )
    fragments = []
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        body = lines[start.number : following.number - 1 if following else None]
        first = start.number + 1
        while body and not body[0].strip():
            body, first = body[1:], first + 1
        while body and not body[-1].strip():
            body = body[:-1]
        if not body:
            raise ComposeError(
                f"nothing stands under `# @{start.word} {start.rest}`",
                Location(file.path, start.number),
            )
        code = "\n".join(body) + "\n"
        check_syntax(code, file, first)
        place, _, condition = start.rest.partition(" if ")
        fragments.append(
            Fragment(
                technique.name,
                start.word,
                place,
                code,
                tuple(Origin(technique.name, file, first + n) for n in range(len(body))),
                string_lines(code) - docstring_lines(code),
                condition=condition,
            )
        )
    return tuple(fragments)


def used_fragments(technique: Technique, settled: Mapping[str, Value]) -> tuple[Fragment, ...]:
    """The fragments whose `if` holds under the technique's settled choices."""
    return tuple(one for one in read_fragments(technique) if holds(one, settled))


def holds(fragment: Fragment, settled: Mapping[str, Value]) -> bool:
    """Whether a fragment's condition, Python over the names of settled choices, is true."""
    if not fragment.condition:
        return True
    try:
        return bool(eval(fragment.condition, {"__builtins__": {}}, dict(settled)))
    except Exception as error:
        names = ", ".join(settled) or "none"
        raise ComposeError(
            f"`{fragment.verb} {fragment.place} if {fragment.condition}`: {error}; "
            f"it may ask for the technique's settled choices ({names})",
            Location(fragment.origin.file.path, fragment.origin.line),
        ) from None


@functools.cache
def check_syntax(code: str, file: File, first: int) -> None:
    """A fragment parses alone, so that a slip is told in its author's file."""
    try:
        ast.parse(code)
    except SyntaxError as error:
        where = Location(file.path, first + (error.lineno or 1) - 1, error.offset or 0)
        text = (error.text or "").strip()
        raise ComposeError(f"{error.msg}: {text}" if text else error.msg, where) from None


@functools.cache
def docstring_lines(code: str) -> frozenset[int]:
    """Lines (from 0) of docstrings but their first: they may be indented with their code."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return frozenset()
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines.update(range(first.lineno, first.end_lineno))
    return frozenset(lines)

"""A composition becomes a script: templates through Jinja, with the fragments in their places."""

import ast
import functools
import itertools
import re
import textwrap
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import CodeType
from typing import ClassVar

from jinja2 import BaseLoader, BytecodeCache, Environment, StrictUndefined, TemplateError, nodes
from jinja2.bccache import Bucket
from jinja2.exceptions import TemplateNotFound
from jinja2.ext import Extension

from pgolf_compose import __version__
from pgolf_compose._bundled import ROOT
from pgolf_compose.errors import ComposeError, did_you_mean, listed
from pgolf_compose.legality import noncompliance
from pgolf_compose.origin import File, Location, Origin
from pgolf_compose.places import STAMP, Fragment, directives, places_in, read_places, read_text
from pgolf_compose.resolve import Assignment, Composition
from pgolf_compose.script import WIDTH, Script, check_defined, check_names, drop_unused, tidy
from pgolf_compose.technique import Host, Value

__all__ = ["render"]


def render(composition: Composition) -> Script:
    """The readable script: composed, pruned of what nothing reads, formatted by black."""
    return tidy(drop_unused(checked(composition)))


def checked(composition: Composition) -> Script:
    """Every fragment in its place, and every name that is read defined once."""
    script = fill(composition)
    script.compiled()  # sees what its tree does not show: a return or break with nothing around it
    check_names(script)
    check_defined(script)
    return script


def fill(composition: Composition) -> Script:
    """The templates with every fragment in its place, before formatting."""
    fragments = [*generated(composition), *composition.fragments]
    check_places(composition, fragments)
    stamps = Stamps()
    loader = Loader(composition, fragments, stamps)
    environment = Environment(
        loader=loader,
        extensions=[Places],
        bytecode_cache=COMPILED,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        line_statement_prefix="# @",
        # only line statements are live: Python may hold {{ and {% as it likes
        **{
            f"{kind}_{end}_string": f"{STAMP}{kind} {end}"
            for kind in ("block", "variable", "comment")
            for end in ("start", "end")
        },
    )
    settled = {one.name: composition.settled(one) for one in composition.techniques}
    environment.pgolf = Filling(fragments, stamps, environment, settled)
    try:
        text = environment.get_template(composition.host.template).render(
            techniques={one.name for one in composition.techniques},
            **composition.settled(composition.host),
        )
    except TemplateNotFound as error:
        raise ComposeError(
            f"there is no template {error.name} in {composition.host.name}", loader.raised_at(error)
        ) from None
    except TemplateError as error:
        raise ComposeError(f"template: {error.message}", loader.raised_at(error)) from None
    check_used(composition, fragments, environment.pgolf.seen)
    code, origins = stamps.peel(text)
    return Script(composition.name, code, origins)


class Compiled(BytecodeCache):
    """Jinja's code for each text that this process has seen."""

    def __init__(self):
        self.code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.code[bucket.key, bucket.checksum] = bucket.code


COMPILED = Compiled()


class Stamps:
    """Origins by the name of a text, so that Jinja carries one short mark at each line's end."""

    def __init__(self):
        self.origins: dict[str, Sequence[Origin]] = {}

    def on(self, lines: Sequence[str], name: str, origins: Sequence[Origin]) -> list[str]:
        self.origins[name] = origins
        return [f"{line}{STAMP}{name}:{n}" for n, line in enumerate(lines)]

    def peel(self, text: str) -> tuple[str, tuple[Origin, ...]]:
        """Text and origins; a line without a stamp held a directive and goes."""
        lines, origins = [], []
        for stamped in text.split("\n"):
            line, stamp, mark = stamped.rpartition(STAMP)
            if stamp:
                name, _, n = mark.rpartition(":")
                lines.append(line)
                origins.append(self.origins[name][int(n)])
        return "".join(f"{line}\n" for line in lines), tuple(origins)


class Loader(BaseLoader):
    """The host's templates by file name, and each fragment by where it starts."""

    def __init__(self, composition: Composition, fragments: Sequence[Fragment], stamps: Stamps):
        self.host, self.stamps = composition.host, stamps
        self.fragments = {one.key: one for one in fragments if not one.generated}
        self.names = set(self.fragments)

    def get_source(self, environment, name):
        if fragment := self.fragments.get(name):
            text, file, origins = fragment.code, fragment.origin.file, fragment.origins
        else:
            file = self.host.file(name)
            if not file.path.is_file():
                raise TemplateNotFound(name)
            text = read_text(file)
            origins = [Origin("host", file, n + 1) for n in range(text.count("\n") + 1)]
        self.names.add(name)
        return self.stamped(name, text, file, origins), name, None

    def stamped(self, name: str, text: str, file: File, origins: Sequence[Origin]) -> str:
        """Every line of code with its origin, every place with its column."""
        lines = text.rstrip("\n").split("\n")
        stamped = self.stamps.on(lines, name, origins)
        for directive in directives(text, file):
            n = directive.number - 1
            if directive.word == "scope":
                stamped[n] = ""
            elif directive.word in ("slot", "part"):
                stamped[n] = f'# @{directive.word} "{directive.rest}", {directive.indent}'
            else:
                stamped[n] = lines[n]
        return "\n".join(stamped) + "\n"

    def raised_at(self, error: TemplateError) -> Location | None:
        """The line of a template or fragment: told by a syntax error, else by the traceback."""
        told = [(getattr(error, "name", None), getattr(error, "lineno", 1))]
        frames = traceback.extract_tb(error.__traceback__)
        told += [(frame.filename, frame.lineno) for frame in reversed(frames)]
        for name, line in told:
            if name in self.names:
                return self.place(name, line or 1)
        return None

    def place(self, name: str, line: int) -> Location:
        if fragment := self.fragments.get(name):
            return fragment.origins[min(line, len(fragment.origins)) - 1].location
        return Location(self.host.file(name).path, line)


class Filling:
    """What goes into each place, and which places the rendering came by."""

    def __init__(
        self,
        fragments: Sequence[Fragment],
        stamps: Stamps,
        environment: Environment,
        settled: Mapping[str, Mapping[str, Value]],  # choices of each technique
    ):
        self.stamps, self.environment, self.settled = stamps, environment, settled
        self.by_place: dict[str, list[Fragment]] = {}
        for fragment in fragments:
            self.by_place.setdefault(fragment.place, []).append(fragment)
        self.seen: set[str] = set()
        self.pasting: list[Fragment] = []  # the fragment being pasted, inside which others
        self.indent = 0  # of the innermost

    def slot(self, name: str, indent: int, context) -> str:
        self.seen.add(name)
        return "".join(self.paste(one, indent, context) for one in self.by_place.get(name, ()))

    def part(self, name: str, indent: int, context, caller) -> str:
        self.seen.add(name)
        takers = self.by_place.get(name)
        return self.paste(takers[0], indent, context) if takers else caller()

    def paste(self, fragment: Fragment, indent: int, context) -> str:
        """A fragment's lines, indented to their place."""
        if fragment in self.pasting:
            raise ComposeError(
                f"{fragment.place} is offered by its own fragment; rename one of them",
                fragment.origin,
            )
        self.pasting.append(fragment)
        self.indent += indent
        if self.indent and fragment.strings:
            raise ComposeError(
                f"a string over several lines would change when it is indented to "
                f"{fragment.place}; keep its text in a file of the technique's folder, or in "
                "`modules`",
                fragment.origins[min(fragment.strings)],
            )
        if fragment.generated:
            lines = fragment.code.rstrip("\n").split("\n")
            name = f"generated {len(self.stamps.origins)}"
            stamped = self.stamps.on(lines, name, fragment.origins)
            text = "".join(f"{line}\n" for line in stamped)
        else:
            names = {**context.get_all(), **self.settled[fragment.owner]}
            text = self.environment.get_template(fragment.key).render(names)
        self.indent -= indent
        self.pasting.pop()
        # a stamp ends each line, so only "\n" does: the text may hold other line ends
        lines, margin = text.split("\n"), " " * indent
        return "\n".join(
            line if not line or line.startswith(STAMP) else margin + line for line in lines
        )


class Places(Extension):
    """`# @slot NAME` collects fragments; `# @part NAME` ... `# @endpart` can be replaced."""

    tags: ClassVar = {"slot", "part"}

    def parse(self, parser) -> nodes.Node:
        tag = next(parser.stream)
        name = parser.parse_expression()
        parser.stream.expect("comma")
        indent = parser.parse_expression()
        body = []
        if tag.value == "part":
            body = parser.parse_statements(("name:endpart",), drop_needle=True)
        call = self.call_method(f"render_{tag.value}", [nodes.ContextReference(), name, indent])
        return nodes.CallBlock(call, [], [], body).set_lineno(tag.lineno)

    def render_slot(self, context, name: str, indent: int, caller) -> str:
        return self.environment.pgolf.slot(name, indent, context)

    def render_part(self, context, name: str, indent: int, caller) -> str:
        return self.environment.pgolf.part(name, indent, context, caller)


def check_places(composition: Composition, fragments: Sequence[Fragment]) -> None:
    """One taker to a part, and a declared order where two write the same name."""
    by_place: dict[str, list[Fragment]] = {}
    for fragment in fragments:
        by_place.setdefault(fragment.place, []).append(fragment)
    for place, here in by_place.items():
        takers = [one for one in here if one.verb == "replace"]
        if len(takers) > 1:
            both = listed(f"{one.owner} ({one.origin})" for one in takers)
            raise ComposeError(
                f"the part {place} can be replaced once, not by {both}; leave out one of them",
                directive_line(takers[1]),
            )
        if len(here) > 1:
            check_order(composition, place, [one for one in here if one.verb != "replace"])


def check_order(composition: Composition, place: str, fills: Sequence[Fragment]) -> None:
    """Two techniques that write one name in one slot must say which comes first."""
    writers: dict[str, list[Fragment]] = {}
    for one in fills:
        for name in sorted(writes(one.code)):
            writers.setdefault(name, []).append(one)
    for name, here in writers.items():
        for one, other in itertools.combinations(here, 2):
            first, second = one.owner, other.owner
            preceding = composition.before.get(first, ()), composition.before.get(second, ())
            if first != second and second not in preceding[0] and first not in preceding[1]:
                raise ComposeError(
                    f"{first} and {second} both write {name} in {place} ({one.origin}, "
                    f"{other.origin}) and neither says which comes first; "
                    "declare `after` or `before` in one of them",
                    one.origin,
                )


@functools.cache
def writes(code: str) -> frozenset[str]:
    """The names and attributes that a fragment assigns or defines, outside its own functions."""
    names: set[str] = set()
    queue: list[ast.AST] = [ast.parse(code)]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(ast.unparse(node))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            names.add(f"{ast.unparse(node.value)}[...]")
        if not isinstance(node, ast.comprehension | ast.Lambda):
            queue.extend(ast.iter_child_nodes(node))
    return frozenset(names)


def check_used(composition: Composition, fragments: Sequence[Fragment], seen: set[str]) -> None:
    """Every fragment found its place: else its name is wrong, or the place went with a part."""
    offered = dict(read_places(composition.host))
    replaced = {one.place: one for one in fragments if one.verb == "replace"}
    # a fragment may offer again what went with the part it replaces
    around = {
        name: next((replaced[part] for part in place.within if part in replaced), None)
        for name, place in offered.items()
    }
    for fragment in fragments:
        if not fragment.generated:
            first = fragment.origin.line - 1
            for place in places_in(fragment.code, fragment.owner, fragment.origin.file, first):
                other = offered.setdefault(place.name, place)
                if other is not place and not around.get(other.name):
                    raise ComposeError(
                        f"{place.name} is already at {other.origin}; a place stands once",
                        place.origin,
                    )
    for fragment in fragments:
        if fragment.place in seen:
            kind = offered[fragment.place].kind if fragment.place in offered else "slot"
            wanted = "part" if fragment.verb == "replace" else "slot"
            if kind != wanted:
                right = "replace" if kind == "part" else "fill"
                raise ComposeError(
                    f"{fragment.place} is a {kind}: write `# @{right} {fragment.place}`",
                    directive_line(fragment),
                )
            continue
        if fragment.verb == "fill?":
            continue
        if fragment.place in offered:
            within = around.get(fragment.place)
            raise ComposeError(
                f"{fragment.owner} needs {fragment.place}, which stood inside "
                + (
                    f"the part {within.place}, replaced by {within.owner} ({within.origin}); "
                    f"leave out one of them, or let {within.owner} offer the place"
                    if within
                    else "lines that this composition does not use"
                ),
                directive_line(fragment),
            )
        raise ComposeError(
            f"there is no place named {fragment.place}.{did_you_mean(fragment.place, offered)} "
            "`pgolf-compose list --places` shows them all.",
            directive_line(fragment),
        )


def directive_line(fragment: Fragment) -> Location:
    """Where the fragment's `# @fill` stands: above its first line."""
    text = read_text(fragment.origin.file).split("\n")
    line = fragment.origin.line
    while line > 1 and not text[line - 1].startswith("# @" + fragment.verb):
        line -= 1
    return Location(fragment.origin.file.path, line)


def generated(composition: Composition) -> list[Fragment]:
    """What is written from declarations: the header and the hyperparameters."""
    fragments = [header(composition), *hyperparameters(composition)]
    if told := warning(composition):
        origin = Origin("recipe", File(composition.recipe.path, "recipe"), 1)
        pieces = textwrap.wrap(told, WIDTH - 12, drop_whitespace=False)
        line = f"log(h, {' '.join(map(repr, pieces))})"
        fragments.append(generated_fragment("recipe", "main.setup", [(line, origin)]))
    return fragments


def rules(composition: Composition) -> str:
    """What is declared of the track's rules."""
    return warning(composition) or (
        f"Track {composition.track.name}: no technique declares to break one of its rules."
    )


def warning(composition: Composition) -> str:
    """A sentence for a script that breaks a rule, to stand in it and in its log."""
    told = noncompliance(composition)
    return f"NO SUBMISSION: {told}." if told else ""


def header(composition: Composition) -> Fragment:
    """The docstring: what this is, how to run it, a line for each technique."""
    host = Origin("host", composition.host.file("__init__.py"), 1)
    path = composition.recipe.path
    inside = path.is_relative_to(ROOT)
    label = path.relative_to(ROOT).as_posix() if inside else path.name
    recipe = Origin("recipe", File(path, label), 1)
    lines = [
        (f'"""{prose(composition.host.summary)}', host),
        ("", host),
        (f"Recipe {composition.name}, composed by pgolf-compose {__version__}.", recipe),
        *((prose(line), recipe) for line in textwrap.wrap(rules(composition), WIDTH - 4)),
        ("", host),
        *((f"    {prose(line)}", host) for line in usage(composition.host)),
    ]
    if composition.techniques:
        lines.append(("", host))
        width = max(len(one.name) for one in composition.techniques)
        for one in composition.techniques:
            origin = Origin(one.name, one.file("__init__.py"), 1)
            source = f" [{one.source}]" if one.source else ""
            about = prose(f"{one.name:{width}}  {one.summary}{source}")
            margin = " " * (width + 2)
            for line in textwrap.wrap(about, WIDTH - 4, subsequent_indent=margin):
                lines.append((line, origin))
    lines.append(('"""', host))
    return replace(generated_fragment("host", "header", lines), verb="fill?")


def usage(host: Host) -> list[str]:
    """The commands that run a host's script."""
    return [line.replace("{script}", f"{host.script}.py") for line in host.usage]


def prose(text: str) -> str:
    """Text that can stand in a docstring."""
    return text.replace("\\", "/").replace('"""', "'''")


def hyperparameters(composition: Composition) -> list[Fragment]:
    """One fragment per group of the host's and per technique that has any."""
    groups: dict[tuple[str, str], list[Assignment]] = {}
    attributes = {one.attribute for one in composition.assignments}
    for one in composition.assignments:
        if one.hyperparameter.settled and not one.env:
            continue
        title = one.hyperparameter.group or one.declared.name
        groups.setdefault((one.declared.name, title), []).append(one)
    fragments = []
    for (_, title), members in groups.items():
        declared = members[0].declared
        owner = "host" if declared is composition.host else declared.name
        file = declared.file("__init__.py")
        where = declaration_lines(read_text(file))
        lines = [
            (line, Origin(owner, file, where.get(one.hyperparameter.name, 1)))
            for one in members
            for line in hyperparameter_lines(one, attributes)
        ]
        above = lines[0][1]
        lines = [("", above), (f"# {title}", above), *lines]
        fragments.append(generated_fragment(owner, "hyperparameters", lines))
    for one in composition.techniques:
        if one.switch:
            name = one.switch.split()[0].lower()
            line = f'{name} = env("{one.switch}", True, settled=True)  # composed in'
            origin = Origin(one.name, one.file("__init__.py"), 1)
            fragments.append(generated_fragment(one.name, "hyperparameters", [(line, origin)]))
    return fragments


def generated_fragment(owner: str, place: str, lines: list[tuple[str, Origin]]) -> Fragment:
    code = "".join(f"{text}\n" for text, _ in lines)
    origins = tuple(origin for _, origin in lines)
    return Fragment(owner, "fill", place, code, origins, generated=True)


def hyperparameter_lines(assignment: Assignment, attributes: set[str]) -> list[str]:
    """`xsa_last_n = env("XSA_LAST_N", 4, least=0)  # of the deepest layers use it`."""
    one = assignment.hyperparameter
    given = [f'"{assignment.env}"', literal(assignment.value, attributes)]
    if one.minimum is not None:
        given.append(f"least={number(one.minimum)}")
    if one.maximum is not None:
        given.append(f"most={number(one.maximum)}")
    if one.settled:
        given.append("settled=True")
    elif one.choices:
        given.append(f"choices={one.choices!r}")
    line = f"{assignment.attribute} = env({', '.join(given)})"
    help = " ".join(f"# {one.help}, {one.unit}".split()) if one.unit else f"# {one.help}"
    return [f"{line}  {help}"] if len(line) + len(help) + 6 <= WIDTH else [help, line]


def literal(value: Value, attributes: set[str]) -> str:
    """A value as Python text; {data_dir} in it reads the value of that name, other braces stay."""
    if not isinstance(value, str):
        return repr(value)
    names = [name for name in re.findall(r"\{(\w+)\}", value) if name in attributes]
    if not names:
        return repr(value)
    doubled = repr(value).replace("{", "{{").replace("}", "}}")
    for name in names:
        doubled = doubled.replace(f"{{{{{name}}}}}", f"{{{name}}}")
    return f"f{doubled}"


def number(value: float) -> str:
    return repr(int(value) if value == int(value) else value)


@functools.cache
def declaration_lines(source: str) -> dict[str, int]:
    """The line on which each `Hyperparameter("name", ...)` or `choice("name", ...)` begins."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {
        call.args[0].value: call.lineno
        for call in calls
        if getattr(call.func, "id", "") in ("Hyperparameter", "choice")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }

"""YAML as recipes are written: version 1.2's scalars, no duplicates, no tags, every value placed.

PyYAML reads version 1.1, where `on` is true, `1e-3` a text and `012` ten.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import yaml

from pgolf_compose.errors import ComposeError
from pgolf_compose.origin import Location

__all__ = ["Document", "read_scalar", "read_yaml"]

Keys = tuple[str | int, ...]
STANDARD = "tag:yaml.org,2002:"
# deeper than any recipe, shallower than Python's stack
DEEPEST = 20


class Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2 and without anchors."""

    yaml_implicit_resolvers: ClassVar = {}

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases are not used in recipes; write `extends`",
                problem_mark=mark,
            )
        return super().compose_node(parent, index)


Loader.add_implicit_resolver(
    STANDARD + "null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
Loader.add_implicit_resolver(
    STANDARD + "bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
Loader.add_implicit_resolver(
    STANDARD + "int",
    re.compile(r"^([-+]?[0-9]+(_[0-9]+)*|0x[0-9a-fA-F]+|0o[0-7]+)$"),
    list("-+0123456789"),
)
Loader.add_implicit_resolver(
    STANDARD + "float",
    re.compile(r"^[-+]?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Document:
    """A file's data, and for each value and key the place where it stands."""

    path: Path
    data: object
    values: dict[Keys, Location]
    keys: dict[Keys, Location]

    def where(self, *keys: str | int) -> Location:
        """The value's place, or that of the nearest thing around it."""
        while keys and keys not in self.values:
            keys = keys[:-1]
        return self.values.get(keys, Location(self.path, 1))

    def key(self, *keys: str | int) -> Location:
        return self.keys.get(keys) or self.where(*keys)


def read_yaml(path: Path) -> Document:
    """A YAML file; whatever is wrong with it is told by line and column."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ComposeError("there is no such file", path) from None
    except IsADirectoryError:
        raise ComposeError("this is a folder, not a recipe", path) from None
    except UnicodeDecodeError as error:
        raise ComposeError(f"not UTF-8: {error.reason} at byte {error.start}", path) from None
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", path) from None
    document = Document(path, None, {}, {})
    node = compose(text, path)
    data = build(node, (), document) if node else None
    return Document(path, data, document.values, document.keys)


def read_scalar(text: str, name: str) -> object:
    """One value as a recipe would write it: `4`, `1e-3`, `true`, `[9, 10]`, `bf16`."""
    path = Path(name)
    node = compose(text, path)
    return build(node, (), Document(path, None, {}, {})) if node else None


def compose(text: str, path: Path) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Location(path, mark.line + 1, mark.column + 1) if mark else path
        problem = error.problem or error.context or "not YAML"
        raise ComposeError(f"not readable as YAML: {problem}", where) from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ComposeError(f"not readable as YAML: {reason}", path) from None
    except RecursionError:
        raise ComposeError("nested too deeply for a recipe", path) from None


def build(node: yaml.Node, keys: Keys, document: Document) -> object:
    """The node's value; notes where it and its keys stand."""
    where = Location(document.path, node.start_mark.line + 1, node.start_mark.column + 1)
    document.values[keys] = where
    if len(keys) > DEEPEST:
        raise ComposeError("nested too deeply for a recipe", where)
    kind = node.tag.removeprefix(STANDARD)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        data = {}
        for key_node, value_node in node.value:
            key = build(key_node, keys, Document(document.path, None, {}, {}))
            at = Location(
                document.path, key_node.start_mark.line + 1, key_node.start_mark.column + 1
            )
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise ComposeError("a key must be a name", at)
            key = str(key)
            if key in data:
                first = document.keys[*keys, key].line
                raise ComposeError(f"{key} stands here twice, first on line {first}", at)
            document.keys[*keys, key] = at
            data[key] = build(value_node, (*keys, key), document)
        return data
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [build(item, (*keys, n), document) for n, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and kind in SCALARS:
        try:
            return SCALARS[kind](node.value)
        except ValueError:
            raise ComposeError(f"{node.value!r} does not read as {kind}", where) from None
    raise ComposeError(
        f"the tag {node.tag} would build a Python object; recipes hold plain values only", where
    )


SCALARS = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": lambda text: int(text, 0 if text[:2] in ("0x", "0o") else 10),
    "float": lambda text: float(text.replace("_", "")),
    "str": str,
}

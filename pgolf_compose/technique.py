"""What a technique, or the host script itself, declares. Data only: nothing here renders."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pgolf_compose.hookspecs import hookimpl
from pgolf_compose.origin import File

__all__ = ["Host", "Hyperparameter", "Technique", "Value", "grouped"]

Value = bool | int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class Hyperparameter:
    """A named value: its type is its default's, and a tuple is a list of whole numbers.

    A recipe sets it by `name`, the script reads it as `h.<prefix>_<name>`, the environment
    overrides it as `<PREFIX>_<NAME>` or as `env`, where public scripts spell it otherwise.
    """

    name: str
    default: Value
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    env: str = ""
    group: str = ""  # set by `grouped`

    @property
    def wants(self) -> str:
        """The values it takes, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        words = kinds.get(type(self.default), "a list of whole numbers")
        if self.minimum is not None and self.maximum is not None:
            return f"{words} from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{words}, at least {self.minimum:g}"
        if self.maximum is not None:
            return f"{words}, at most {self.maximum:g}"
        return words


def grouped(title: str, *members: Hyperparameter) -> tuple[Hyperparameter, ...]:
    """Hyperparameters that the script lists under a common title."""
    return tuple(replace(one, group=title) for one in members)


@dataclass(frozen=True, eq=False)
class Declared:
    """A folder that declares itself: its name, what it is and where follow from its module.

    Write `technique = Technique(__name__, ...)` in the folder's `__init__.py`, under a
    docstring whose first paragraph says in one sentence what the technique does.
    """

    module: str
    hyperparameters: tuple[Hyperparameter, ...] = field(default=(), kw_only=True)
    env_prefix: str | None = field(default=None, kw_only=True)  # the name in capitals

    @property
    def name(self) -> str:
        return self.module.rpartition(".")[2]

    @property
    def home(self) -> Path:
        return Path(sys.modules[self.module].__file__).parent

    @property
    def summary(self) -> str:
        doc = sys.modules[self.module].__doc__ or ""
        return " ".join(doc.strip().partition("\n\n")[0].split())

    @property
    def prefix(self) -> str:
        return self.name.upper() if self.env_prefix is None else self.env_prefix

    def attribute(self, hyperparameter: Hyperparameter) -> str:
        """The script's name for it, as in `h.xsa_last_n`."""
        return "_".join(filter(None, [self.prefix.lower(), hyperparameter.name]))

    def env(self, hyperparameter: Hyperparameter) -> str:
        """The environment's name for it, as in `XSA_LAST_N`."""
        return hyperparameter.env or self.attribute(hyperparameter).upper()

    def file(self, name: str) -> File:
        """A file of the folder, under a label that is the same wherever the folder lies."""
        return File(self.home / name, f"{self.kind}/{self.name}/{name}")


@dataclass(frozen=True, eq=False)
class Technique(Declared):
    """One idea: what it needs, what it excludes, where it comes from. Its code is `fragments.py`.

    `requires` and `conflicts` map another technique's name to the reason. `after` and `before`
    order this one among others that fill the same slot. `switch` is the name that turns it on
    in public scripts (`EMA_ENABLED`): a composed script accepts it set to 1 and stops at 0.
    `measuring` marks what observes a run and has no place in a submission.
    """

    source: str = field(default="", kw_only=True)  # paper or pull request
    seen_in: tuple[str, ...] = field(default=(), kw_only=True)  # records
    requires: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    conflicts: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    after: tuple[str, ...] = field(default=(), kw_only=True)
    before: tuple[str, ...] = field(default=(), kw_only=True)
    switch: str = field(default="", kw_only=True)
    measuring: bool = field(default=False, kw_only=True)
    host: str = field(default="train_gpt", kw_only=True)

    kind = "plugins"

    @hookimpl
    def register_techniques(self) -> "list[Technique]":
        return [self]


@dataclass(frozen=True, eq=False)
class Host(Declared):
    """A host script: templates in its folder, rendered from `template`.

    `artifact_bytes(shapes, settings)` predicts the compressed model, (least, most) bytes, from
    the parameters' shapes by name and the host's settings by name. It speaks for the host's own
    quantiser and compressor only. `smoke` is the environment of a run of a few seconds on a CPU.
    """

    template: str = field(default="train_gpt.py", kw_only=True)
    artifact_bytes: Callable[[Mapping, Mapping], tuple[int, int]] | None = field(
        default=None, kw_only=True
    )
    smoke: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    kind = "templates"

    @hookimpl
    def register_templates(self) -> "list[Host]":
        return [self]

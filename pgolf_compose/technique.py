"""What a technique, or the host script itself, declares. Data only: nothing here renders."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import get_origin

from pgolf_compose.hookspecs import hookimpl
from pgolf_compose.origin import File

__all__ = ["Host", "Hyperparameter", "Technique", "Value", "choice", "grouped"]

Value = bool | int | float | str | tuple


@dataclass(frozen=True)
class Hyperparameter:
    """A named value: its type is its default's, and a tuple is a list of whole numbers.

    A recipe sets it by `name`, the script reads it as `h.<prefix>_<name>`, the environment
    overrides it as `<PREFIX>_<NAME>` or as `env`, where public scripts spell it otherwise; of
    several names in `env`, with spaces between, the first that is set counts.

    What is `settled` is decided when a script is composed: fragments ask for it by its name
    (`# @if form == "joint"`), the script does not read it. Where `env` names it, the script
    lets the environment confirm it. `options` says what each choice means, and `breaks` which
    rules of a contest it violates, as `Technique.breaks` does.
    """

    name: str
    default: Value
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    env: str = ""
    settled: bool = False
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    breaks: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    group: str = ""  # set by `grouped`

    def __post_init__(self):
        """Refuse what would fail later, far from its author."""
        numeric = isinstance(self.default, int | float | tuple) and self.default is not True
        limits = [one for one in (self.minimum, self.maximum) if one is not None]
        items = self.default if isinstance(self.default, tuple) else (self.default,)
        wrong = {
            "its name is not like last_n": not re.fullmatch(r"[a-z][a-z0-9_]*", self.name),
            f"no value like {self.default!r} can be set": not isinstance(self.default, Value)
            or not all(isinstance(item, int) for item in items if len(items) != 1),
            "its help is not one line of text": not self.help or "\n" in self.help,
            "choices are not a tuple of texts": not isinstance(self.choices, tuple)
            or not all(isinstance(one, str) for one in self.choices),
            "its limits are not numbers": not all(isinstance(one, int | float) for one in limits),
            "its options are not its choices": bool(self.options)
            and tuple(self.options) != self.choices,
            "it breaks rules by what is no choice": not set(self.breaks) <= set(self.choices),
        }
        for reason, here in wrong.items():
            if here:
                raise TypeError(f"Hyperparameter {self.name!r}: {reason}")
        outside = limits and numeric and not all(self.within(item) for item in items)
        if outside or (self.choices and self.default not in self.choices):
            raise TypeError(f"Hyperparameter {self.name!r}: its default is not {self.wants}")

    def within(self, value: float) -> bool:
        return (self.minimum is None or value >= self.minimum) and (
            self.maximum is None or value <= self.maximum
        )

    @property
    def wants(self) -> str:
        """The values it takes, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        words = kinds.get(type(self.default), "a list of whole numbers")
        if self.minimum is not None and self.maximum is not None:
            return f"{words} from {self.minimum} to {self.maximum}"
        if self.minimum is not None:
            return f"{words}, at least {self.minimum}"
        if self.maximum is not None:
            return f"{words}, at most {self.maximum}"
        return words


def choice(
    name: str,
    options: Mapping[str, str],
    help: str,
    *,
    env: str = "",
    breaks: Mapping[str, Mapping[str, str]] | None = None,
) -> Hyperparameter:
    """One of several ways to do a thing, settled when a script is composed; the first by default.

    `options` maps each to what it is and where it comes from.
    """
    names = tuple(options)
    return Hyperparameter(
        name,
        names[0],
        help,
        choices=names,
        env=env,
        settled=True,
        options=options,
        breaks=breaks or {},
    )


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
    # given every value by the script's name for it, what keeps them from running together, or ""
    misfit: Callable[[Mapping], str] | None = field(default=None, kw_only=True)
    # the environment of a run of a few seconds on a CPU
    smoke: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    def __post_init__(self):
        """Refuse what would fail later, far from its author."""
        if self.module not in sys.modules:
            raise TypeError(f"write {type(self).__name__}(__name__, ...), not {self.module!r}")
        for one in fields(self):
            value, wanted = getattr(self, one.name), get_origin(one.type) or one.type
            if wanted in (tuple, Mapping, str, bool) and not isinstance(value, wanted):
                raise TypeError(f"{one.name} is a {type(value).__name__}, not a {wanted.__name__}")
        for one in self.hyperparameters:
            if not isinstance(one, Hyperparameter):
                raise TypeError(f"hyperparameters holds {one!r}, which is no Hyperparameter")

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
        """The script's name for it, as in `h.xsa_last_n`; of what is settled, for `misfit`."""
        # a choice without a prefix would keep a word like `form` from all others
        prefix = self.prefix or (self.name if hyperparameter.settled else "")
        return "_".join(filter(None, [prefix.lower(), hyperparameter.name]))

    def env(self, hyperparameter: Hyperparameter) -> str:
        """The environment's name for it, as in `XSA_LAST_N`; empty where it does not read it."""
        if hyperparameter.settled:
            return hyperparameter.env
        return hyperparameter.env or self.attribute(hyperparameter).upper()

    def file(self, name: str) -> File:
        """A file of the folder, under a label that is the same wherever the folder lies."""
        return File(self.home / name, f"{self.kind}/{self.name}/{name}")


@dataclass(frozen=True, eq=False)
class Technique(Declared):
    """One idea: what it needs, what it excludes, where it comes from. Its code is `fragments.py`.

    `requires` and `conflicts` map another technique's name to the reason. `after` and `before`
    order this one among others that fill the same slot. `switch` is the name that turns it on
    in public scripts (`EMA_ENABLED`): a composed script accepts it set to 1 and stops at 0; of
    several names, with spaces between, the first that is set counts.
    `measuring` marks what observes a run and has no place in a submission. `breaks` maps each
    rule of a contest that it violates to what it does, `keeps` each that it comes close to, to
    why it does not. `ranks_matter` says why several processes do not compute what one does.
    """

    source: str = field(default="", kw_only=True)  # paper or pull request
    requires: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    conflicts: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    after: tuple[str, ...] = field(default=(), kw_only=True)
    before: tuple[str, ...] = field(default=(), kw_only=True)
    switch: str = field(default="", kw_only=True)
    measuring: bool = field(default=False, kw_only=True)
    breaks: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    keeps: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    ranks_matter: str = field(default="", kw_only=True)
    host: str = field(default="train_gpt", kw_only=True)

    kind = "plugins"

    @hookimpl
    def register_techniques(self) -> "list[Technique]":
        return [self]


@dataclass(frozen=True, eq=False)
class Host(Declared):
    """A host script: templates in its folder, rendered from `template`, whose name the script has.

    `usage` are the commands that run it, with {script} for its file; `packages` what must be
    installed for that; `keep` the names of the environment that a small file still reads, besides
    those of every host; `writes` patterns of the files that a run leaves. `model` is the class
    whose parameters are counted, empty where there is none.

    `artifact_bytes(shapes, settings)` predicts the compressed model, (least, most) bytes, from
    the parameters' shapes by name and the host's settings by name. It speaks for the host's own
    quantiser and compressor only.
    """

    template: str = field(default="train_gpt.py", kw_only=True)
    usage: tuple[str, ...] = field(default=("python {script}",), kw_only=True)
    packages: tuple[str, ...] = field(default=("torch",), kw_only=True)
    keep: tuple[str, ...] = field(default=(), kw_only=True)
    writes: tuple[str, ...] = field(default=("final_model*", "logs/*.txt"), kw_only=True)
    model: str = field(default="GPT", kw_only=True)
    artifact_bytes: Callable[[Mapping, Mapping], tuple[int, int]] | None = field(
        default=None, kw_only=True
    )

    kind = "templates"

    @property
    def script(self) -> str:
        """The name of its script, without .py: `train_gpt`."""
        return Path(self.template).stem

    @hookimpl
    def register_templates(self) -> "list[Host]":
        return [self]

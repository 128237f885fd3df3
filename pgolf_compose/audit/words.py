"""The lists of words that checks go by: words.yaml, phrases.yaml, each technique's claims.yaml."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.technique import Technique
from pgolf_compose.yaml_file import read_yaml

__all__ = ["Wording", "is_other", "pattern", "phrases", "wording"]

HERE = Path(__file__).parent


@functools.cache
def pattern(name: str) -> re.Pattern:
    """One list of words.yaml as one pattern."""
    words = read_yaml(HERE / "words.yaml").data[name]
    return re.compile("|".join(f"(?:{one})" for one in words), re.I)


@dataclass(frozen=True)
class Wording:
    """How people write of a technique, and by which names a script shows it: its claims.yaml.

    `says` are patterns of a claim, case ignored unless one has capitals only, which then must
    match; a technique without them is claimed by its own name in backticks only. `shows` are
    patterns of identifiers, names of the environment or texts in a script, case ignored; the
    names that its fragments define or read count too. `loose`: a script may do it without saying
    so, which makes its absence a warning.
    """

    says: tuple[re.Pattern, ...] = ()
    shows: re.Pattern | None = None
    loose: bool = False


@functools.cache
def wording(technique: Technique) -> Wording:
    path = technique.home / "claims.yaml"
    if not path.is_file():
        return Wording()
    try:
        data = read_yaml(path).data
        says = tuple(re.compile(one, 0 if in_capitals(one) else re.I) for one in data["says"])
        shows = re.compile("|".join(data["shows"]), re.I) if data.get("shows") else None
        return Wording(says, shows, data.get("loose", False))
    except (re.error, KeyError, TypeError, AttributeError) as error:
        raise ComposeError(f"wants lists of patterns, `says` and `shows`: {error}", path) from None


def in_capitals(pattern: str) -> bool:
    return re.sub(r"\\.|\(\?[:!=<]+", "", pattern).isupper()


@functools.cache
def phrases() -> dict[str, re.Pattern]:
    """How a README words a hyperparameter with its value, by the name in a log's dump."""
    found = read_yaml(HERE / "phrases.yaml").data
    return {name: re.compile("|".join(spelled), re.I) for name, spelled in found.items()}


@functools.cache
def is_other(heading: str) -> bool:
    """Whether a section is about others' work, or about what was not done."""
    return bool(pattern("other_sections").search(heading))

"""The lists of words that checks go by; they are data, in words.yaml and techniques.yaml."""

import functools
import re
from pathlib import Path

from pgolf_compose.yaml_file import read_yaml

__all__ = ["claims", "is_other", "pattern", "phrases"]

HERE = Path(__file__).parent


@functools.cache
def pattern(name: str) -> re.Pattern:
    """One list of words.yaml as one pattern."""
    words = read_yaml(HERE / "words.yaml").data[name]
    return re.compile("|".join(f"(?:{one})" for one in words), re.I)


@functools.cache
def claims() -> dict[str, dict]:
    """techniques.yaml: how people write of each technique, and by what a script shows it."""
    return read_yaml(HERE / "techniques.yaml").data


@functools.cache
def phrases() -> dict[str, re.Pattern]:
    """How a README words a hyperparameter with its value, by the name in a log's dump."""
    found = read_yaml(HERE / "phrases.yaml").data
    return {name: re.compile("|".join(spelled), re.I) for name, spelled in found.items()}


@functools.cache
def is_other(heading: str) -> bool:
    """Whether a section is about others' work, or about what was not done."""
    return bool(pattern("other_sections").search(heading))

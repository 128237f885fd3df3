"""What the words of a name tell, by the lists in `words.yaml`."""

import functools
import re
from pathlib import Path

from pgolf_compose.yaml_file import read_yaml

__all__ = ["counts_parts", "failures", "kind_of", "of_training", "starts_run"]

KINDS = ("progress", "derived", "diagnostic", "weights", "artifact", "plain", "steps", "no_count")


@functools.cache
def table() -> dict:
    return read_yaml(Path(__file__).with_name("words.yaml")).data


@functools.cache
def words(kind: str) -> re.Pattern:
    """Any of a list's words, whole, in a text in lower case with underscores."""
    found = "|".join(sorted(map(re.escape, table()[kind]), key=len, reverse=True))
    return re.compile(f"(?<![a-z0-9])(?:{found})(?![a-z0-9])")


@functools.lru_cache(4096)
def kind_of(name: str) -> str:
    """progress, derived, diagnostic, plain, artifact or unknown: what a score's name tells.

    >>> kind_of("diagnostic quantized"), kind_of("final_int4_lzma_roundtrip_exact")
    ('diagnostic', 'artifact')
    """
    text = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    for kind in ("progress", "derived", "diagnostic"):
        if words(kind).search(text):
            return kind
    if not words("plain").sub("", text).strip("_0123456789"):
        return "plain"
    if words("artifact").search(text):
        return "artifact"
    return "diagnostic" if words("weights").search(text) else "unknown"


def of_training(name: str) -> bool:
    """Whether a name that stands beside a step's number is of training's validation."""
    rest = words("steps").sub("", words("plain").sub("", name.lower()))
    return not re.search("[a-z]", rest)


def counts_parts(name: str) -> bool:
    """Whether `name 1/2` counts parts of an evaluation; `stride 64/2048` does not."""
    return not words("no_count").search(name.lower())


def starts_run(line: str) -> bool:
    """Whether only the start of a run prints such a line."""
    return beginnings().match(line) is not None


@functools.cache
def beginnings() -> re.Pattern:
    return re.compile("|".join(table()["run_starts"]))


@functools.cache
def failures() -> list[tuple[re.Pattern, str]]:
    """What a line matches that tells why a run ended, and the reason, the gravest first."""
    return [(re.compile(one["pattern"]), one["reason"]) for one in table()["failures"]]

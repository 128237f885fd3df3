"""Names with their numbers in a line: `val_bpb:1.08`, `time = 12.1s`, `1.08 bpb`.

Every pattern is bounded, so that no line takes long.
"""

import functools
import math
import re
from dataclasses import dataclass

__all__ = ["Pair", "finite", "pairs", "quantity", "spelled_out"]

DIGITS = r"[-+]?(?:\d+(?:[,_]\d{3})+(?!\d)|\d+)?(?:\.\d+|(?<=\d))(?:[eE][-+]?\d+)?"
NUMBER = rf"(?:{DIGITS}(?!\d)|[-+]?(?:nan|inf)(?:inity)?\b)"
METRIC = r"(?:\w{0,40}?(?:bpb|bits_per_byte)\w{0,40}|(?:\w{0,40}_)?(?:val|train)_loss)"
IN_BRACKETS = r"\((?P<of>(?:(?!(?:bpb|loss)\s?[:=])[^()]){0,40})\)"
WRAPPED = r"(?:(?:(?:np|numpy|torch)\.)?(?:float\d*|tensor)\()?"  # `np.float64(1.08)`
BEHIND = r"(?:bpb|bits_per_byte)\b(?!\s*[:=]|\s+[-\d])"  # and not before its own value
NO_THRESHOLD = r"(?<![\w.:=/<≤≥~≈+])(?<![<≤≥~≈+]\s)(?<![^-=]>\s)"
WAYS = (
    # `key (remark): value`, with `=`, `->`, quotes
    rf"""["']?(?<![A-Za-z_./-])(?P<key>[A-Za-z_][\w./-]{{0,80}})["']?[ ]?(?:{IN_BRACKETS})?"""
    rf"""\s{{0,20}}(?:[:=]>?|->|→)\s{{0,20}}["']?{WRAPPED}(?P<value>{NUMBER})""",
    # `val_bpb 1.08`, `val_bpb is 1.08`, `| val_bpb | 1.08 |`
    rf"\b(?P<key2>{METRIC})(?:\s(?:is|of|at|was))?"
    rf"\s{{1,20}}(?:\|\s{{1,20}})?(?P<value2>{NUMBER})",
    # `1.08 bpb`, but not `< 1.08 bpb`
    rf"{NO_THRESHOLD}(?P<value3>{DIGITS})\s?(?P<key3>{BEHIND})",
)
PAIR = re.compile("|".join(WAYS), re.I)
BPB_BEHIND = re.compile(rf"\s?{BEHIND}", re.I)  # `score: 1.08 bpb`
BECAME = re.compile(r"\s?(?:->|→|=>)\s?(?P<value>\d{1,3}\.\d+)(?![\d.]|\s?[KMG]?i?B\b)")
UNIT = re.compile(r"\s?(ms|milliseconds|seconds|secs?|s|minutes|mins?|m)(?![a-z_])|(ms)", re.I)
SECONDS = {"ms": 0.001, "milliseconds": 0.001, "m": 60, "min": 60, "mins": 60, "minutes": 60}
SECONDS |= dict.fromkeys(("s", "sec", "secs", "seconds"), 1)
BITS_PER_BYTE = re.compile(r"bits(?:[ /-]per[ /-]|/)byte", re.I)
SPACED = re.compile(r"\b(val|valid|validation|train|training|eval|test)[ .](loss|bpb)\b", re.I)
GLUED = re.compile(r"/\d|\.\d")


@dataclass(frozen=True)
class Pair:
    """A name and its number, where they stand in the line."""

    key: str
    text: str
    start: int
    end: int  # behind its unit
    unit: str

    @property
    def value(self) -> float:
        return float(re.sub("[,_]", "", self.text))

    @property
    def quantity(self) -> str:
        return quantity(self.key)

    @property
    def seconds(self) -> float | None:
        """Of a time; None if its unit is not told."""
        factor = SECONDS.get(self.unit.lower() or self.key.lower().rpartition("_")[2])
        value = math.inf if factor is None else self.value * factor
        return value if math.isfinite(value) else None

    def broken(self, line: str) -> bool:
        """Whether what is glued to the number makes it another: `1.08/20`, `1.08.2`, `1,08`."""
        if self.unit:
            return False
        glued = GLUED.match(line, self.end) is not None
        return glued or ("." not in self.text and line[self.end : self.end + 1] == ",")


@functools.lru_cache(1000)
def quantity(key: str) -> str:
    """bpb, loss, train, loss? (of training or validation) or nothing: what a key's value is."""
    key = key.lower()
    if re.search(r"bpb|bits[ _/]per[ _/]byte|bits/byte", key):
        return "bpb"
    if re.search(r"(^|[_/])(val|valid|validation|eval|test)[_/]?loss$", key):
        return "loss"
    if re.search(r"(^|[_/])(train|training)[_/]loss$", key):
        return "train"
    return "loss?" if key == "loss" else ""


def pairs(line: str) -> list[Pair]:
    """Those of a line, in order; of `1.12 -> 1.08` the later value."""
    found = []
    for match in PAIR.finditer(line):
        key = match["key"] or match["key2"] or match["key3"]
        text = match["value"] or match["value2"] or match["value3"]
        unit = UNIT.match(line, match.end())
        unit_text = (unit[1] or unit[2]) if unit else ""
        start, end = match.start(), unit.end() if unit else match.end()
        if match["value"] and (after := BPB_BEHIND.match(line, match.end())):
            key, start, end, unit_text = "bpb", match.start("value"), after.end(), ""
        elif match["of"] and not quantity(key) and quantity(match["of"]) == "bpb":
            key, start = "bpb", match.start("of")  # `submission score (val_bpb): 1.08`
        if became := BECAME.match(line, end):
            text, end = became["value"], became.end()
        found.append(Pair(key, text, start, end, unit_text))
    return found


def spelled_out(line: str) -> str:
    """With `val loss` and `bits per byte` as one word each."""
    return SPACED.sub(r"\1_\2", BITS_PER_BYTE.sub("bits_per_byte", line))


def finite(pair: Pair | None) -> float | None:
    value = math.nan if pair is None else pair.value
    return value if math.isfinite(value) else None

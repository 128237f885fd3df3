"""What one line of a log says: evaluations, pairs of name and value, the words of a name.

No list of known lines: any `name ... val_loss:1 ... val_bpb:2`, with `:`, `=`, `->` or a space, in
any order, is an evaluation. Which kind it is follows from the words in `logs.yaml`. Every pattern
is bounded, so that no line takes long.
"""

import functools
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.yaml_file import read_yaml

DIGITS = r"[-+]?(?:\d+(?:[,_]\d{3})+(?!\d)|\d+)?(?:\.\d+|(?<=\d))(?:[eE][-+]?\d+)?"
NUMBER = rf"(?:{DIGITS}(?!\d)|[-+]?(?:nan|inf)(?:inity)?\b)"
METRIC = r"(?:\w{0,40}?(?:bpb|bits_per_byte)\w{0,40}|(?:\w{0,40}_)?(?:val|train)_loss)"
PAIR = re.compile(
    rf"""["']?(?<![A-Za-z_./-])(?P<key>[A-Za-z_][\w./-]{{0,80}})["']?"""
    rf"""[ ]?(?:\([^()=:]{{0,40}}\))?\s{{0,20}}(?:[:=]|->|→)\s{{0,20}}["']?(?P<value>{NUMBER})"""
    rf"""|\b(?P<key2>{METRIC})(?:\s(?:is|of|at|was))?\s{{1,20}}(?P<value2>{NUMBER})"""
    rf"""|(?<![\w.:=/])(?P<value3>{DIGITS})\s?(?P<key3>bpb|bits_per_byte)\b(?!\s*[:=]|\s+[-\d])""",
    re.I,
)
BITS = re.compile(r"\s?(?:bpb|bits_per_byte)\b(?!\s*[:=]|\s+[-\d])", re.I)
UNIT = re.compile(r"\s?(ms|milliseconds|seconds|secs?|s|minutes|mins?|m)(?![a-z_])|(ms)", re.I)
BITS_PER_BYTE = re.compile(r"bits(?:[ /-]per[ /-]|/)byte", re.I)
SPACED = re.compile(r"\b(val|valid|validation|train|training|eval|test)[ .](loss|bpb)\b", re.I)
STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
LEVEL = r"(?:INFO|DEBUG|WARNING)"
PREFIX = re.compile(
    rf"""(?:\[?{STAMP}\]?|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?|\[\d,\d+\]<std\w+>:"""
    rf"""|\[?(?:rank|default)[ _]?\d+\]?:?|\((?:rank|worker|pid)[^()]*\)"""
    rf"""|\[{LEVEL}\]:?|{LEVEL}\b:?|\d{{1,3}}:(?=\s)|[\w-]+-\d+\s+\|)[: ]?\s?"""
)
BETWEEN = re.compile(rf"[-|]\s|\[?[\w.]+\]?(?: - | )(?={LEVEL}\b)")
CLUSTER = re.compile(rf"[^\n]{{0,80}}?{STAMP} std(?:out|err) [FP] ")
STEP = re.compile(
    r"(?:^|[\s|,{\"'])(?:step|iter|iteration)[\"']?\s*[:= ]\s*(\d+)(?:\s*/\s*(\d+))?", re.I
)
OF_STEPS = re.compile(r"\s*(\d+)/(\d+)(?=[\s:])")
PROGRESS = re.compile(
    r"(?<![\w-])([A-Za-z][\w-]{0,40})\b[^|=]{0,24}?[\s\[:bc](\d+)/(\d+)(?![\d/.])"
)
STARTS = re.compile(r"\b(start|starting|begin|beginning|compiling|warming)\b", re.I)
STAGE = re.compile(r"(?<![a-z])(ttt|eval|slot|sliding|scor\w+|roundtrip|evaluat\w+)(?![a-z])", re.I)
COMMON = re.compile(
    r"step:(\d{1,12})/(\d{1,12}) train_loss:(\d{1,6}\.\d{1,12}) train_time:(\d{1,15})ms"
    r"(?: step_avg:[\d.]{1,20}ms)?(?: tok/s:\d+)?\n"
)
ENDED = re.compile(
    r"stopping_early|^peak memory|^Serialized model|training (?:done|complete|finished)", re.I
)
ERROR = re.compile(
    r"^(?:[\w]+\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Timeout|Refused|Killed)(?:: |:?$)"
)
BYTES = re.compile(
    r"(?P<label>[A-Za-z][^|:=]{0,80}?(?:\([^()]{0,40}\))?)\s?[:=]\s{0,20}"
    r"(?P<number>\d[\d,_]*)(?P<unit>\s*(?:bytes|B)\b)?(?P<of>\s*/\s*16[,_]?000[,_]?000)?",
)
GPU = re.compile(
    r"(?:(?<![\w.])\d{1,3} ?x ?)?(?:\b|(?<=[x ]))(?:(?:NVIDIA|AMD|Tesla|GeForce|Instinct) ?){0,2}"
    r"(?:RTX \w{4,5}|[HAB]\d00|L40S?|GH200|MI\d{3}X?|V100|T4)\b"
    r"(?:[ -](?:\d+ ?GB|HBM\d\w*|SXM\d?|PCIe|NVL|Ti|SUPER|Ada|Generation|Laptop|GPU)\b)*"
)
SMI_GPU = re.compile(r"\|\s+(\d+)\s+((?:NVIDIA|Tesla|GeForce|Quadro|AMD)[^|]*?)\s+(?:On|Off)\s+\|")
SEEDS = re.compile(r"(?<![a-z])(?:seed|s)[ _=-]?(\d{1,10})(?!\d)", re.I)
GLUED = re.compile(r"/\d|\.\d")
NOISE = re.compile(r"\b(?:INFO|DEBUG|WARNING|step|iter|iteration)\b|(?<![\w.])[\d/]+(?![\w.])")
FAILS = re.compile(
    r"error|timeout|timed out|signal|sig[a-z]{3,4}\b|fault|abort|killed|no space|interrupt|limit",
    re.I,
)
TIME_KEY = re.compile(
    r"(?:total_)?train(?:ing)?_(?:time|elapsed|ms|seconds)(?:_m?s)?|elapsed_ms", re.I
)
RAW = re.compile(r"\braw|uncompressed|unquantized|fp32|payload|float|state_dict|original")


@functools.cache
def rules() -> dict:
    """The words of logs.yaml, those with underscores ready to be looked for."""
    data = read_yaml(Path(__file__).with_name("logs.yaml")).data
    for kind in ("progress", "derived", "diagnostic", "weights", "artifact", "plain", "steps"):
        words = "|".join(sorted(map(re.escape, data[kind]), key=len, reverse=True))
        data[kind] = re.compile(f"(?<![a-z0-9])(?:{words})(?![a-z0-9])")
    data["run_starts"] = re.compile("|".join(data["run_starts"]))
    data["failures"] = [(re.compile(f["pattern"]), f["reason"]) for f in data["failures"]]
    return data


@functools.lru_cache(4096)
def kind_of(name: str) -> str:
    """progress, derived, diagnostic, plain, artifact or unknown: what the words of a name tell.

    >>> kind_of("diagnostic quantized"), kind_of("final_int4_lzma_roundtrip_exact")
    ('diagnostic', 'artifact')
    """
    words = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    table = rules()
    for kind in ("progress", "derived", "diagnostic"):
        if table[kind].search(words):
            return kind
    if not table["plain"].sub("", words).strip("_0123456789"):
        return "plain"
    if table["artifact"].search(words):
        return "artifact"
    return "diagnostic" if table["weights"].search(words) else "unknown"


def of_training(name: str) -> bool:
    """Whether a name that stands beside a step's number is of training's validation."""
    return not re.sub(
        "[^a-z]", "", rules()["steps"].sub("", rules()["plain"].sub("", name.lower()))
    )


@dataclass(frozen=True)
class Pair:
    key: str
    text: str
    start: int
    end: int  # behind its unit
    unit: str

    @property
    def value(self) -> float:
        return float(re.sub("[,_]", "", self.text))

    @property
    def kind(self) -> str:
        key = self.key.lower()
        if re.search(r"bpb|bits[ _/]per[ _/]byte|bits/byte", key):
            return "bpb"
        if re.search(r"(^|[_/])(val|valid|validation|eval|test)[_/]?loss$", key):
            return "loss"
        if re.search(r"(^|[_/])(train|training)[_/]loss$", key):
            return "train"
        return "loss?" if key == "loss" else ""

    @property
    def seconds(self) -> float | None:
        """Of a time, in seconds; None if its unit is not told."""
        unit = self.unit.lower() or self.key.lower().rpartition("_")[2]
        factor = {"ms": 0.001, "milliseconds": 0.001, "m": 60, "min": 60, "mins": 60, "minutes": 60}
        if unit in factor or unit in ("s", "sec", "secs", "seconds"):
            value = self.value * factor.get(unit, 1)
            return value if math.isfinite(value) else None
        return None


def pairs(line: str) -> list[Pair]:
    found = []
    for match in PAIR.finditer(line):
        key = match["key"] or match["key2"] or match["key3"]
        text = match["value"] or match["value2"] or match["value3"]
        unit = UNIT.match(line, match.end())
        unit_text = (unit[1] or unit[2]) if unit else ""
        end = match.end() + (len(unit[0]) if unit else 0)
        start = match.start()
        if match["value"] and (after := BITS.match(line, match.end())):  # `score: 1.08 bpb`
            key, start, end, unit_text = "bpb", match.start("value"), after.end(), ""
        found.append(Pair(key, text, start, end, unit_text))
    return found


@dataclass
class Reading:
    """One printed evaluation, before it is known what came after it."""

    name: str
    bpb: Pair | None = None
    loss: Pair | None = None
    seconds: float | None = None


def clean(text: str) -> str:
    words = NOISE.sub(" ", text)
    words = " ".join(re.sub(r"[\[\]{}|<>]", " ", words).split()).strip(" ,;:=*#\"'`~…->→")
    words = words[:120]
    return words if words.count("(") == words.count(")") else re.sub("[()]", "", words).strip()


def readings(line: str, found: list[Pair]) -> list[Reading]:
    """The evaluations of a line; several where two lines were glued."""
    result: list[Reading] = []
    now: Reading | None = None
    names, behind = "", 0  # words since the last score, end of the last pair
    for pair in found:
        words, behind = line[behind : pair.start], pair.end
        kind = pair.kind
        if kind == "loss?" and any(other.kind == "bpb" for other in found):
            kind = "loss"
        if kind in ("bpb", "loss"):
            taken = now and (now.bpb if kind == "bpb" else now.loss)
            if now is None or taken or (now.bpb and now.loss):
                name = clean(f"{names} {words}")
                plain = pair.key.lower() in ("val_bpb", "val_loss", "bpb", "loss")
                if not name or not plain:
                    name = clean(f"{name} {pair.key}")
                now = Reading(name)
                result.append(now)
            setattr(now, kind, pair)
            names = ""
        else:
            names += " " + words
            if now and re.search(r"time|elapsed|took|seconds", pair.key, re.I):
                now.seconds = pair.seconds if now.seconds is None else now.seconds
    return result


def broken(pair: Pair | None, line: str) -> bool:
    """Whether a value is glued to what makes it another: `1.0812/20000`, `1.081.2`."""
    return pair is not None and not pair.unit and GLUED.match(line, pair.end) is not None


def json_line(line: str) -> str:
    """A line of JSON, such as the technique `metrics` writes, as `stage key:value ...`."""
    for text in (line, line.replace("'", '"')):
        try:
            data = json.loads(text)
            break
        except (ValueError, RecursionError):
            continue
    else:
        return line.replace('"', "").replace("'", "")
    if not isinstance(data, dict):
        return line
    name = next(
        (data[k] for k in ("stage", "name", "label", "metric") if isinstance(data.get(k), str)), ""
    )
    if name == "training" or data.get("event") in ("step", "adapt", "weights"):
        name = ""
    if data.get("event") == "adapt":
        return ""
    told = [f"{key}:{value}" for key, value in data.items() if isinstance(value, int | float)]
    told.sort(key=lambda text: not text.startswith("step:"))
    if "step" in data or not name:
        return " ".join(told)
    return f"{name} " + " ".join(told).replace("elapsed_ms", "eval_time_ms")


def unprefixed(line: str) -> str:
    """Without timestamps, ranks and levels that loggers and launchers put in front."""
    if " F " in line[:120] and (match := CLUSTER.match(line)):
        line = line[match.end() :]
    for time in range(5):
        match = PREFIX.match(line)
        match = match or (BETWEEN.match(line) if time else None)
        if not match:
            return line
        line = line[match.end() :]
    return line


def number_or_none(pair: Pair | None) -> float | None:
    if pair is None:
        return None
    value = pair.value
    return value if math.isfinite(value) else None


def size_kind(words: str) -> str:
    """What a label such as `total submission size int6+zstd` counts."""
    if re.search(
        r"limit|cap\b|max|memory|alloc|margin|headroom|target|cache|shard|token|val_", words
    ):
        return ""
    if re.search(r"code|script|source", words):
        return "code"
    if re.search(r"total|submission|artifact|budget", words):
        return "total" if "dir" not in words else ""
    if re.search(r"model|weights|blob|compressed", words):
        return "model"
    return ""

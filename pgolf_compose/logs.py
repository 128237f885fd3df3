"""Any log of the challenge as one value: scores, curve, sizes, how far the run came.

Which score is the submission's: **the last evaluation of the compressed artifact over the whole
split that the log's last run printed**, in the order of lines, never the best. So a worse score of
a later test-time training counts, as it is what the script submits. What training prints on its
way and what is named a diagnostic are not of the artifact; running values are no scores. Lines that
say the same (`x` and `x_exact`, or one score under two names) are one evaluation: its printing with
most digits counts, and of these the first, so a name that repeats an earlier score's digits is an
alias. A name that nobody has used yet counts as the artifact's if training had ended; a bare
`val_bpb: 1.08` only if no named evaluation is there. `logs.yaml` has the words that tell one kind
of name from another.
"""

import functools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.log_source import Source
from pgolf_compose.log_text import lines_of
from pgolf_compose.yaml_file import read_yaml

__all__ = ["Figure", "Log", "Point", "Score", "find_logs", "read_log"]

MOST_POINTS = 20_000
MOST_SCORES = 2_000
MOST_NAMES = 2_000
MOST_PAIRS = 60  # of a line


@dataclass(frozen=True)
class Figure:
    """A number as a log prints it."""

    text: str
    value: Decimal
    line: int


@dataclass(frozen=True)
class Score:
    """A printed score of the whole validation split."""

    name: str
    val_bpb: float | None
    val_loss: float | None  # nats per token
    line: int
    seconds: float | None
    digits: int  # decimals of val_bpb as printed
    final: bool  # of the compressed artifact
    text: str = ""  # val_bpb as printed
    repeats: int | None = None  # the line of the first printing of the same evaluation


@dataclass(frozen=True)
class Point:
    """A step of training; train_ms is what training had taken by then."""

    step: int
    train_loss: float | None
    val_loss: float | None
    val_bpb: float | None
    train_ms: float | None


@dataclass(frozen=True)
class Log:
    """What one log tells; of several runs in one file, what the last of them tells."""

    path: Path
    scores: tuple[Score, ...] = ()
    score: Score | None = None  # the submission's
    points: tuple[Point, ...] = ()
    seed: int | None = None
    seed_from: str = ""  # "printed" or "file name"
    steps: int | None = None
    total_steps: int | None = None  # planned
    train_ms: float | None = None
    eval_seconds: float | None = None  # of the artifact's evaluations, each counted once
    bytes_model: int | None = None
    bytes_code: int | None = None
    bytes_total: int | None = None
    world_size: int | None = None
    hardware: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    hyperparameters: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    reason: str = ""  # why it is not complete
    notes: tuple[str, ...] = ()  # what a reader should know of it
    runs: int = 1  # in this file
    source_ends: frozenset[int] = field(default=frozenset(), repr=False)  # see Source

    @property
    def metric(self) -> str:
        return self.score.name if self.score else ""

    @property
    def val_bpb(self) -> float | None:
        return self.score.val_bpb if self.score else None

    @property
    def val_loss(self) -> float | None:
        """Nats per token."""
        return self.score.val_loss if self.score else None

    @property
    def evaluations(self) -> tuple[Score, ...]:
        """The artifact's, each once in its printing with most digits, in order."""
        return evaluations(self.scores)

    @property
    def better(self) -> Score | None:
        """An earlier evaluation of the artifact that was better than the one that counts."""
        value = self.val_bpb
        if value is None or math.isnan(value):
            return None
        lower = [s for s in self.evaluations if s.val_bpb is not None and s.val_bpb < value]
        return min(lower, key=lambda s: s.val_bpb, default=None)

    def figures(self) -> Iterator[Figure]:
        """Every number of the file but those of the script it prints; read anew each time."""
        for number, line, is_source in marked_lines(self.path, Source(self.source_ends)):
            if not is_source:
                for match in FIGURE.finditer(line):
                    text = match[0]
                    try:
                        yield Figure(text, Decimal(re.sub("[,_]", "", text)), number)
                    except InvalidOperation:
                        continue


# -- what a line says ---------------------------------------------------------------------------

DIGITS = r"[-+]?(?:\d+(?:[,_]\d{3})+(?!\d)|\d+)?(?:\.\d+|(?<=\d))(?:[eE][-+]?\d+)?"
NUMBER = rf"(?:{DIGITS}(?!\d)|[-+]?(?:nan|inf)(?:inity)?\b)"
FIGURE = re.compile(r"(?<![\w.])[-+]?\d{1,40}(?:[,_]\d{3})*(?:\.\d{1,40})?(?:[eE][-+]?\d{1,3})?")
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
PREFIXES = frozenset("[(0123456789IDWrdabcefghijklmnopqstuvwxyzABCEFGHJKLMNOPQRSTUVXYZ")
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
    r"(?P<label>[A-Za-z][^|:=]{0,80}?(?:\([^()]{0,40}\))?)\s?[:=]\s{0,20}(?P<number>\d[\d,_]*)(?P<unit>\s*(?:bytes|B)\b)?"
    r"(?P<of>\s*/\s*16[,_]?000[,_]?000)?",
)
GPU = re.compile(
    r"(?:NVIDIA|AMD|Tesla|GeForce)[ -][A-Z][\w -]*\w"
    r"|\b(?:[HABL]\d{2,3}|GH200|GB\d+|MI\d{3}X?)[\w -]*\w"
)
SMI_GPU = re.compile(r"\|\s+(\d+)\s+((?:NVIDIA|Tesla|GeForce|Quadro|AMD)[^|]*?)\s+(?:On|Off)\s+\|")
SEEDS = re.compile(r"(?<![a-z])(?:seed|s)[ _=-]?(\d{1,10})(?!\d)", re.I)


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
        return "loss?" if key == "loss" else "nll" if key in ("val_nll", "nll") else ""

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
    step: int | None = None


NOISE = re.compile(r"\b(?:INFO|DEBUG|WARNING|step|iter|iteration)\b|(?<![\w.])[\d/]+(?![\w.])")


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


GLUED = re.compile(r"/\d|\.\d")


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


# -- reading ------------------------------------------------------------------------------------


def marked_lines(path: Path, source: Source) -> Iterator[tuple[int, str, bool]]:
    """Number, text without prefixes and whether it is of a printed script, of each line."""
    for number, line in lines_of(path):
        bare = unprefixed(line)
        yield number, bare, source.holds(number, bare)


def unprefixed(line: str) -> str:
    """Without timestamps, ranks and levels that loggers and launchers put in front."""
    if " F " in line[:120] and (match := CLUSTER.match(line)):
        line = line[match.end() :]
    for time in range(5):
        match = PREFIX.match(line) if line[:1] in PREFIXES else None
        match = match or (BETWEEN.match(line) if time else None)
        if not match:
            return line
        line = line[match.end() :]
    return line


def read_log(path: Path) -> Log:
    """What a log tells, whatever it holds; ComposeError if it cannot be opened or is no text."""
    path, ends, first = Path(path), frozenset(), None
    while True:
        source, reader = Source(ends), Reader()
        last = None
        for number, line, is_source in marked_lines(path, source):
            last = line
            if is_source:
                if number == source.began:
                    reader.starts_anew(number)
            else:
                reader.take(number, line)
        log = reader.finished(path, empty=last is None, in_source=source.inside)
        log = replace(log, source_ends=ends)
        if log.points or first is None:
            first = log
        if log.points or not (source.inside and source.rule) or len(ends) > 8:
            return first
        ends |= {source.rule}  # perhaps a string that we saw no end of, and the rule was the end


class Reader:
    """Takes the lines of a log one by one."""

    def __init__(self) -> None:
        self.runs = 1
        self.earlier: list[str] = []
        self.reset(1)

    def reset(self, line: int) -> None:
        self.began = line
        self.scores: list[Score] = []
        self.skipped_scores = 0
        self.points: list[Point] = []
        self.every = self.seen_points = 0
        self.last_step = self.total_steps = self.last_point_line = None
        self.train_ms: float | None = None
        self.trained = self.began_training = False
        self.header_seen = False
        self.values: dict[str, str] = {}
        self.block = False
        self.sizes: list[tuple[str, int, bool]] = []
        self.error = self.failure = ""
        self.failure_rank = 99
        self.pending = ""
        self.gpus: dict[str, str] = {}
        self.gpu = ""
        self.versions: dict[str, str] = {}
        self.notes: dict[str, None] = {}
        self.cut_line = False
        self.seed: int | None = None

    def starts_anew(self, line: int) -> None:
        """A header: of another run, if this one has trained or scored."""
        if not self.began_training and not self.scores:
            return
        ended = evaluations(self.settled())
        told = f"its score is {ended[-1].text}" if ended else "without a final score"
        self.earlier.append(f"run {self.runs} of the file (from line {self.began}): {told}")
        self.runs += 1
        self.reset(line)

    def take(self, number: int, raw: str) -> None:
        if self.began_training and (match := COMMON.match(raw)):  # nine lines of ten
            step, total, loss, ms = match.groups()
            self.reached(
                number, int(step), int(total), Point(int(step), float(loss), None, None, float(ms))
            )
            return
        line = raw.rstrip("\n")
        whole = len(line) < len(raw)
        if not line or line.isspace():
            return
        stripped = line.strip()
        low = stripped.lower()
        if rules()["run_starts"].match(stripped):
            self.starts_anew(number)
        if stripped[:1] == "{" and stripped[-1:] == "}":
            stripped = json_line(stripped)
            low = stripped.lower()
        if "bpb" in low or "loss" in low or "byte" in low:
            plain = SPACED.sub(r"\1_\2", BITS_PER_BYTE.sub("bits_per_byte", stripped))
            if self.metrics(number, plain, whole):
                if "bytes" in low:  # two lines glued
                    self.size(stripped)
                return
        if ("train" in low and "time" in low) or "stopping_early" in low:
            self.times(stripped)
        if "byte" in low or "size" in low or "budget" in low:
            self.size(stripped)
        if ENDED.search(stripped):
            self.trained = True
        if "nvidia" in low or "gpu" in low or "device" in low:
            self.hardware_of(stripped)
        if low.startswith(("running py", "python:", "nccl version", "| nvidia-smi")):
            self.versions_of(stripped)
        if not self.began_training:
            self.setting(line, stripped)
        elif "/" in stripped or STARTS.search(stripped):
            self.stage(stripped)
        if "(limited)" in low:
            self.notes["an evaluation reads part of the split only: " + stripped[:80]] = None
        self.fail(stripped)

    # curve and scores

    def metrics(self, number: int, line: str, whole: bool) -> bool:
        found = pairs(line)
        if not found:
            return False
        told = readings(line, found) if len(found) <= MOST_PAIRS else []
        step = STEP.search(line) or OF_STEPS.match(line)
        train = next((p for p in found if p.kind == "train"), None)
        if step and not train and not told:
            train = next((p for p in found if p.kind == "loss?"), None)
        if step and (train or any(of_training(reading.name) for reading in told)):
            named = clean(line[: step.start()])
            if of_training(named):
                total = int(step[2][:12]) if step[2] else None
                self.point(number, int(step[1][:12]), total, train, told, found)
        if train and not told:
            return True
        for reading in told:
            self.score(number, line, reading, step, whole)
        return bool(told) or train is not None

    def point(self, number, step, total, train, told, found) -> None:
        took = next((p for p in found if TIME_KEY.fullmatch(p.key)), None)
        ms = None if took is None or took.seconds is None else round(1000 * took.seconds, 6)
        val = told[0] if told else None
        point = Point(
            step,
            number_or_none(train),
            number_or_none(val and val.loss),
            number_or_none(val and val.bpb),
            ms,
        )
        self.reached(number, step, total, point)

    def reached(self, number: int, step: int, total: int | None, point: Point) -> None:
        new_run = step <= 1 and (self.last_step or 0) > 10 and total == self.total_steps
        if new_run and total is not None:
            self.starts_anew(number)
        elif self.trained and step < (self.last_step or 0) and total != self.total_steps:
            self.pending = f"later training at step {step:,}"  # at test time, of its own count
            return
        self.began_training, self.error, self.failure, self.pending = True, "", "", ""
        self.failure_rank = 99
        if total is not None:
            self.total_steps = total
        self.last_step, self.last_point_line = step, number
        if point.train_ms is not None:
            self.train_ms = point.train_ms
        if self.points and self.points[-1].step == step:
            last = self.points.pop()
            both = {
                name: b if b is not None else a
                for name, a, b in (
                    (name, getattr(last, name), getattr(point, name))
                    for name in ("train_loss", "val_loss", "val_bpb", "train_ms")
                )
            }
            self.points.append(Point(step, **both))
            return
        self.seen_points += 1
        if self.every and self.seen_points % self.every and point.val_loss is None:
            return
        self.points.append(point)
        if len(self.points) >= MOST_POINTS:
            self.every = 2 * (self.every or 1)
            self.points = self.points[::2]

    def score(self, number, line, reading, step, whole) -> None:
        if broken(reading.bpb, line) or broken(reading.loss, line):
            return
        name = re.sub(r"\s+(?:sliding_)?(?:val_bpb|val_loss|bpb|loss)$", "", reading.name)
        if step and of_training(name):
            name = "step"
        kind = "training" if name == "step" else kind_of(name)
        if kind in ("progress", "derived") or (name != "step" and PROGRESS.search(line)):
            self.stage(line)
            return
        bpb, loss = number_or_none(reading.bpb), number_or_none(reading.loss)
        text = reading.bpb.text if reading.bpb else ""
        if len(text) > 40:
            return
        if bpb is not None and not 0 < bpb < 100:
            if bpb == bpb and abs(bpb) != math.inf:
                return
            bpb = None
        digits = len(text.partition(".")[2]) if bpb is not None else 0
        ends = max((p.end for p in (reading.bpb, reading.loss) if p), default=0)
        at_end = reading.bpb is None or not line[ends:].strip(".eE+-")
        if not whole and at_end and self.clipped(reading, digits):
            self.notes[f"line {number} is cut off within a score"] = None
            self.cut_line = True
            self.pending = name
            return
        if reading.bpb is None and (kind == "plain" or self.last_step is None):
            return
        score = Score(name, bpb, loss, number, reading.seconds, digits, kind == "artifact", text)
        same = self.scores and replace(self.scores[-1], line=number, seconds=score.seconds)
        if same == replace(score, final=same.final if same else False):
            return  # every rank printed it
        if kind != "training":
            self.pending, self.error, self.failure, self.failure_rank = "", "", "", 99
        self.scores.append(score)
        if len(self.scores) > MOST_SCORES:
            kept = [s for s in self.scores if s.name != "step"]
            self.scores = (kept if len(kept) <= MOST_SCORES // 2 else self.scores)[
                -MOST_SCORES // 2 :
            ]
            self.skipped_scores += 1

    def clipped(self, reading: Reading, digits: int) -> bool:
        """Whether the file's last characters, a number, may lack digits."""
        if reading.bpb is None:
            return True
        if reading.loss is not None:
            return digits < len(reading.loss.text.partition(".")[2])
        return digits < max((s.digits for s in self.scores if s.final), default=4)

    # the rest

    def times(self, line: str) -> None:
        for pair in pairs(line):
            if TIME_KEY.fullmatch(pair.key) and pair.seconds is not None:
                self.train_ms = round(1000 * pair.seconds, 6)
        if line.startswith("stopping_early") and (step := STEP.search(line)):
            self.last_step = int(step[1][:12])
            if step[2]:
                self.total_steps = int(step[2][:12])

    def size(self, line: str) -> None:
        keyed = [pair for pair in pairs(line) if "byte" in pair.key.lower()]
        if len(keyed) > 1:  # `bytes_model:1 bytes_code:2`
            for pair in keyed:
                self.keep_size(pair.key, pair.text)
            return
        for part in re.split(r"[|;]", line):
            match = BYTES.match(part.strip())
            if match and (
                match["unit"] or match["of"] or "|" in line or "byte" in match["label"].lower()
            ):
                self.keep_size(match["label"].strip(), match["number"])

    def keep_size(self, label: str, text: str) -> None:
        text = re.sub("[,_]", "", text)
        kind = size_kind(label.lower())
        if kind and text.isdigit() and len(text) < 19:
            self.sizes.append((kind, int(text), RAW.search(label.lower()) is not None, label))
            del self.sizes[:-200]

    def hardware_of(self, line: str) -> None:
        if row := SMI_GPU.search(line):
            self.gpus[row[1]] = row[2].strip()
        elif not self.gpu and not line.startswith(("|", "+")) and (name := GPU.search(line)):
            self.gpu = name[0].strip()
        elif re.search(r"\bdevice:cpu\b", line):
            self.gpu = self.gpu or "CPU"

    def versions_of(self, line: str) -> None:
        if match := re.match(r"Running (Python|PyTorch) (\S+)", line):
            self.versions[match[1].lower()] = match[2]
        for name, value in re.findall(r"\b(python|torch):(\S+)", line):
            self.versions["pytorch" if name == "torch" else name] = value
        for name, value in re.findall(r"(Driver Version|CUDA Version|NCCL version):? (\S+)", line):
            self.versions[name.partition(" ")[0].lower()] = value

    def setting(self, line: str, stripped: str) -> None:
        if stripped.rstrip(":") == "Hyperparameters":
            self.block = True
            return
        if self.block and (match := re.match(r"\s+([A-Za-z_]\w*)\s*[:=]\s?(.*)$", line)):
            self.keep(match[1], match[2])
            return
        self.block = False
        if match := re.fullmatch(r"([A-Za-z_]\w*)\s?[:=]\s?(\S+)", stripped):
            self.keep(match[1], match[2])
            return
        parts = re.findall(r"(?:^|(?<=[\s(,{]))([A-Za-z_]\w*)[:=]([^\s,)}]+)", stripped)
        for name, value in parts:
            if len(parts) > 1 or name.lower() in ("seed", "world_size"):
                self.keep(name, value)

    def keep(self, name: str, value: str) -> None:
        if name.startswith(("warmup_step", "loop_warmup_step")) and "/" in value:
            return
        if len(self.values) < MOST_NAMES:
            self.values[name] = value.strip()[:500]
        if name.lower() in ("seed", "random_seed", "rng_seed") and value.strip().isdigit():
            self.seed = int(value.strip()[:18])

    def stage(self, line: str) -> None:
        """What goes on after training, in case that nothing comes of it."""
        found = PROGRESS.search(line)
        if line.startswith("stopping_early"):
            return
        if found and "step" not in found[1] and int(found[2]) <= int(found[3]):
            self.pending = f"{found[1]} {int(found[2]):,} of {int(found[3]):,}"
        elif STARTS.search(line) and (stage := STAGE.search(line)):
            self.pending = stage[1].lower()

    def fail(self, line: str) -> None:
        if line[:1] in "|+":
            return
        if ERROR.match(line) and "ChildFailedError" not in line and not self.error:
            self.error = line[:200]
        if FAILS.search(line) or line in ("Killed", "^C"):
            for rank, (pattern, reason) in enumerate(rules()["failures"]):
                if rank < self.failure_rank and pattern.search(line):
                    if not line.lower().startswith(("w0", "w1")) and "warning" not in line.lower():
                        self.failure, self.failure_rank = reason, rank
                    break

    # the end

    def settled(self) -> tuple[Score, ...]:
        """The scores, with what only the end of the log decides: which are final, which repeat."""
        named = any(s.final and not self.before_training_ended(s) for s in self.scores)
        scores, result = self.scores, []
        for score in scores:
            kind = "training" if score.name == "step" else kind_of(score.name)
            final = kind in ("artifact", "unknown") or (kind == "plain" and not named)
            final = final and not self.before_training_ended(score)
            score = replace(score, final=final)
            same = next(
                (s.line for s in reversed(result) if same_evaluation(s, score, result)), None
            )
            result.append(replace(score, repeats=same if final else None))
        return tuple(first_lines(result))

    def before_training_ended(self, score: Score) -> bool:
        return self.last_point_line is not None and score.line < self.last_point_line

    def finished(self, path: Path, empty: bool, in_source: bool) -> Log:
        scores = self.settled()
        each = evaluations(scores)
        with_bpb = [s for s in each if s.val_bpb is not None]
        score = each[-1] if each else None
        notes = [*self.earlier, *self.notes]
        for one in scores:
            summed = kind_of(one.name) == "plain" and not one.final and one.text
            if summed and not any(rounded_alike(one.text, other.text) for other in each):
                notes.append(f"line {one.line} says {one.text}, which no evaluation printed")
        if score and score.val_bpb is None and not score.text and with_bpb:
            score = with_bpb[-1]
        named = [int(one) for one in SEEDS.findall(path.stem)]
        seed, seed_from = self.seed, "printed" if self.seed is not None else ""
        if seed is None and named:
            seed, seed_from = named[0], "file name"
        elif seed is not None and "seed" in path.stem.lower() and named and seed != named[0]:
            notes.append(f"prints seed {seed}; the file's name says {named[0]}")
        seconds = [s.seconds for s in seconds_of_each(scores) if s.seconds is not None]
        model, code, total = sizes_of(self.sizes, bool(score))
        world = self.values.get("world_size", "")
        reason = "the file is empty" if empty else self.why(score, in_source)
        return Log(
            path=path,
            scores=scores,
            score=score,
            points=tuple(self.points),
            seed=seed,
            seed_from=seed_from,
            steps=self.last_step,
            total_steps=self.total_steps,
            train_ms=self.train_ms,
            eval_seconds=round(sum(seconds), 6) if seconds else None,
            bytes_model=model,
            bytes_code=code,
            bytes_total=total,
            world_size=int(world) if re.fullmatch(r"\d{1,6}", world) else None,
            hardware=self.machine(),
            versions=self.versions,
            hyperparameters=self.values,
            complete=not reason,
            reason=reason,
            notes=tuple(dict.fromkeys(notes)),
            runs=self.runs,
        )

    def machine(self) -> str:
        if self.gpus:
            kinds = Counter(self.gpus.values())
            return ", ".join(f"{count}x {name}" for name, count in kinds.items())
        return self.gpu

    def why(self, score: Score | None, in_source: bool) -> str:
        """Why the log is not a whole run's, or nothing."""
        failure = self.error or self.failure
        if self.error and self.failure and self.failure not in self.error:
            failure = f"{self.failure} ({self.error})"
        if score and score.val_bpb is None:
            return f"the last score, {score.name}, is {score.text or 'no number of bits per byte'}"
        if score and failure:
            return f"failed after {score.name}: {failure}"
        if score and self.pending:
            return f"ends within {self.pending}; the last whole score is {score.name}"
        if score:
            return self.asked_for()
        done = self.trained or (self.last_step is not None and self.last_step == self.total_steps)
        if self.last_step is None:
            where = "ends before the first step of training"
            if in_source:
                where = "ends within the script that it prints"
            elif not self.values and not self.scores:
                where = "no step of training and no score in it"
        elif done:
            where = "training ended, but the artifact was never scored"
        else:
            where = f"ends at step {self.last_step:,}"
            if self.total_steps:
                where += (
                    f" of {self.total_steps:,} ({100 * self.last_step / self.total_steps:.0f}%)"
                )
            where += ", no final score"
        if done and self.pending:
            where += f" (ends within {self.pending})"
        return f"{where}: {failure}" if failure else where

    def asked_for(self) -> str:
        """What the printed hyperparameters turn on and no score names."""
        names = " ".join(s.name.lower() for s in self.scores)
        for word, switch in (("ttt", "ttt_enabled"), ("sliding", "sliding_window_enabled")):
            if self.values.get(switch) == "True" and word not in names:
                return f"{switch} is True, but no score of it was printed"
        return ""


FAILS = re.compile(
    r"error|timeout|timed out|signal|sig[a-z]{3,4}\b|fault|abort|killed|no space|interrupt|limit",
    re.I,
)
TIME_KEY = re.compile(
    r"(?:total_)?train(?:ing)?_(?:time|elapsed|ms|seconds)(?:_m?s)?|elapsed_ms", re.I
)
RAW = re.compile(r"\braw|uncompressed|unquantized|fp32|payload|float|state_dict|original")


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


def sizes_of(sizes: list, scored: bool) -> tuple[int | None, int | None, int | None]:
    """Bytes of model, code and both, of the compressed artifact: the last ones that add up."""
    by_kind = {kind: [s for s in sizes if s[0] == kind] for kind in ("model", "code", "total")}
    raw_model = {
        value
        for _, value, raw, label in by_kind["model"]
        if raw
        or (label.lower() in ("serialized model", "model size") and len(by_kind["model"]) > 1)
    }
    models = [v for _, v, raw, _ in by_kind["model"] if not raw and v not in raw_model]
    codes = [v for _, v, raw, _ in by_kind["code"]]
    codes = [v for _, v, raw, _ in by_kind["code"] if not raw] or codes
    raw_totals = {m + c for m in raw_model for _, c, _, _ in by_kind["code"]}
    totals = [v for _, v, raw, _ in by_kind["total"] if not raw and v not in raw_totals]
    if not scored and models and not any("+" in s[3] or "int" in s[3] for s in by_kind["model"]):
        models = models if totals else []
    for total in reversed(totals):
        for model in reversed(models):
            for code in reversed(codes):
                if model + code == total:
                    return model, code, total
    model = models[-1] if models else None
    code = codes[-1] if codes else None
    total = totals[-1] if totals else None
    return model, code, total


def rounded_alike(a: str, b: str) -> bool:
    """Whether one printed number is the other rounded, or both are the same."""
    if not a or not b:
        return a == b
    shorter, longer = sorted((a, b), key=lambda text: len(text.partition(".")[2]))
    try:
        step = Decimal(1).scaleb(-len(shorter.partition(".")[2]))
        return abs(Decimal(shorter) - Decimal(longer)) <= step / 2
    except InvalidOperation:
        return False


def same_evaluation(earlier: Score, score: Score, so_far: list[Score]) -> bool:
    """Whether two printings tell one evaluation."""
    if not earlier.final or not score.final or not rounded_alike(earlier.text, score.text):
        return False
    if None not in (earlier.val_loss, score.val_loss) and abs(
        earlier.val_loss - score.val_loss
    ) > 0.6 * 10 ** -min(earlier.digits, score.digits, 8):
        return False
    if min(earlier.digits, score.digits) >= 6:
        return True
    twins = twin(earlier.name) == twin(score.name)
    return twins or (so_far[-1] is earlier and earlier.digits != score.digits)


def twin(name: str) -> str:
    return re.sub(r"[_ ]exact\b", "", name.lower())


def first_lines(scores: list[Score]) -> Iterator[Score]:
    """Each repetition tells the first printing of its evaluation."""
    first: dict[int, int] = {}
    for score in scores:
        if score.repeats is not None:
            score = replace(score, repeats=first.get(score.repeats, score.repeats))
            first[score.line] = score.repeats
        yield score


def grouped(scores: tuple[Score, ...]) -> list[list[Score]]:
    groups: dict[int, list[Score]] = {}
    for score in scores:
        if score.final:
            groups.setdefault(score.repeats or score.line, []).append(score)
    return list(groups.values())


def evaluations(scores: tuple[Score, ...]) -> tuple[Score, ...]:
    return tuple(max(group, key=lambda s: s.digits) for group in grouped(scores))


def seconds_of_each(scores: tuple[Score, ...]) -> list[Score]:
    return [max(group, key=lambda s: s.seconds or 0) for group in grouped(scores)]


# -- finding ------------------------------------------------------------------------------------

NO_LOG = re.compile(r"(requirements|readme|license|licence|notes?|todo|pip|constraints)", re.I)


def find_logs(folder: Path) -> list[Path]:
    """What in a folder, two levels deep, looks like a training log: by name, then by a look inside.

    `.log` and `.out` files count by their name; of `.txt` files those that hold a step or a score.
    """
    found = []
    for path in sorted(walk(folder, 2)):
        if path.suffix.lower() in (".log", ".out"):
            found.append(path)
        elif path.suffix.lower() == ".txt" and not NO_LOG.match(path.name):
            try:
                log = read_log(path)
            except ComposeError:
                continue
            if log.points or log.scores:
                found.append(path)
    return found


def walk(folder: Path, depth: int) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", folder) from None
    for path in inside:
        if path.name.startswith((".", "__")):
            continue
        if path.is_file():
            yield path
        elif depth and path.is_dir() and not path.is_symlink():
            yield from walk(path, depth - 1)

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

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.log_lines import (
    BITS_PER_BYTE,
    BYTES,
    COMMON,
    ENDED,
    ERROR,
    FAILS,
    GPU,
    OF_STEPS,
    PROGRESS,
    RAW,
    SEEDS,
    SMI_GPU,
    SPACED,
    STAGE,
    STARTS,
    STEP,
    TIME_KEY,
    Reading,
    broken,
    clean,
    json_line,
    kind_of,
    number_or_none,
    of_training,
    pairs,
    readings,
    rules,
    size_kind,
    unprefixed,
)
from pgolf_compose.log_source import Source
from pgolf_compose.log_text import lines_of

__all__ = ["Figure", "Log", "Point", "Score", "find_logs", "natural", "read_log"]

MOST_POINTS = 20_000
MOST_SCORES = 2_000
MOST_NAMES = 2_000
MOST_PAIRS = 60  # of a line
MOST_NOTES = 20
NEAR = 200  # scores back that one may repeat
FIGURE = re.compile(r"(?<![\w.])[-+]?\d{1,40}(?:[,_]\d{3})*(?:\.\d{1,40})?(?:[eE][-+]?\d{1,3})?")


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
                    yield Figure(text, Decimal(re.sub("[,_]", "", text)), number)
                    if "," in text:  # or a list: `42,314,999`
                        for part in text.split(","):
                            yield Figure(part, Decimal(part), number)


# -- reading ------------------------------------------------------------------------------------


def marked_lines(path: Path, source: Source) -> Iterator[tuple[int, str, bool]]:
    """Number, text without prefixes and whether it is of a printed script, of each line."""
    for number, line in lines_of(path):
        bare = unprefixed(line)
        yield number, bare, source.holds(number, bare)


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
        self.points: list[Point] = []
        self.every = self.seen_points = 0
        self.last_step = self.total_steps = self.last_point_line = None
        self.train_ms: float | None = None
        self.trained = self.began_training = False
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
        self.seed: int | None = None

    def starts_anew(self, line: int) -> None:
        """A header: of another run, if this one has trained or scored."""
        if not self.began_training and not self.scores:
            return
        ended = evaluations(self.settled())
        told = f"its score is {ended[-1].text}" if ended else "without a final score"
        self.earlier.append(f"run {self.runs} of the file (from line {self.began}): {told}")
        del self.earlier[:-MOST_NOTES]
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
        if "nvidia" in low or "device" in low or "00" in low or "gpu" in low:
            self.hardware_of(stripped)
        if low.startswith(("running py", "python:", "nccl version", "| nvidia-smi")):
            self.versions_of(stripped)
        if not self.began_training:
            self.setting(line, stripped)
        elif "/" in stripped or STARTS.search(stripped):
            self.stage(stripped)
        if "(limited)" in low and len(self.notes) < MOST_NOTES:
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
            self.pending = name
            return
        if reading.bpb is None and (kind == "plain" or self.last_step is None):
            return
        score = Score(name, bpb, loss, number, reading.seconds, digits, kind == "artifact", text)
        for back, other in enumerate(reversed(self.scores[-16:])):  # every rank printed it
            same = other == replace(score, line=other.line, seconds=other.seconds)
            if same and (name != "step" or back == 0):
                return
        if kind != "training":
            self.pending, self.error, self.failure, self.failure_rank = "", "", "", 99
        self.scores.append(score)
        if len(self.scores) > MOST_SCORES:
            kept = [s for s in self.scores if s.name != "step"]
            some = kept if len(kept) <= MOST_SCORES // 2 else self.scores
            self.scores = some[-MOST_SCORES // 2 :]

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
        if (row := SMI_GPU.search(line)) and len(self.gpus) < 1000:
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
            near = reversed(result[-NEAR:])
            same = next((s.line for s in near if same_evaluation(s, score, result)), None)
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


def find_logs(folder: Path, links: bool = True) -> list[Path]:
    """What in a folder, two levels deep, looks like a training log: by name, then by a look inside.

    `.log` and `.out` files count by their name; of `.txt` files those that hold a step or a score.
    Links to files count as files if `links`.
    """
    found = []
    for path in sorted(walk(folder, 2), key=natural):
        if path.is_symlink() and not links:
            continue
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


def natural(path: Path) -> list:
    """A key that puts seed 42 before seed 1337."""
    parts = re.split(r"(\d{1,18})", str(path))
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]


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

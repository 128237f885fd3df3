"""What one line says of evaluations: their names, values and how far they came.

No list of known lines: any `name ... val_loss:1 ... val_bpb:2`, with `:`, `=`, `->` or a space, in
any order, is an evaluation.
"""

import json
import re
from dataclasses import dataclass

from pgolf_compose.logs.pairs import Pair, quantity
from pgolf_compose.logs.words import counts_parts

__all__ = ["STEP", "Reading", "clean", "flat_json", "partial", "readings", "remark", "step_of"]

STEP = re.compile(
    r"(?:^|[\s|,{\"'])(?:step|iter|iteration)[\"']?\s*[:= ]\s*(\d+)(?:\s*/\s*(\d+))?", re.I
)
OF_STEPS = re.compile(r"\s*(\d+)/(\d+)(?=[\s:])")  # `500/20000 train_loss: 2.1`
COUNT = re.compile(
    r"(?:(?P<of>[A-Za-z][\w-]{0,40})[\s\[:=(]{0,3})?(?<![\d/.])(\d{1,18})/(\d{1,18})(?![\d/.])"
)
REMARK = re.compile(r"[ ,;]{0,3}[(\[]([^()\[\]\d]{1,60})[)\]]")
NOISE = re.compile(r"\b(?:INFO|DEBUG|WARNING|step|iter|iteration)\b|(?<![\w.])[\d/]+(?![\w.])")
LONGEST_NAME = 120


@dataclass
class Reading:
    """One printed evaluation, before it is known what came after it."""

    name: str
    bpb: Pair | None = None
    loss: Pair | None = None
    seconds: float | None = None

    @property
    def end(self) -> int:
        return max((pair.end for pair in (self.bpb, self.loss) if pair), default=0)


def readings(line: str, found: list[Pair]) -> list[Reading]:
    """The evaluations of a line with these pairs; several where two lines were glued."""
    result: list[Reading] = []
    now: Reading | None = None
    names, behind = "", 0  # words since the last score, end of the last pair
    has_bpb = any(pair.quantity == "bpb" for pair in found)
    for pair in found:
        words, behind = line[behind : pair.start], pair.end
        kind = "loss" if pair.quantity == "loss?" and has_bpb else pair.quantity
        if kind in ("bpb", "loss"):
            taken = now and (now.bpb if kind == "bpb" else now.loss)
            if taken and aside(line, pair.start):
                continue
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


def aside(line: str, at: int) -> bool:
    """Whether a place is in brackets: `1.08 (base val_bpb: 1.12)`."""
    return line.count("(", 0, at) > line.count(")", 0, at)


def clean(text: str) -> str:
    """A name from the words before a score, without counts and punctuation."""
    words = NOISE.sub(" ", text)
    words = " ".join(re.sub(r"[\[\]{}|<>]", " ", words).split()).strip(" ,;:=*#\"'`~…->→")
    words = words[:LONGEST_NAME]
    return words if words.count("(") == words.count(")") else re.sub("[()]", "", words).strip()


def remark(line: str, end: int) -> str:
    """The words in brackets behind a score, if there are only words: ` (not used)`."""
    match = REMARK.match(line, end)
    return match[1] if match else ""


def step_of(line: str) -> re.Match | None:
    """Groups: the step and, if told, of how many."""
    return STEP.search(line) or OF_STEPS.match(line)


def partial(line: str) -> bool:
    """Whether a line counts the parts of an evaluation that are done: `32/121136`, a bar.

    >>> partial("ttt_chunk [1/1893] bpb=1.1"), partial("final bpb=1.1 docs:9/9 stride:64/2048")
    (True, False)
    """
    if "%|" in line:
        return True
    counts = (match for match in COUNT.finditer(line) if int(match[2]) < int(match[3]))
    return any(counts_parts(match["of"] or "") for match in counts)


def flat_json(line: str) -> str:
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
    if data.get("event") == "adapt":
        return ""
    for key in ("log", "message", "msg"):  # Docker's, loggers': a line within
        if isinstance(data.get(key), str) and not any(map(quantity, data)):
            return data[key].strip()
    told = sorted(figures(data), key=lambda text: not text.startswith("step:"))
    for key, inner in data.items():  # `{"final": {"val_bpb": 1.08}}`
        if isinstance(inner, dict):
            told.append(" ".join((key, *figures(inner))))
    labels = (data.get(key) for key in ("stage", "name", "label", "metric"))
    name = next((label for label in labels if isinstance(label, str)), "")
    if not name or name == "training" or "step" in data or data.get("event") in ("step", "weights"):
        return " ".join(told)
    return f"{name} " + " ".join(told).replace("elapsed_ms", "eval_time_ms")


def figures(data: dict) -> list[str]:
    return [f"{key}:{value}" for key, value in data.items() if isinstance(value, int | float)]

"""Every number that a folder's own files can vouch for, with the place that does."""

import itertools
import math
import re
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pgolf_compose.audit.audited import Audited
from pgolf_compose.folders import agreement
from pgolf_compose.logs import Log

__all__ = ["Known", "Numbers", "Pool", "half"]


@dataclass(frozen=True)
class Known:
    """A number and who says so. Kinds: bpb, loss, spread, difference, bytes, steps, ms, any.

    `room` is what bytes leave of the limit, `clock` the time of training at a step, `varies` a
    spread of what is no score.
    """

    value: float
    where: str
    kind: str
    name: str = ""  # of the score
    seed: int | None = None


def half(decimals: int) -> float:
    """By how much a number of so many decimals may be off what it was rounded from."""
    return 0.5 * 10.0**-decimals * (1 + 1e-6) + 1e-12


class Pool:
    """Known numbers in order of their value."""

    def __init__(self, known: Iterable[Known]):
        self.known = sorted(known, key=lambda one: one.value)
        self.values = [one.value for one in self.known]

    def match(self, value: float, tolerance: float) -> Known | None:
        """The nearest within a tolerance."""
        found = self.nearest(value)
        return found if found and abs(found.value - value) <= tolerance else None

    def nearest(self, value: float) -> Known | None:
        at = bisect_left(self.values, value)
        near = self.known[max(0, at - 1) : at + 1]
        return min(near, key=lambda one: abs(one.value - value), default=None)

    def between(self, low: float, high: float) -> list[Known]:
        return self.known[bisect_left(self.values, low) : bisect_left(self.values, high)]


class Numbers:
    """The numbers of a folder's logs, of its json, of its files, and what follows from them."""

    def __init__(self, audited: Audited):
        self.audited = audited

    @cached_property
    def logged(self) -> tuple[Known, ...]:
        return tuple(one for log in self.audited.logs for one in self.of_log(log))

    @cached_property
    def derived(self) -> tuple[Known, ...]:
        """Means, spreads and extremes over the runs, and over those of one kind among them."""
        found: dict[tuple[str, str, float], Known] = {}
        for logs in self.groups():
            values: dict[tuple[str, str], list[float]] = {}
            for log in logs:
                for name, kind, value in summary(log):
                    values.setdefault((name, kind), []).append(value)
            for (name, kind), of in values.items():
                for one in spread(name, kind, of):
                    found.setdefault((one.kind, one.name, one.value), one)
        return tuple(found.values())

    def groups(self) -> Iterator[tuple[Log, ...]]:
        """All runs; those that the json's score is of; those whose names differ by the seed."""
        runs = self.audited.runs
        yield runs
        if self.audited.folder is not None:
            yield agreement(self.audited.folder).logs
        alike: dict[str, list[Log]] = {}
        for log in runs:
            alike.setdefault(re.sub(r"\d+", "", log.path.stem, count=1), []).append(log)
        yield from (tuple(logs) for logs in alike.values() if 1 < len(logs) < len(runs))

    @cached_property
    def gaps(self) -> tuple[Known, ...]:
        """Differences between two scores of one log, and between two means."""
        found = []
        for log in self.audited.runs:
            mine = [(n, k, v) for n, k, v in summary(log) if k in ("bpb", "loss")]
            found += differences(mine, self.audited.name_of(log.path))
        means = [
            (one.name, one.kind, one.value) for one in self.derived if one.where.startswith("mean")
        ]
        return (*found, *differences([one for one in means if one[1] in ("bpb", "loss")], "means"))

    @cached_property
    def figures(self) -> Pool:
        """Everything that looks like a number in any log."""
        found = []
        for log in self.audited.logs:
            name = self.audited.name_of(log.path)
            for value, line in self.audited.figures(log).items():
                if math.isfinite(value):
                    found.append(Known(value, f"{name}:{line}", "any"))
        return Pool(found)

    @cached_property
    def sizes(self) -> tuple[Known, ...]:
        found = [Known(one.size, name, "bytes") for name, one in self.audited.files.items()]
        reached = [one.name for one in self.audited.siblings if not one.doubtful]
        if self.audited.entry and reached:
            total = sum(self.audited.files[one].size for one in (self.audited.entry, *reached))
            found.append(Known(total, "script and siblings", "bytes"))
        for name in (self.audited.entry, *reached):
            if name and name.endswith(".py") and (text := self.audited.opened(name).text):
                found.append(Known(len(text.encode("utf-8", "replace")), f"inside {name}", "bytes"))
        if self.audited.track and self.audited.track.artifact_bytes:
            limit = self.audited.track.artifact_bytes
            found.append(Known(limit, "the track's limit", "bytes"))
            totals = [one for one in (*self.logged, *self.derived) if one.kind == "bytes"]
            found += [
                Known(abs(limit - one.value), f"limit less {one.where}", "room") for one in totals
            ]
            models = [log.bytes_model for log in self.audited.logs if log.bytes_model]
            if self.audited.entry:
                shipped = self.audited.files[self.audited.entry].size
                for model in models:
                    found += [
                        Known(model + shipped, "model and script", "bytes"),
                        Known(abs(limit - model - shipped), "limit less model and script", "room"),
                    ]
        return tuple(found)

    @cached_property
    def claimed(self) -> tuple[Known, ...]:
        """What submission.json says."""
        folder = self.audited.folder
        if folder is None:
            return ()
        kinds = (("bpb", "bpb"), ("loss", "loss"), ("bytes", "bytes"), ("step", "steps"))
        found = []
        for claim in folder.claims:
            key = claim.key.lower()
            kind = next((kind for word, kind in kinds if word in key), "any")
            if kind in ("bpb", "loss"):
                if any(word in key for word in ("std", "spread", "var", "sigma")):
                    kind = "spread"
                elif any(word in key for word in ("delta", "gain", "gap", "improve", "diff")):
                    kind = "difference"
            where = f"submission.json:{claim.line}"
            found.append(Known(abs(float(claim.value)), where, kind))
        return tuple(found)

    def of_log(self, log: Log) -> Iterator[Known]:
        name, seed = self.audited.name_of(log.path), log.seed
        for score in log.scores:
            where = f"{name}:{score.line}"
            if score.val_bpb is not None:
                yield Known(score.val_bpb, where, "bpb", score.name, seed)
            if score.val_loss is not None:
                yield Known(score.val_loss, where, "loss", score.name, seed)
            if score.seconds is not None:
                yield Known(score.seconds * 1000, where, "ms", score.name, seed)
        for point in log.points:
            where = f"{name}, step {point.step}"
            if point.val_bpb is not None:
                yield Known(point.val_bpb, where, "bpb", "step", seed)
            for loss in (point.val_loss, point.train_loss):
                if loss is not None:
                    yield Known(loss, where, "loss", "step", seed)
            if point.train_ms is not None:
                yield Known(point.train_ms, where, "clock", "step", seed)
        for value, kind, what in (
            (log.bytes_model, "bytes", "model"),
            (log.bytes_code, "bytes", "code"),
            (log.bytes_total, "bytes", "total"),
            (log.steps, "steps", "steps"),
            (log.train_ms, "ms", "training"),
        ):
            if value is not None:
                yield Known(value, name, kind, what, seed)
        if log.eval_seconds is not None:
            yield Known(log.eval_seconds * 1000, name, "ms", "evaluation", seed)
        if log.train_ms and log.steps:
            yield Known(log.train_ms / log.steps, f"{name}, a step", "ms", "a step", seed)

    def own(self, *kinds: str, seed: int | None = None) -> Pool:
        """As `of`, without what submission.json says."""
        if seed is not None:
            return self.of(*kinds, seed=seed)
        everything = (*self.logged, *self.derived, *self.sizes)
        return Pool(one for one in everything if one.kind in kinds)

    def of(self, *kinds: str, seed: int | None = None) -> Pool:
        """All that a README may say of these kinds; with `seed`, what that seed's logs say."""
        key = (kinds, seed)
        pools = self.audited.cache.setdefault("pools", {})
        if key not in pools:
            all_of = (*self.logged, *self.derived, *self.gaps, *self.sizes, *self.claimed)
            if seed is not None:
                all_of = [one for one in self.logged if one.seed == seed]
                all_of += differences(
                    [(one.name, one.kind, one.value) for one in all_of if one.kind in kinds], ""
                )
            pools[key] = Pool(one for one in all_of if one.kind in kinds)
        return pools[key]


def summary(log: Log) -> Iterator[tuple[str, str, float]]:
    """A log's results as (name, kind, value): the last of each name."""
    last = {score.name: score for score in log.scores}
    if log.score:
        last["score"] = log.score
    for name, score in last.items():
        if score.val_bpb is not None:
            yield name, "bpb", score.val_bpb
        if score.val_loss is not None:
            yield name, "loss", score.val_loss
        if score.seconds is not None:
            yield name, "ms", score.seconds * 1000
    for name, kind, value in (
        ("model", "bytes", log.bytes_model),
        ("code", "bytes", log.bytes_code),
        ("total", "bytes", log.bytes_total),
        ("steps", "steps", log.steps),
        ("training", "ms", log.train_ms),
        ("evaluation", "ms", log.eval_seconds and log.eval_seconds * 1000),
    ):
        if value is not None:
            yield name, kind, value
    if log.train_ms and log.steps:
        yield "a step", "ms", log.train_ms / log.steps


def spread(name: str, kind: str, values: list[float]) -> Iterator[Known]:
    count = len(values)
    if count < 2:
        return
    told = f"of {name} in {count} logs"
    yield Known(statistics.fmean(values), f"mean {told}", kind, name)
    for digits in (4, 5) if kind in ("bpb", "loss") else ():  # as many write it
        rounded = statistics.fmean(round(one, digits) for one in values)
        yield Known(rounded, f"mean {told}, rounded before", kind, name)
    yield Known(statistics.median(values), f"median {told}", kind, name)
    deviation = "spread" if kind in ("bpb", "loss") else "varies"
    yield Known(statistics.stdev(values), f"standard deviation {told}", deviation, name)
    population = statistics.pstdev(values)
    yield Known(population, f"population's standard deviation {told}", deviation, name)
    error = statistics.stdev(values) / math.sqrt(count)
    yield Known(error, f"standard error {told}", deviation, name)
    yield Known(max(values) - min(values), f"range {told}", deviation, name)


def differences(values: Iterable[tuple[str, str, float]], where: str) -> list[Known]:
    found = []
    for (a, kind, x), (b, other, y) in itertools.combinations(list(values), 2):
        if kind == other and kind in ("bpb", "loss") and x != y:
            found.append(Known(abs(x - y), f"{a} less {b} {where}".strip(), "difference"))
    return found

"""Why a folder's logs do not give the score that its json states: the first reason that fits."""

import itertools
import math
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from functools import cached_property

from pgolf_compose.errors import listed
from pgolf_compose.folders.figures import (
    SeedAgreement,
    log_of_seed,
    mean,
    rounds_to,
    score_of,
    seed_of,
    seed_rows,
)
from pgolf_compose.folders.folder import Folder
from pgolf_compose.json_file import Claim
from pgolf_compose.logs import Log, Score

__all__ = ["Reason", "place", "reason", "row_text", "shown_value", "told_scores"]

MOST_SCORES = 12  # of a log, in means of other scores
MOST_MEANS = 20_000
MOST_RUNS = 12  # whose subsets are tried


@dataclass(frozen=True)
class Reason:
    kind: str  # one of agreement.KINDS
    text: str
    value: Decimal
    logs: list[Log]


@dataclass(frozen=True)
class Case:
    """A claim, and the runs that do not give it."""

    folder: Folder
    runs: list[Log]
    claim: Claim

    @cached_property
    def chosen(self) -> list[Log]:
        """The logs of the seeds that the json names, all runs if one has no single log."""
        seeds = self.folder.named_seeds
        logs = [log_of_seed(self.folder, self.runs, seed) for seed in seeds]
        return logs if logs and None not in logs else self.runs

    @cached_property
    def mean(self) -> Decimal:
        return mean(map(score_of, self.runs))

    @cached_property
    def mean_of_chosen(self) -> Decimal:
        return mean(map(score_of, self.chosen))


def reason(folder: Folder, runs: list[Log], claim: Claim) -> Reason:
    """What the claim is instead of the runs' score or mean."""
    case = Case(folder, runs, claim)
    found = (find(case) for find in REASONS)
    return next(filter(None, found), None) or nearest(case)


# -- words that reports share -------------------------------------------------------------------


def shown_value(value: Decimal) -> str:
    return str(round(value, 8))


def row_text(row: SeedAgreement) -> str:
    log = row.log
    return f"for seed {row.seed} the json says {row.claim.text}, {log.path.name} {log.score.text}"


def told_scores(log: Log) -> list[Score]:
    """Scores that a json may mean: those after training and training's last."""
    steps = [score for score in log.scores if score.name == "step" and score.text]
    return steps[-1:] + [score for score in log.scores if score.name != "step" and score.text]


def place(log: Log, score: Score) -> str:
    what = "of training's last validation" if score.name == "step" else score.name
    kind = "" if score.final or score.name == "step" else ", a diagnostic"
    return f"the score {what} at line {score.line} of {log.path.name}{kind}"


# -- reasons, in the order of REASONS -----------------------------------------------------------


def more_digits(case: Case) -> Reason | None:
    claim = case.claim
    for log in case.runs:
        printed = Claim("", log.score.text, score_of(log), 0)
        if printed.digits < claim.digits and rounds_to(claim.value, printed):
            text = (
                f"{claim.text} has more digits than {log.path.name} prints: {log.score.text} "
                f"({log.score.name}, line {log.score.line})"
            )
            return Reason("more digits", text, score_of(log), [log])
    return None


def one_of_several(case: Case) -> Reason | None:
    for log in case.runs:
        if rounds_to(score_of(log), case.claim):
            which = "the best" if min(case.runs, key=score_of) is log else "one"
            text = (
                f"{case.claim.text} is {which} of {len(case.runs)} runs: {log.score.text} of "
                f"{log.path.name} (seed {seed_of(log)}); their mean is {shown_value(case.mean)}"
            )
            return Reason("one of several", text, score_of(log), [log])
    return None


def another_score(case: Case) -> Reason | None:
    for log in case.runs:
        for score in told_scores(log):
            if rounds_to(Decimal(score.text), case.claim):
                text = (
                    f"{case.claim.text} is {place(log, score)}; what counts is {log.score.name} "
                    f"{log.score.text} at line {log.score.line}"
                )
                if len(case.runs) > 1:
                    text += f", and the mean of {len(case.runs)} runs {shown_value(case.mean)}"
                return Reason("another score", text, Decimal(score.text), [log])
    return None


def other_scores(case: Case) -> Reason | None:
    """The mean over the runs, for some of them by another of their scores."""
    options = []
    for log in case.chosen:
        scores = {s.text: s for s in log.scores if s.text and s.name != "step"}
        options.append([(log, s) for s in scores.values()][:MOST_SCORES])
    if len(options) < 2 or math.prod(map(len, options)) > MOST_MEANS:
        return None
    for combination in itertools.product(*options):
        if not rounds_to(mean(Decimal(s.text) for _, s in combination), case.claim):
            continue
        others = [(log, s) for log, s in combination if Decimal(s.text) != score_of(log)]
        if len(others) == len(options) and len({s.name for _, s in others}) > 1:
            continue  # a coincidence
        told = listed(
            f"{place(log, s)} ({s.text}) where {log.score.name} {log.score.text} comes later"
            for log, s in others
        )
        text = f"{case.claim.text} is the mean of {len(options)} runs with {told}"
        return Reason("other scores", text, case.mean_of_chosen, case.chosen)
    return None


def rounded_first(case: Case) -> Reason | None:
    if len(case.chosen) < 2:
        return None
    for digits in range(case.claim.digits, 2, -1):
        step = Decimal(1).scaleb(-digits)
        values = [score_of(log).quantize(step, ROUND_HALF_UP) for log in case.chosen]
        if rounds_to(mean(values), case.claim):
            value = case.mean_of_chosen
            text = (
                f"the logs give {round(value, case.claim.digits)}; the json's {case.claim.text} is "
                f"the mean of values rounded before ({listed(map(str, values))})"
            )
            return Reason("rounded", text, value, case.chosen)
    return None


def cut_off(case: Case) -> Reason | None:
    value = case.mean_of_chosen
    if value.quantize(Decimal(1).scaleb(-case.claim.digits), ROUND_DOWN) != case.claim.value:
        return None
    text = (
        f"the logs give {shown_value(value)}; the json's {case.claim.text} is cut off, not rounded"
    )
    return Reason("cut", text, value, case.chosen)


def some_of_them(case: Case) -> Reason | None:
    if len(case.runs) > MOST_RUNS:
        return None
    for count in range(len(case.runs) - 1, 1, -1):
        for some in itertools.combinations(case.runs, count):
            if rounds_to(mean(map(score_of, some)), case.claim):
                others = [log for log in case.runs if log not in some]
                text = (
                    f"{case.claim.text} is the mean of {names(some)}; without {names(others)}; "
                    f"all {len(case.runs)} give {shown_value(case.mean)}"
                )
                return Reason("some", text, case.mean, list(some))
    return None


def own_mean(case: Case) -> Reason | None:
    stated = [c["val_bpb"].value for c in case.folder.seeds.values() if "val_bpb" in c]
    if len(stated) < 2 or not rounds_to(mean(stated), case.claim):
        return None
    rows = seed_rows(case.folder, case.runs)
    missing = [str(row.seed) for row in rows if row.log is None]
    told = [row_text(row) for row in rows if row.equal is False]
    if missing:
        told.append(f"no log of seed {listed(missing)}")
    if not told:
        return None
    text = f"{case.claim.text} is the mean of the json's own seeds, but {listed(told)}"
    if not missing:
        text += f"; the logs give {shown_value(case.mean)}"
    return Reason("own mean", text, case.mean, case.runs)


def seed_missing(case: Case) -> Reason | None:
    there = {seed_of(log) for log in case.runs}
    missing = [str(seed) for seed in case.folder.named_seeds if seed not in there]
    if not missing:
        return None
    count = len(case.runs)
    given = f"{names(case.runs)} has" if count == 1 else f"the mean of {count} runs"
    text = (
        f"no log of seed {listed(missing)}, which the json names; "
        f"{given} {shown_value(case.mean)}{another_size(case)}"
    )
    return Reason("seed missing", text, case.mean, case.runs)


def nearest(case: Case) -> Reason:
    log, score = min(
        ((log, score) for log in case.runs for score in told_scores(log)),
        key=lambda one: abs(Decimal(one[1].text) - case.claim.value),
    )
    text = (
        f"the json states {case.claim.text}, the logs give {shown_value(case.mean_of_chosen)}; "
        f"nearest is {place(log, score)}: {score.text}{another_size(case)}"
    )
    return Reason("differs", text, case.mean_of_chosen, case.chosen)


REASONS = (
    more_digits,
    one_of_several,
    another_score,
    other_scores,
    rounded_first,
    cut_off,
    some_of_them,
    own_mean,
    seed_missing,
)


def names(logs) -> str:
    return listed(log.path.name for log in logs)


def another_size(case: Case) -> str:
    """That the artifact is another too, where the json states its bytes."""
    stated, sizes = case.folder.bytes_total, [r.bytes_total for r in case.runs if r.bytes_total]
    if stated is None or not sizes or any(size == stated.value for size in sizes):
        return ""
    told = listed(f"{size:,}" for size in sizes)
    return f"; the json's artifact has {int(stated.value):,} bytes, the logs' {told}: another run"

"""Runs against a row of the leaderboard or other runs: the difference, its chance, the verdicts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pgolf_compose.leaderboard import Entry, Policy, best_before
from pgolf_compose.samples import Sample, sample_of_entry
from pgolf_compose.statistics import NoTest, Test, one_sample, t_quantile, welch

__all__ = ["Comparison", "Difference", "Verdict", "compare", "judge", "verdicts"]

UNITS = {"bpb": "bpb", "nats_per_byte": "nats per byte", "nats_per_token": "nats per token"}
# tokens are alike if their nats per bit agree to this share; the rounding of logs stays below it
ALIKE = 1e-3


@dataclass(frozen=True)
class Difference:
    """Ours less theirs: below zero is better.

    Nats per token are those of our tokens, None where no val_loss of ours is known. `comparable`
    says whether theirs are the same, None where that is not known, and `tokens` says so in words.
    """

    bpb: float
    nats_per_byte: float
    nats_per_token: float | None
    comparable: bool | None
    tokens: str

    def within(self, unit: str) -> float | None:
        return getattr(self, unit)


@dataclass(frozen=True)
class Comparison:
    """Two sides, their difference and a test of it; `why` says what keeps a test from being better.

    `method` is "Welch", or "one-sample" where theirs is one value taken as exact, or empty.
    """

    ours: Sample
    theirs: Sample
    difference: Difference
    test: Test | None
    method: str
    why: str


@dataclass(frozen=True)
class Verdict:
    """What a policy says: met, not met, or None where the figures do not allow to tell.

    `needed` is the highest mean of ours that would meet it, with as many runs of the same spread.
    """

    policy: str
    against: str
    met: bool | None
    reason: str
    needed: float | None


def compare(ours: Sample, theirs: Sample) -> Comparison:
    """Welch's test where both tell a spread, else ours against their one value, else no test."""
    difference = differ(ours, theirs)
    one, other = ours.summary, theirs.summary
    try:
        return Comparison(ours, theirs, difference, welch(one, other), "Welch", "")
    except NoTest:
        pass
    if not one.std:
        told = "one run" if one.n < 2 else "runs that do not vary"
        why = f"no test is possible: {ours.name} is {told}, which tells no spread"
        return Comparison(ours, theirs, difference, None, "", why)
    why = (
        f"no Welch test is possible: {theirs.name} has {no_spread(theirs)}; its value is taken as "
        "exact, which finds more than two spreads would"
    )
    test = one_sample(one, other.mean)
    return Comparison(ours, theirs, difference, test, "one-sample", why)


def no_spread(side: Sample) -> str:
    return "one run" if side.summary.n < 2 else "no known standard deviation"


def differ(ours: Sample, theirs: Sample) -> Difference:
    bpb = ours.summary.mean - theirs.summary.mean
    comparable, told = None, ""
    if ours.tokens is None:
        told = "not known: no val_loss of ours"
    elif theirs.tokens is None:
        told = "of our tokens; theirs are not known"
    else:
        comparable = abs(ours.tokens / theirs.tokens - 1) < ALIKE
        if not comparable:
            one, other = (side.tokens / math.log(2) for side in (ours, theirs))
            told = (
                f"of our tokens: the tokenizers differ, {one:.3f} and {other:.3f} bytes per token, "
                "so losses per token cannot be compared"
            )
    per_token = None if ours.tokens is None else bpb * ours.tokens
    return Difference(bpb, bpb * math.log(2), per_token, comparable, told)


def judge(comparison: Comparison, policy: Policy) -> Verdict:
    """One policy on one comparison, whatever the day."""
    ours, theirs = comparison.ours.summary, comparison.theirs.summary
    failed = list(conditions(comparison, policy))
    against, needed = comparison.theirs.name, highest(comparison, policy)
    if definite := [told for met, told in failed if met is False]:
        reason = "; ".join(definite)
        if needed is not None and needed < ours.mean:
            runs = f"{ours.n} runs of this spread" if ours.n > 1 else "as many runs"
            lower = ours.mean - needed
            reason += f"; {runs} need a mean of {needed:.5f} or less, {lower:.5f} lower"
        reason += other_reading(comparison.difference, policy)
        return Verdict(policy.name, against, False, reason, needed)
    if failed:
        reason = "; ".join(told for _, told in failed)
        return Verdict(policy.name, against, None, reason, needed)
    one, other = apart(ours.mean, theirs.mean)
    reason = f"{one} is below {other}"
    if policy.min_difference:
        better = -comparison.difference.within(policy.unit)
        reason += f" by {better:.5f} {UNITS[policy.unit]}, {policy.min_difference:g} are asked"
    if policy.p is not None:
        reason += f"; p = {comparison.test.p_less:.2g} is below {policy.p:g}"
    reason += other_reading(comparison.difference, policy)
    return Verdict(policy.name, against, True, reason, needed)


def other_reading(difference: Difference, policy: Policy) -> str:
    """Where a policy leaves open what its nats are of, and the other reading says otherwise."""
    other = {"nats_per_token": "nats_per_byte", "nats_per_byte": "nats_per_token"}.get(policy.unit)
    ours = difference.within(policy.unit)
    theirs = difference.within(other) if other else None
    if not policy.reading or ours is None or theirs is None:
        return ""
    if enough(-ours, policy) == enough(-theirs, policy):
        return ""
    told = "enough" if enough(-theirs, policy) else "too little"
    found, _ = apart(-theirs, policy.min_difference)
    return f"; read as {UNITS[other]} the difference is {found}, {told}"


def enough(better: float, policy: Policy) -> bool:
    """Whether a gain is what is asked; a decimal's rounding to binary does not decide."""
    return better >= policy.min_difference - 1e-12


def apart(one: float, other: float) -> tuple[str, str]:
    """Both to five decimals, or to eight where five would not tell them apart."""
    places = 5 if f"{one:.5f}" != f"{other:.5f}" else 8
    return f"{one:.{places}f}", f"{other:.{places}f}"


def conditions(comparison: Comparison, policy: Policy) -> Iterator[tuple[bool | None, str]]:
    """What a policy asks and is not there: (False, why), or (None, why) where it cannot be told."""
    ours, theirs = comparison.ours.summary, comparison.theirs.summary
    difference = comparison.difference
    if difference.bpb >= 0:
        one, other = apart(ours.mean, theirs.mean)
        yield False, f"{one} is not below {other}"
    elif policy.min_difference:
        unit, asked = UNITS[policy.unit], f"{policy.min_difference:g}"
        better = difference.within(policy.unit)
        if better is None:
            yield None, f"{asked} {unit} are asked, and {difference.tokens}"
        elif not enough(-better, policy):
            found, _ = apart(-better, policy.min_difference)
            yield False, f"{found} {unit} better, {asked} are asked"
    if ours.n < policy.min_seeds:
        yield False, f"{ours.n} run{'s' * (ours.n != 1)}, {policy.min_seeds} are asked"
    if policy.p is None or difference.bpb >= 0:
        return
    if comparison.test is None:
        yield None, f"p < {policy.p:g} is asked; {comparison.why}"
    elif comparison.test.p_less >= policy.p:
        yield False, f"p = {comparison.test.p_less:.2g} is not below {policy.p:g}"
    elif comparison.method != "Welch":
        told = f"{comparison.theirs.name} has {no_spread(comparison.theirs)}"
        found = f"p = {comparison.test.p_less:.2g} if its value were exact"
        yield None, f"p < {policy.p:g} is asked, and {told}: {found}"


def highest(comparison: Comparison, policy: Policy) -> float | None:
    """The highest mean of ours that would do, at this spread and these runs; None: none would."""
    ours, theirs = comparison.ours.summary, comparison.theirs.summary
    limits = [theirs.mean]
    if policy.min_difference:
        unit = {"bpb": 1.0, "nats_per_byte": math.log(2), "nats_per_token": comparison.ours.tokens}
        if unit[policy.unit] is None:
            return None
        limits.append(theirs.mean - policy.min_difference / unit[policy.unit])
    if policy.p is not None:
        if comparison.method != "Welch":
            return None
        test = comparison.test
        limits.append(theirs.mean + t_quantile(policy.p, test.df) * test.error)
    if ours.n < policy.min_seeds:
        return None
    return math.floor(min(limits) * 1e5) / 1e5


def verdicts(
    ours: Sample,
    theirs: Sample,
    policies: Sequence[Policy],
    rows: Sequence[Entry] = (),
    date: str = "",
) -> list[Verdict]:
    """Each policy's verdict on the pair, and where a policy goes by date, on the row it means.

    `date` is the day of ours; without one nobody knows which row was the best before.
    """
    pair, found = compare(ours, theirs), []
    best = best_before(rows, date) if date else None
    for policy in policies:
        found.append(judge(pair, policy))
        if policy.chronological and best and sample_of_entry(best).name != theirs.name:
            found.append(judge(compare(ours, sample_of_entry(best)), policy))
    return found

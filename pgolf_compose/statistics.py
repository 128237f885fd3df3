"""Means, spreads and one-sided t tests, from runs or from what somebody published of theirs.

What cannot be told is not: one run has no spread, so no interval and no test; runs that do not
differ at all have a spread of zero, which is no measure of chance either. Both raise `NoTest`.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "NoTest",
    "Summary",
    "Test",
    "interval",
    "mean",
    "one_sample",
    "sample_std",
    "summary",
    "t_cdf",
    "t_quantile",
    "welch",
]

SMALL = 1e-300  # in place of zero, where a continued fraction would divide by it


class NoTest(ValueError):
    """These figures allow no test; the message is the reason, as half a sentence."""


@dataclass(frozen=True)
class Summary:
    """What is known of some runs: their mean, sample standard deviation and number.

    `std` is None where there is none to tell: of one run, or where nobody published it.
    """

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Test:
    """A t test: how many standard errors the first mean lies from the second, and the chance.

    `p_less` is the chance of a `t` as low, if the first mean were not below the second.
    """

    t: float
    df: float
    p_less: float
    error: float  # standard error of the difference of means


def mean(values: Sequence[float]) -> float:
    return statistics.fmean(checked(values))


def sample_std(values: Sequence[float]) -> float | None:
    """With n - 1 below the line; None of a single value. Equal values give exactly zero."""
    return statistics.stdev(checked(values)) if len(values) > 1 else None


def summary(values: Sequence[float]) -> Summary:
    return Summary(mean(values), sample_std(values), len(values))


def checked(values: Sequence[float]) -> list[float]:
    """Floats. Raises NoTest where there are none, or one is no finite number."""
    found = [float(value) for value in values]
    if not found:
        raise NoTest("there is no value")
    if not all(math.isfinite(value) for value in found):
        raise NoTest("a value is not finite")
    return found


def interval(
    values: Sequence[float] | Summary, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Where the mean of endlessly many such runs lies, by Student's t; None without a spread.

    Of equal values it has no width, which says that they are equal and no more.
    """
    known = known_of(values)
    if known.std is None or known.n < 2:
        return None
    reach = t_quantile((1 + confidence) / 2, known.n - 1) * known.std / math.sqrt(known.n)
    return known.mean - reach, known.mean + reach


def welch(a: Sequence[float] | Summary, b: Sequence[float] | Summary) -> Test:
    """Welch's test, one-sided: that the mean of `a` lies below that of `b`.

    Raises NoTest where either has no spread, or neither varies. That the value of one side does
    not vary is no hindrance: the other's spread is left.
    """
    one, other = known_of(a), known_of(b)
    for name, side in (("the first", one), ("the second", other)):
        if side.n < 2:
            raise NoTest(f"{name} has a single run, which tells no spread")
        if side.std is None:
            raise NoTest(f"{name} has no known standard deviation")
    first, second = one.std**2 / one.n, other.std**2 / other.n
    error = math.sqrt(first + second)
    if not error:
        raise NoTest("neither side varies: runs as alike as these say nothing of chance")
    shares = (first / error**2) ** 2 / (one.n - 1) + (second / error**2) ** 2 / (other.n - 1)
    return tested((one.mean - other.mean) / error, 1 / shares, error)


def one_sample(a: Sequence[float] | Summary, value: float) -> Test:
    """Student's test, one-sided, that the mean of `a` lies below a value taken as exact.

    It leaves out how far the value itself would vary, so it finds more than Welch's would.
    """
    known = known_of(a)
    if known.n < 2 or known.std is None:
        raise NoTest("a single run tells no spread")
    if not known.std:
        raise NoTest("the runs do not vary: runs so alike say nothing of chance")
    error = known.std / math.sqrt(known.n)
    return tested((known.mean - value) / error, known.n - 1, error)


def tested(t: float, df: float, error: float) -> Test:
    return Test(t, df, t_cdf(t, df), error)


def known_of(values: Sequence[float] | Summary) -> Summary:
    if not isinstance(values, Summary):
        return summary(values)
    checked([values.mean, 0.0 if values.std is None else values.std])
    if values.n < 1 or (values.std or 0) < 0:
        raise NoTest("a summary needs a run at least, and no spread below zero")
    return values


def t_cdf(t: float, df: float) -> float:
    """The chance that Student's t with `df` degrees of freedom is at most `t`."""
    if math.isinf(t):
        return float(t > 0)
    # both shares are computed, since 1 - x loses what is small
    near, far = t * t / (df + t * t), df / (df + t * t)
    tail = incomplete_beta(df / 2, 0.5, far, near) / 2
    return 1 - tail if t > 0 else tail


def t_quantile(p: float, df: float) -> float:
    """The t that is not exceeded with chance `p`, by bisection in the lower tail."""
    if not 0 < p < 1:
        raise ValueError(f"{p} is no chance between 0 and 1")
    tail = min(p, 1 - p)
    low = -1.0
    while t_cdf(low, df) > tail:
        low *= 2
    high = 0.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if t_cdf(middle, df) < tail else (low, middle)
    return high if p < 0.5 else -high


def incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function at `x`; `rest` is 1 - x."""
    if x <= 0 or rest <= 0:
        return float(x > 0)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(logarithm + a * math.log(x) + b * math.log(rest))
    if x < (a + 1) / (a + b + 2):  # elsewhere the fraction of the mirrored one is shorter
        return front * continued(a, b, x) / a
    return 1 - front * continued(b, a, rest) / b


def continued(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / kept_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / kept_from_zero(1 + term * d)
            c = kept_from_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return value


def kept_from_zero(value: float) -> float:
    return value if abs(value) > SMALL else SMALL

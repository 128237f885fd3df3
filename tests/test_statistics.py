import math
import random

import pytest

from pgolf_compose.statistics import (
    NoTest,
    Summary,
    interval,
    mean,
    one_sample,
    sample_std,
    summary,
    t_cdf,
    t_quantile,
    welch,
)

PR_1539 = [1.05840, 1.05856, 1.05912]


def test_three_seeds_have_the_mean_and_the_deviation_that_were_published_of_them():
    assert (round(mean(PR_1539), 5), round(sample_std(PR_1539), 5)) == (1.05869, 0.00038)
    low, high = interval(PR_1539)  # 1.058693 -+ 4.303 x 0.000378 / sqrt(3)
    assert (round(low, 5), round(high, 5)) == (1.05775, 1.05963)


# Student's table as textbooks print it: rows of df, columns of one-sided chances
TABLE = {
    1: (1.000, 3.078, 6.314, 12.706, 31.821, 63.657),
    2: (0.816, 1.886, 2.920, 4.303, 6.965, 9.925),
    3: (0.765, 1.638, 2.353, 3.182, 4.541, 5.841),
    5: (0.727, 1.476, 2.015, 2.571, 3.365, 4.032),
    10: (0.700, 1.372, 1.812, 2.228, 2.764, 3.169),
    30: (0.683, 1.310, 1.697, 2.042, 2.457, 2.750),
    120: (0.677, 1.289, 1.658, 1.980, 2.358, 2.617),
}


@pytest.mark.parametrize("df", TABLE)
def test_quantiles_are_those_of_the_printed_tables(df):
    chances = (0.75, 0.9, 0.95, 0.975, 0.99, 0.995)
    assert tuple(round(t_quantile(p, df), 3) for p in chances) == TABLE[df]
    assert t_quantile(0.25, df) == -t_quantile(0.75, df)


@pytest.mark.parametrize("t", [-1000, -10, -1, -0.1, 0, 0.3, 2, 7, 1e200])
def test_the_distribution_is_the_closed_form_where_there_is_one(t):
    assert t_cdf(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=4e-16)
    assert t_cdf(t, 2) == pytest.approx(0.5 + t / (2 * math.hypot(t, math.sqrt(2))), abs=4e-16)


# scipy 1.17.1: stats.t.cdf(t, df), stats.t.ppf(p, df)
CHANCES = [
    (-1.5, 2.0, 0.13619656244550055),
    (-3.1, 2.7, 0.030640885265177137),
    (0.4, 9.3, 0.6509055968296518),
    (-40.0, 3.0, 1.7190340394579253e-05),
    (2.2, 150.0, 0.9853316410967408),
]
QUANTILES = [
    (0.975, 2.0, 4.302652729749462),
    (0.01, 3.3, -4.226609156667668),
    (0.25, 7.9, -0.706805973161967),
    (1e-9, 4.0, -234.02761040611892),
]


def test_chances_and_quantiles_are_scipy_s_to_thirteen_digits():
    for t, df, expected in CHANCES:
        assert t_cdf(t, df) == pytest.approx(expected, rel=1e-13)
    for p, df, expected in QUANTILES:
        assert t_quantile(p, df) == pytest.approx(expected, rel=1e-13)


def test_where_scipy_is_installed_it_agrees_everywhere():
    stats = pytest.importorskip("scipy.stats", reason="scipy is no dependency, only an oracle")
    chance = random.Random(1)
    for _ in range(300):
        df, t = 10 ** chance.uniform(0, 3), chance.gauss(0, 4)
        assert t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-10)
        a = [chance.gauss(1, 0.1) for _ in range(chance.randint(2, 9))]
        b = [chance.gauss(1, 0.3) for _ in range(chance.randint(2, 9))]
        theirs = stats.ttest_ind(a, b, equal_var=False, alternative="less")
        ours = welch(a, b)
        assert (ours.t, ours.df) == pytest.approx((theirs.statistic, theirs.df), rel=1e-10)
        assert ours.p_less == pytest.approx(theirs.pvalue, rel=1e-10)


# sleep gained under two drugs: R's manual, `t.test(extra ~ group, data = sleep)`
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def test_welch_s_test_of_the_sleep_data_is_that_of_r_s_manual():
    found = welch(*SLEEP)
    assert (round(found.t, 4), round(found.df, 3)) == (-1.8608, 17.776)
    assert round(2 * found.p_less, 5) == 0.07939  # which is two-sided
    reach = t_quantile(0.975, found.df) * found.error
    assert [round(-1.58 + side, 4) for side in (-reach, reach)] == [-3.3655, 0.2055]


# three pairs of Wikipedia's article on the test: t, df, two-sided p
UNEQUAL = [
    (
        "27.5 21 19 23.6 17 17.9 16.9 20.1 21.9 22.6 23.1 19.6 19 21.7 21.4",
        "27.1 22 20.8 23.4 23.4 23.5 25.8 22 24.8 20.2 21.9 22.1 22.9 20.5 24.4",
        (-2.46, 25.0, 0.021),
    ),
    (
        "17.2 20.9 22.6 18.1 21.7 21.4 23.5 24.2 14.7 21.8",
        "21.5 22.8 21 23 21.6 23.6 22.5 20.7 23.4 21.8 20.7 21.7 21.5 22.5 23.6 21.5 22.5 23.5 21.5 21.8",
        (-1.57, 9.9, 0.149),
    ),
    (
        "19.8 20.4 19.6 17.8 18.5 18.9 18.3 18.9 19.5 22",
        "28.2 26.6 20.1 23.3 25.2 22.1 17.7 27.6 20.6 13.7 23.2 17.5 20.6 18 23.9 21.6 24.3 20.4 24 13.2",
        (-2.22, 24.5, 0.036),
    ),
]


@pytest.mark.parametrize(("a", "b", "expected"), UNEQUAL)
def test_welch_s_test_of_tabulated_examples(a, b, expected):
    found = welch([float(one) for one in a.split()], [float(one) for one in b.split()])
    assert (round(found.t, 2), round(found.df, 1), round(2 * found.p_less, 3)) == expected


def test_a_summary_does_what_its_values_do():
    one, other = SLEEP
    assert welch(summary(one), Summary(mean(other), sample_std(other), 10)) == welch(one, other)


def test_the_test_is_one_sided():
    one, other = SLEEP
    assert welch(one, other).p_less + welch(other, one).p_less == pytest.approx(1)


def test_one_sample_against_an_exact_value_finds_more_than_welch_does():
    found = one_sample(PR_1539, 1.0591)
    assert (round(found.t, 3), found.df, round(found.p_less, 4)) == (-1.863, 2, 0.1017)
    assert found.p_less < welch(PR_1539, Summary(1.0591, 0.0003, 3)).p_less


def test_one_value_has_a_mean_and_nothing_else():
    assert (mean([1.08]), sample_std([1.08]), interval([1.08])) == (1.08, None, None)


def test_equal_values_have_no_spread_and_an_interval_without_width():
    same = [1.1, 1.1, 1.1]  # whose sum is not 3.3 in floating point
    assert (mean(same), sample_std(same), interval(same)) == (1.1, 0.0, (1.1, 1.1))
    varied = welch(same, PR_1539)
    assert varied.df == pytest.approx(2)  # of the side that varies


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ([1.0], PR_1539, "the first has a single run, which tells no spread"),
        (PR_1539, [1.0], "the second has a single run, which tells no spread"),
        (PR_1539, Summary(1.1, None, 3), "the second has no known standard deviation"),
        (
            [1.1, 1.1],
            [1.2, 1.2],
            "neither side varies: runs as alike as these say nothing of chance",
        ),
        ([], PR_1539, "there is no value"),
        ([1.0, math.nan], PR_1539, "a value is not finite"),
        ([1.0, math.inf], PR_1539, "a value is not finite"),
        (Summary(1.0, math.nan, 3), PR_1539, "a value is not finite"),
        (
            Summary(1.0, -0.1, 3),
            PR_1539,
            "a summary needs a run at least, and no spread below zero",
        ),
        (Summary(1.0, 0.1, 0), PR_1539, "a summary needs a run at least, and no spread below zero"),
    ],
)
def test_what_allows_no_test_says_why(a, b, reason):
    with pytest.raises(NoTest) as caught:
        welch(a, b)
    assert str(caught.value) == reason


def test_a_chance_lies_between_none_and_all():
    for p in (0, 1, -0.1, math.nan):
        with pytest.raises(ValueError, match="no chance between 0 and 1"):
            t_quantile(p, 3)

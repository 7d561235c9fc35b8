"""Intervals and tests against published values and against exact enumeration."""

import importlib.util
from itertools import permutations, product
from math import comb

import numpy as np
import pytest
import scipy.stats
from demo_score.analysis.detection import better_pairs
from demo_score.analysis.over_runs import holm, sign_flip_p, t_interval, two_level_bootstrap, variance_split
from demo_score.analysis.statistics import count_pairs, mcnemar_p, paired_difference, wilson_interval
from places import TESTS


def pairs(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[int], list[int]]:
    """Outcomes of two conditions that give these counts."""
    a = [1] * (both + only_a) + [0] * (only_b + neither)
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * neither
    return a, b


def test_wilson_interval_gives_newcombes_published_values():
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_interval_has_the_bits_of_scipys():
    for n, confidence in product((1, 2, 7, 50, 100, 601), (0.8, 0.95, 0.99)):
        for successes in range(n + 1):
            peer = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
            assert wilson_interval(successes, n, confidence) == (peer.low, peer.high)


def test_wilson_interval_stays_within_0_and_1():
    assert wilson_interval(0, 5).low == 0.0
    assert wilson_interval(5, 5).high == 1.0


def test_wilson_interval_widens_with_confidence():
    narrow, wide = wilson_interval(40, 100, 0.8), wilson_interval(40, 100, 0.99)
    assert wide.low < narrow.low < 0.4 < narrow.high < wide.high


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Airway hyper-responsiveness, Fagerland, Lydersen, Laake, Statistics in Medicine 33 (2014) 2850-2875.
        ((1, 1, 7, 12), (-0.286, -0.507, -0.026)),
        # Altman et al., Statistics with Confidence, 2nd edition (2000), table 6.2.
        ((14, 5, 0, 22), (0.122, 0.011, 0.226)),
    ],
)
def test_paired_difference_gives_published_values(counts, expected):
    assert paired_difference(*pairs(*counts)) == pytest.approx(expected, abs=5e-4)


def test_paired_difference_changes_sign_when_the_conditions_change_places():
    a, b = pairs(30, 25, 10, 35)
    forward, backward = paired_difference(a, b), paired_difference(b, a)
    assert backward == pytest.approx((-forward.difference, -forward.high, -forward.low))


def test_paired_difference_is_narrower_where_the_conditions_solve_the_same_starts():
    alike, apart = paired_difference(*pairs(40, 10, 0, 50)), paired_difference(*pairs(20, 30, 20, 30))
    assert alike.difference == pytest.approx(apart.difference)
    assert alike.high - alike.low < 0.8 * (apart.high - apart.low)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [([1] * 9, [1] * 9, 0.0), ([0] * 9, [0] * 9, 0.0), ([1] * 9, [0] * 9, 1.0), ([0] * 9, [1] * 9, -1.0)],
)
def test_paired_difference_copes_with_conditions_that_always_or_never_succeed(a, b, expected):
    difference, low, high = paired_difference(a, b)
    assert difference == expected
    assert -1 <= low <= expected <= high <= 1
    assert high - low > 0.2


@pytest.mark.parametrize("cells", [(0.3, 0.3, 0.1, 0.3), (0.5, 0.1, 0.1, 0.3), (0.1, 0.5, 0.05, 0.35)])
def test_paired_interval_covers_the_truth_in_about_95_percent_of_experiments(cells):
    n, truth, coverage = 14, cells[1] - cells[2], 0.0
    for both, only_a, only_b in product(range(n + 1), repeat=3):
        if (neither := n - both - only_a - only_b) >= 0:
            interval = paired_difference(*pairs(both, only_a, only_b, neither))
            ways = comb(n, both) * comb(n - both, only_a) * comb(n - both - only_a, only_b)
            counts = (both, only_a, only_b, neither)
            chance = ways * product_of(cell**count for cell, count in zip(cells, counts, strict=True))
            coverage += chance * (interval.low <= truth <= interval.high)
    assert 0.93 < coverage < 0.985


def product_of(factors) -> float:
    result = 1.0
    for factor in factors:
        result *= factor
    return result


def test_mcnemar_p_is_twice_the_binomial_tail():
    assert mcnemar_p(5, 0) == pytest.approx(2 / 2**5)
    assert mcnemar_p(1, 7) == pytest.approx(2 * (1 + 8) / 2**8)  # airway example above: 0.0703
    assert mcnemar_p(4, 4) == 1.0
    assert mcnemar_p(0, 0) == 1.0


def test_count_pairs_counts_each_kind_of_start():
    assert count_pairs([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]) == (2, 1, 1, 2)


def test_count_pairs_refuses_conditions_of_different_length():
    with pytest.raises(ValueError, match="differ in number"):
        count_pairs([1, 0], [1])


# Hours of sleep gained with either drug. Student, Biometrika 6 (1908) 1-25; the interval is that of R's help page of
# t.test on the same data (sleep): t = -4.0621, df = 9, 0.7001142 to 2.4598858, mean 1.58.
SLEEP = np.subtract(
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4], [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
)
# Darwin's maize, crossed minus self-fertilised, eighths of an inch. R. A. Fisher, The Design of Experiments (1935),
# section 21: of 32,768 ways to give signs 863 give as large a sum, and as many as large a negative one: 5.267%.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
# Yield of dyestuff from five preparations of each of six batches, grams. O. L. Davies, P. L. Goldsmith (eds.),
# Statistical Methods in Research and Production, 4th edition (1972), section 6.4.
DYESTUFF = np.array(
    [
        [1545, 1440, 1440, 1520, 1580],
        [1540, 1555, 1490, 1560, 1495],
        [1595, 1550, 1605, 1510, 1560],
        [1445, 1440, 1595, 1465, 1545],
        [1595, 1630, 1515, 1635, 1625],
        [1520, 1455, 1450, 1480, 1445],
    ]
)


def test_t_interval_gives_the_published_one_of_students_sleep_data():
    assert SLEEP.mean() == pytest.approx(1.58)
    assert t_interval(SLEEP) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)


def test_t_interval_of_two_runs_is_by_far_the_widest_and_of_one_there_is_none():
    assert t_interval([0.2, 0.4]) == pytest.approx((0.3 - 12.7062 * 0.1, 0.3 + 12.7062 * 0.1), abs=1e-5)
    assert np.isnan(t_interval([0.3])).all()


def test_sign_flip_p_gives_fishers_published_one_of_darwins_maize():
    assert sign_flip_p(MAIZE) == pytest.approx(2 * 863 / 2**15, abs=1e-12)


@pytest.mark.parametrize(
    "differences",
    [
        [0.3, 0.1],
        [0.3, -0.1, 0.2],
        [0.1, 0.2, -0.3, 0.4],
        [0.1, 0.2, -0.3],
        [0.05, 0.1, 0.15, -0.05, 0.2, 0.1],
        [0, 0, 0],
    ],
)
def test_sign_flip_p_counts_all_signs(differences):
    sums = [sum(np.multiply(signs, differences)) for signs in product((1, -1), repeat=len(differences))]
    expected = np.mean(np.abs(sums) >= abs(sum(differences)) - 1e-9)
    assert sign_flip_p(differences) == pytest.approx(expected, abs=1e-12)


def test_sign_flip_p_of_six_runs_of_one_sign_is_below_5_percent_and_of_five_is_not():
    assert sign_flip_p([0.3, 0.1, 0.5, 0.2, 0.4, 0.1]) == 2 / 2**6
    assert sign_flip_p([-0.3, -0.1, -0.5, -0.2, -0.4]) == 2 / 2**5
    assert sign_flip_p([0.3]) == 1
    assert sign_flip_p([0.1] * 15) == 2 / 2**15


def test_sign_flip_p_of_many_runs_is_drawn_and_the_same_each_time():
    # 13 of 18 of one size positive: the p of the sign test, 2 P(X >= 13) = 0.0963.
    differences = [0.1] * 13 + [-0.1] * 5
    exact = 2 * sum(comb(18, k) for k in range(13, 19)) / 2**18
    assert sign_flip_p(differences) == pytest.approx(exact, abs=0.008)
    assert sign_flip_p(differences) == sign_flip_p(differences)


def test_holm_gives_published_adjusted_ps():
    # SAS/STAT User's Guide, PROC MULTTEST, "Inputting Raw p-Values": test 11 is 0.8395, all others 1.
    raw = [0.28282, 0.30688, 0.71022, 0.77175, 0.78180, 0.88581, 0.54685, 0.84978, 0.24228, 0.58977, 0.03498, 0.41607]
    raw += [0.31631, 0.05254, 0.45061, 0.75758, 0.12496, 0.49485, 0.21572, 0.50505, 0.94372, 0.81260, 0.77596, 0.36889]
    assert holm(raw) == pytest.approx([0.8395 if number == 10 else 1.0 for number in range(24)], abs=5e-5)
    # Four hypotheses, of which the first and the last are rejected at 5%; multipletests of statsmodels 0.15 agrees.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_follows_each_p_whatever_their_order_and_ties():
    adjusted = {0.001: 0.004, 0.01: 0.03, 0.02: 0.03 + 0.01, 0.5: 0.5}
    for order in permutations(adjusted):
        assert holm(order) == pytest.approx([adjusted[p] for p in order])
    assert holm([0.02, 0.02, 0.02]) == pytest.approx([0.06] * 3)
    assert holm([0.04]) == [0.04]
    assert holm([0.9, 0.8]) == [1, 1]


def test_two_level_bootstrap_draws_runs_then_starts_as_enumeration_does():
    runs = [np.array([1, 0]), np.array([-1, 1, 1])]
    means = [[sum(drawn) / len(run) for drawn in product(run, repeat=len(run))] for run in runs]
    found = {}
    for first, second in product(range(2), repeat=2):  # each pair of runs, then each sample of the starts in both
        for one, other in product(means[first], means[second]):
            deviation = ((one + other) / 2 - (1 / 2 + 1 / 3) / 2) * 2**0.5
            value = round((1 / 2 + 1 / 3) / 2 + deviation, 9)
            found[value] = found.get(value, 0) + 1 / 4 / len(means[first]) / len(means[second])
    values = np.array(sorted(found))
    cumulated = np.cumsum([found[value] for value in values])
    assert cumulated[-1] == pytest.approx(1)
    for confidence in (0.55, 0.8, 0.9):
        tails = (1 - confidence) / 2, (1 + confidence) / 2
        assert min(abs(cumulated - tail).min() for tail in tails) > 0.01  # no limit is between two values
        expected = [values[np.searchsorted(cumulated, tail)] for tail in tails]
        assert two_level_bootstrap(runs, confidence, resamples=50_000) == pytest.approx(expected, abs=1e-6)


def test_two_level_bootstrap_is_as_wide_as_runs_and_starts_make_it():
    generator = np.random.default_rng(3)
    runs = [generator.choice([-1, 0, 1], 200, p=[0.1, 0.9 - rate, rate]) for rate in (0.2, 0.3, 0.5, 0.6, 0.7, 0.4)]
    means = np.array([run.mean() for run in runs])
    # The variance of a mean of K runs of the drawn: that between the means (over K) and that of n starts each.
    variance = (means.var() + np.mean([run.var() / 200 for run in runs])) / 6 * 6 / 5
    low, high = two_level_bootstrap(runs)
    assert high - low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.05)
    assert (low + high) / 2 == pytest.approx(means.mean(), abs=0.01)
    assert two_level_bootstrap(runs) == (low, high)
    assert np.isnan(two_level_bootstrap(runs[:1])).all()


def test_variance_split_gives_the_published_one_of_the_dyestuff_batches():
    # Mean squares between and within batches: 11,271.5 and 2451.25; components 1764 and 2451.
    runs, starts = variance_split(list(DYESTUFF))
    assert runs**2 == pytest.approx(1764.05)
    assert starts**2 * 5 == pytest.approx(2451.25)


def test_variance_split_leaves_nothing_to_runs_that_differ_less_than_their_starts():
    runs, starts = variance_split([np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0])])
    assert (runs, starts) == (0, pytest.approx((1 / 3 / 4) ** 0.5))
    one_run = variance_split([np.array([0, 1, 0, 1])])
    assert np.isnan(one_run.runs) and one_run.starts == starts
    assert np.isnan(variance_split([np.array([1]), np.array([0])])).all()


def test_pairs_in_order_give_the_published_area_under_the_curve():
    # CT ratings 1..5 of 58 normal and 51 abnormal patients. Hanley, McNeil, Radiology 143 (1982) 29-36: W = 0.893.
    normal, abnormal = (np.repeat(range(1, 6), counts) for counts in ([33, 6, 6, 11, 2], [3, 2, 2, 11, 33]))
    positive = np.arange(58 + 51) >= 58
    better, pairs = better_pairs(np.concatenate([normal, abnormal]), positive)
    assert pairs == 58 * 51
    assert better / pairs == pytest.approx(0.893, abs=5e-4)


def bench():
    """tests/bench/interval_coverage.py, which is no package."""
    path = TESTS / "bench/interval_coverage.py"
    spec = importlib.util.spec_from_file_location("bench_coverage", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_t_interval_over_runs_holds_the_truth_in_95_percent_of_studies_where_the_pooled_one_does_not():
    coverage = bench()
    curated, base = coverage.made_up_studies(2000, runs=6, run_sd=0.1)
    differences = curated.mean(axis=2) - base.mean(axis=2)
    assert differences.mean() == pytest.approx(0.2, abs=0.005)
    starts = np.mean([variance_split(study).starts ** 2 for study in (curated - base)[:200]]) ** 0.5
    assert differences.std() == pytest.approx((0.1**2 + starts**2) ** 0.5, rel=0.03)
    assert coverage.t_coverage(curated, base) == pytest.approx(0.95, abs=0.01)
    assert coverage.pooled_coverage(curated[:200], base[:200]) < 0.7

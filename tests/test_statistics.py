"""Intervals and tests against published values and against exact enumeration."""

from itertools import product
from math import comb

import pytest
from demo_score.evaluation.statistics import count_pairs, mcnemar_p, paired_difference, wilson_interval


def pairs(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[int], list[int]]:
    """Outcomes of two arms that give these counts."""
    a = [1] * (both + only_a) + [0] * (only_b + neither)
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * neither
    return a, b


def test_wilson_interval_gives_newcombes_published_values():
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


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


def test_paired_difference_changes_sign_when_the_arms_change_places():
    a, b = pairs(30, 25, 10, 35)
    forward, backward = paired_difference(a, b), paired_difference(b, a)
    assert backward == pytest.approx((-forward.difference, -forward.high, -forward.low))


def test_paired_difference_is_narrower_where_the_arms_solve_the_same_starts():
    alike, apart = paired_difference(*pairs(40, 10, 0, 50)), paired_difference(*pairs(20, 30, 20, 30))
    assert alike.difference == pytest.approx(apart.difference)
    assert alike.high - alike.low < 0.8 * (apart.high - apart.low)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [([1] * 9, [1] * 9, 0.0), ([0] * 9, [0] * 9, 0.0), ([1] * 9, [0] * 9, 1.0), ([0] * 9, [1] * 9, -1.0)],
)
def test_paired_difference_copes_with_arms_that_always_or_never_succeed(a, b, expected):
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


def test_count_pairs_refuses_arms_of_different_length():
    with pytest.raises(ValueError, match="differ in number"):
        count_pairs([1, 0], [1])

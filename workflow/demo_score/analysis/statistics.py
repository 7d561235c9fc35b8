"""Intervals and tests for success rates, alone and paired over the same initial states.

scipy.stats takes a second to import: functions that need it import it, so that trainings do not wait.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """Limits of a confidence interval, as fractions."""

    low: float
    high: float


class PairedDifference(NamedTuple):
    """Success rate of one condition minus that of another, as fractions in -1..1, with its interval."""

    difference: float
    low: float
    high: float


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Score interval, without continuity correction, of a success rate from `n` >= 1 episodes.

    Source: E. B. Wilson, JASA 22 (1927) 209-212; Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
    """
    from scipy.special import ndtri  # scipy.stats' own takes a quarter of a short evaluation to import

    successes, n, z = int(successes), int(n), float(ndtri(0.5 + 0.5 * confidence))
    rate, twice = successes / n, 2 * (n + z**2)
    center, half = (2 * n * rate + z**2) / twice, z / twice * sqrt(4 * n * rate * (1 - rate) + z**2)
    return Interval(center - half if successes else 0.0, center + half if successes < n else 1.0)


def paired_difference(a: Sequence[int], b: Sequence[int], confidence: float = 0.95) -> PairedDifference:
    """Difference of the success rates of `a` and `b`: n >= 1 outcomes (0 or 1) each, on the same n starts.

    The interval squares and adds the two Wilson intervals, allowing for the correlation of the pairs.
    Source: Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10.
    """
    both, only_a, only_b, neither = count_pairs(a, b)
    n = both + only_a + only_b + neither
    rate_a, rate_b = (both + only_a) / n, (both + only_b) / n
    low_a, high_a = wilson_interval(both + only_a, n, confidence)
    low_b, high_b = wilson_interval(both + only_b, n, confidence)
    phi = _correlation(both, only_a, only_b, neither)
    difference = rate_a - rate_b
    below = _square_and_add(rate_a - low_a, high_b - rate_b, phi)
    above = _square_and_add(high_a - rate_a, rate_b - low_b, phi)
    return PairedDifference(difference, difference - below, difference + above)


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar test: do the starts that one condition alone solves split evenly?

    Source: McNemar, Psychometrika 12 (1947) 153-157, with the binomial distribution in place of chi-square.
    """
    from scipy.stats import binomtest

    discordant = only_a + only_b
    return float(binomtest(only_a, discordant, 0.5).pvalue) if discordant else 1.0


def count_pairs(a: Sequence[int], b: Sequence[int]) -> tuple[int, int, int, int]:
    """Number of starts that both solve, that only `a` solves, that only `b` solves, and that neither solves."""
    solved_a, solved_b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if solved_a.shape != solved_b.shape:
        raise ValueError(f"paired outcomes differ in number: {solved_a.shape} and {solved_b.shape}")
    counts = (solved_a & solved_b, solved_a & ~solved_b, ~solved_a & solved_b, ~solved_a & ~solved_b)
    both, only_a, only_b, neither = (int(count.sum()) for count in counts)
    return both, only_a, only_b, neither


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """The phi coefficient; a positive one is drawn towards 0, which keeps the interval from being too narrow."""
    n = both + only_a + only_b + neither
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    covariance: float = both * neither - only_a * only_b
    if covariance > 0:
        covariance = max(covariance - n / 2, 0.0)
    return covariance / sqrt(margins) if margins else 0.0


def _square_and_add(first: float, second: float, phi: float) -> float:
    return sqrt(first**2 - 2 * phi * first * second + second**2)

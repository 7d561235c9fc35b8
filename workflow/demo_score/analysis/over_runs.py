"""Intervals, tests and spread over runs: each complete run of the pipeline (one seed) gives one number.

Starts within a run share its policies, so that they are no independent tries of the pipeline; runs are.
scipy.stats takes a second to import: functions that need it import it, so that trainings do not wait.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from demo_score.analysis.statistics import Interval

OVER_RUNS, SINGLE_RUN = "t over runs", "none"  # the kind of interval, in the tables
NO_INTERVAL = Interval(float("nan"), float("nan"))
FLIPS = 2**15  # up to this many sign flips are counted one by one; beyond 15 runs as many are drawn
RESAMPLES = 10_000
SEED = 20_260_000  # of what is drawn: the same numbers give the same interval


class Spread(NamedTuple):
    """Standard deviations of one run's difference, as fractions: between runs, and by the sampling of its starts."""

    runs: float
    starts: float


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's interval of the mean of `values`, one a run; NaN for a single run.

    Source: Student, Biometrika 6 (1908) 1-25.
    """
    if len(values) < 2:
        return NO_INTERVAL
    from scipy.stats import t

    sample = np.asarray(values, dtype=float)
    half = t.ppf((1 + confidence) / 2, len(sample) - 1) * sample.std(ddof=1) / sqrt(len(sample))
    return Interval(float(sample.mean() - half), float(sample.mean() + half))


def sign_flip_p(differences: Sequence[float]) -> float:
    """Exact two-sided p of Fisher's randomisation test: how often random signs give as large a mean difference.

    `differences`: one a run. The smallest p of K runs is 2 / 2**K; beyond 15 runs the flips are drawn at random.
    Source: R. A. Fisher, The Design of Experiments (1935), section 21.
    """
    if len(differences) < 2:
        return 1.0  # either sign gives as large a mean
    from scipy.stats import permutation_test

    found = permutation_test(
        [np.asarray(differences, dtype=float)],
        lambda sample, axis: np.round(sample.mean(axis=axis), 12),  # sums of the same numbers tie in any order
        permutation_type="samples",
        n_resamples=FLIPS,
        rng=np.random.default_rng(SEED),
    )
    return float(found.pvalue)


def holm(ps: Sequence[float]) -> list[float]:
    """The p values adjusted for all of them being looked at: the family's error rate is that of one test.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    order = np.argsort(ps, kind="stable")
    steps = np.asarray(ps, dtype=float)[order] * np.arange(len(ps), 0, -1)
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted.tolist()


def two_level_bootstrap(runs: Sequence[np.ndarray], confidence: float = 0.95, resamples: int = RESAMPLES) -> Interval:
    """Percentile interval of the mean over runs of the mean paired difference; NaN for a single run.

    `runs`: one array (n starts,) of paired differences a run. Draws runs with replacement, then starts within each.
    So few runs spread too little when they are drawn from themselves: deviations are scaled by sqrt(K / (K - 1)).
    Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    k = len(runs)
    if k < 2:
        return NO_INTERVAL
    generator = np.random.default_rng(SEED)
    chosen = generator.integers(k, size=(resamples, k))
    drawn = np.empty(chosen.shape)
    for run, differences in enumerate(runs):
        drawn[chosen == run] = _resampled_means(differences, int((chosen == run).sum()), generator)
    mean = np.mean([differences.mean() for differences in runs])
    deviations = (drawn.mean(axis=1) - mean) * sqrt(k / (k - 1))
    low, high = mean + np.quantile(deviations, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def variance_split(runs: Sequence[np.ndarray]) -> Spread:
    """How much of the spread of the runs' mean differences is the runs' own, and how much is that of their starts.

    `runs`: one array (n >= 2 starts,) of paired differences a run; NaN between runs where there is but one. By moments:
    the variance of the runs' means is that of the runs plus that of a mean over n starts.
    Source: Searle, Casella and McCulloch, Variance Components (1992), chapter 3.
    """
    starts = float(np.mean([_variance(differences) / len(differences) for differences in runs]))
    between = _variance(np.array([differences.mean() for differences in runs]))
    return Spread(float(np.sqrt(np.maximum(between - starts, 0.0))), float(np.sqrt(starts)))  # NaN stays NaN


def _variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else float("nan")


def _resampled_means(values: np.ndarray, times: int, generator: np.random.Generator) -> np.ndarray:
    """Means of `times` samples of `values` (n,) with replacement: how often each distinct value is drawn tells them."""
    distinct, counts = np.unique(values, return_counts=True)
    return generator.multinomial(len(values), counts / len(values), size=times) @ distinct / len(values)

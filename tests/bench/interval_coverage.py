"""How often 95% intervals hold the truth, and how often a test finds what is not there, in made-up studies.

Run: python tests/bench/interval_coverage.py [studies]
A study has K runs. A run's true difference, curated minus base, is normal around the truth, with a standard deviation
(run SD) that training and the choice of demonstrations would give it. Both conditions are then tested on the same 200
starts: a hard start is hard for both. Truth: 20 points from 45%; for the test 0, from 50%. The tables' own functions
compute it, but with fewer resamples of the bootstrap. The standard error of 95% of 2,000 studies is 0.5%.
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))

from demo_score.analysis.over_runs import sign_flip_p, t_interval, two_level_bootstrap
from demo_score.analysis.statistics import Interval, paired_difference

STARTS = 200
CORRELATION = 0.5  # of what makes the same start hard for both conditions
RESAMPLES = 1000
COLUMNS = ["run SD (points)", "runs", "t over runs", "two-level bootstrap", "pooled, Newcombe", "sign flips, p < .05"]


def made_up_studies(
    n: int, runs: int, run_sd: float, truth: float = 0.2, base: float = 0.45, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes (0 or 1) of the curated and of the base condition, each (n, runs, STARTS), on the same starts."""
    from scipy.special import ndtri

    generator = np.random.default_rng([seed, runs, round(1000 * run_sd)])
    difference = generator.normal(truth, run_sd, (n, runs, 1))
    shape = (n, runs, STARTS)
    common = generator.standard_normal(shape, dtype=np.float32) * np.float32(CORRELATION**0.5)
    conditions = []
    for rate in (base + difference, np.full((n, runs, 1), base)):
        own = generator.standard_normal(shape, dtype=np.float32) * np.float32((1 - CORRELATION) ** 0.5)
        conditions.append((common + own < ndtri(rate.clip(1e-6, 1 - 1e-6))).astype(np.int8))
    return conditions[0], conditions[1]


def t_coverage(curated: np.ndarray, base: np.ndarray, truth: float = 0.2) -> float:
    """Share of the studies whose t interval over runs holds the truth."""
    differences = curated.mean(axis=2) - base.mean(axis=2)
    return float(np.mean([_holds(t_interval(study), truth) for study in differences]))


def bootstrap_coverage(curated: np.ndarray, base: np.ndarray, truth: float = 0.2) -> float:
    """Share of the studies whose two-level bootstrap interval holds the truth."""
    return float(np.mean([_holds(two_level_bootstrap(study, resamples=RESAMPLES), truth) for study in curated - base]))


def pooled_coverage(curated: np.ndarray, base: np.ndarray, truth: float = 0.2) -> float:
    """Share of the studies where Newcombe's interval of all episodes, as if they were of one run, holds the truth."""
    pairs = zip(curated.reshape(len(curated), -1), base.reshape(len(base), -1), strict=True)
    intervals = [paired_difference(a, b) for a, b in pairs]
    return float(np.mean([_holds(Interval(found.low, found.high), truth) for found in intervals]))


def false_positives(curated: np.ndarray, base: np.ndarray) -> float:
    """Share of the studies, in which there is no difference, where the sign-flip p is below .05."""
    differences = curated.mean(axis=2) - base.mean(axis=2)
    return float(np.mean([sign_flip_p(study) < 0.05 for study in differences]))


def _holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def main(n: int = 2000) -> None:
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for run_sd, runs in product((0, 0.05, 0.1), (3, 6, 10)):
        studies = made_up_studies(n, runs, run_sd)
        rates = [coverage(*studies) for coverage in (t_coverage, bootstrap_coverage, pooled_coverage)]
        rates.append(false_positives(*made_up_studies(n, runs, run_sd, truth=0, base=0.5, seed=1)))
        print(f"| {100 * run_sd:.0f} | {runs} | {' | '.join(f'{100 * rate:.1f}' for rate in rates)} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

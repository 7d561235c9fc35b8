"""How well each method's scores find the demonstrations of the strategies that the oracle keeps."""

import numpy as np
import pandas as pd

from demo_score.analysis.arena.inputs import DEMONSTRATION
from demo_score.analysis.arena.order import methods_in
from demo_score.analysis.detection import auroc, auroc_within, length_strata
from demo_score.entrants import OWN
from demo_score.tables import ALL_RUNS, ARENA_DETECTION

COUNTS = ["n", "positive"]
AREAS = [
    "auroc",
    "average_precision",
    "auroc_within_length",
    "average_precision_within_length",
    "kept_positive",
]


def arena_detection_table(scores: pd.DataFrame, kept: pd.DataFrame, oracle: list[str]) -> pd.DataFrame:
    """A row a method and run, and ALL_RUNS: counts in all, means of the rest; see ARENA_DETECTION.

    scores, kept: as `read_scores` and `read_kept` give them; positive are demonstrations of the strategies `oracle`.
    """
    kept = kept[kept["keep"] == OWN]
    rows = []
    for method in methods_in(scores["method"]):
        choices = kept[kept["entrant"] == method]
        runs = [
            {"method": method, "seed": str(seed), **_areas(group, choices, oracle)}
            for seed, group in scores[scores["method"] == method].groupby("seed")
        ]
        every = pd.DataFrame(runs)
        rows += [*runs, {"method": method, "seed": ALL_RUNS, **every[COUNTS].sum(), **every[AREAS].mean()}]
    return ARENA_DETECTION.frame(rows).astype(dict.fromkeys(COUNTS, int))


def average_precision(values: np.ndarray, positive: np.ndarray) -> float:
    """Mean over the positives of the precision down to each; those of a tie come at once. NaN without a positive.

    values: (n,) scores; positive: (n,) bool. The sum over thresholds of precision times the gain in recall.
    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), section 8.4.
    """
    if not positive.any():
        return float("nan")
    levels, place = np.unique(-values, return_inverse=True)
    found = np.bincount(place, weights=positive, minlength=len(levels))
    precision = found.cumsum() / np.bincount(place, minlength=len(levels)).cumsum()
    return float((precision * found).sum() / found.sum())


def average_precision_within(values: np.ndarray, positive: np.ndarray, strata: np.ndarray) -> float:
    """The mean over strata, weighted by their positives; those of one kind alone have nothing to tell apart."""
    parts = [strata == part for part in np.unique(strata) if 0 < positive[strata == part].mean() < 1]
    weights = [positive[part].sum() for part in parts]
    precisions = [average_precision(values[part], positive[part]) for part in parts]
    return float(np.average(precisions, weights=weights)) if parts else float("nan")


def _areas(scored: pd.DataFrame, choices: pd.DataFrame, oracle: list[str]) -> dict:
    """Of one method and run."""
    values, strata = scored["score"].to_numpy(), length_strata(scored["length"].to_numpy())
    positive = scored["actor"].isin(oracle).to_numpy()
    chosen = scored.merge(choices, on=DEMONSTRATION)
    chosen = chosen[chosen["kept"] == 1]
    return {
        "n": len(scored),
        "positive": int(positive.sum()),
        "auroc": auroc(values, positive),
        "average_precision": average_precision(values, positive),
        "auroc_within_length": auroc_within(values, positive, strata),
        "average_precision_within_length": average_precision_within(values, positive, strata),
        "kept_positive": chosen["actor"].isin(oracle).mean() if oracle else float("nan"),
    }

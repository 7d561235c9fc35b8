"""How well scores find the demonstrations of the strategies that the oracle keeps, and whether length does it alone."""

import numpy as np
import pandas as pd

from demo_score.tables import ALL_RUNS, DETECTION

COUNTS, AREAS = ["n", "positive"], ["auc", "auc_within_length", "auc_of_length"]


def detection_table(scores: pd.DataFrame, oracle: list[str]) -> pd.DataFrame:
    """Areas under the ROC curve of each run's scores, and ALL_RUNS: counts in all, means over the runs.

    `scores`: see `read_scores`; positive are demonstrations of the strategies `oracle`. auc_within_length compares only
    demonstrations from the same fifth of the lengths. Empty where there is nothing to compare.
    """
    demonstrations = scores[scores["kind"] == "demonstration"]
    positive = demonstrations["actor"].isin(oracle)
    rows = [
        {"seed": str(seed), **_areas(group["score"].to_numpy(), group["length"].to_numpy(), positive[group.index])}
        for seed, group in demonstrations.groupby("seed")
    ]
    table = DETECTION.frame(rows)
    if rows:
        table.loc[len(table)] = [ALL_RUNS, *table[COUNTS].sum(), *table[AREAS].mean()]
    return table.astype(dict.fromkeys(COUNTS, int))


def better_pairs(values: np.ndarray, positive: np.ndarray) -> tuple[float, int]:
    """In how many pairs of a positive and a negative the positive has the higher value (ties half), and of how many.

    Source: Mann and Whitney, Annals of Mathematical Statistics 18 (1947) 50-60; the ratio is the area under the curve.
    """
    from scipy.stats import rankdata

    n_positive = int(positive.sum())
    better = rankdata(values)[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(better), n_positive * (len(values) - n_positive)


def length_strata(lengths: np.ndarray) -> np.ndarray:
    """The fifth of all `lengths` that each is in, from 0; fewer fifths where lengths tie."""
    limits = np.unique(np.quantile(lengths, [0.2, 0.4, 0.6, 0.8]))
    return np.searchsorted(limits, lengths)


def auroc(values: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve of `values` (n,) for `positive` (n, bool); NaN where there are no pairs."""
    return _ratio(*better_pairs(values, positive))


def auroc_within(values: np.ndarray, positive: np.ndarray, strata: np.ndarray) -> float:
    """The same over pairs of the same stratum alone."""
    parts = [better_pairs(values[strata == part], positive[strata == part]) for part in np.unique(strata)]
    return _ratio(sum(better for better, _ in parts), sum(pairs for _, pairs in parts))


def _areas(scores: np.ndarray, lengths: np.ndarray, positive: pd.Series) -> dict:
    chosen = positive.to_numpy()
    return {
        "n": len(scores),
        "positive": int(chosen.sum()),
        "auc": auroc(scores, chosen),
        "auc_within_length": auroc_within(scores, chosen, length_strata(lengths)),
        "auc_of_length": auroc(lengths, chosen),
    }


def _ratio(better: float, pairs: int) -> float:
    return better / pairs if pairs else float("nan")

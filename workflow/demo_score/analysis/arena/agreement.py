"""How far methods agree: by their scores, and by what they keep."""

from itertools import combinations

import numpy as np
import pandas as pd

from demo_score.analysis.arena.inputs import DEMONSTRATION
from demo_score.analysis.arena.order import methods_in
from demo_score.entrants import OWN
from demo_score.tables import ALL_RUNS, ARENA_AGREEMENT


def agreement_table(scores: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """A row a pair of methods and run that has both, and ALL_RUNS: demonstrations in all, means of the rest.

    scores, kept: as `read_scores` and `read_kept` give them.
    """
    values = scores.pivot(index=DEMONSTRATION, columns="method", values="score")
    choices = kept[kept["keep"] == OWN].pivot(index=DEMONSTRATION, columns="entrant", values="kept")
    choices = choices.reindex(index=values.index, columns=values.columns)
    rows = []
    for method, other in combinations(methods_in(values), 2):
        names, both = {"method": method, "other": other}, values[[method, other]].dropna()
        runs = [
            {**names, "seed": str(seed), **_of_run(pair, choices.loc[pair.index, [method, other]])}
            for seed, pair in both.groupby("seed")
        ]
        if runs:
            every = pd.DataFrame(runs)
            means = {"n": every["n"].sum(), **every[["rho", "overlap"]].mean()}
            rows += [*runs, {**names, "seed": ALL_RUNS, **means}]
    return ARENA_AGREEMENT.frame(rows)


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation of (n,) and (n,), ties at their mean ranks; NaN where one of them is constant.

    Source: C. Spearman, American Journal of Psychology 15 (1904) 72-101.
    """
    from scipy.stats import rankdata

    ranks = rankdata(a), rankdata(b)
    if min(np.ptp(ranks[0]), np.ptp(ranks[1])) == 0:
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Of what either keeps, the share that both keep: (n,) and (n,) of 0 and 1; NaN where one is unknown, or none is.

    Source: P. Jaccard, New Phytologist 11 (1912) 37-50.
    """
    either = np.maximum(a, b).sum()
    return float(np.minimum(a, b).sum() / either) if either > 0 else float("nan")


def _of_run(pair: pd.DataFrame, choices: pd.DataFrame) -> dict:
    one, other = pair.to_numpy().T
    return {"n": len(pair), "rho": spearman(one, other), "overlap": jaccard(*choices.to_numpy(dtype=float).T)}

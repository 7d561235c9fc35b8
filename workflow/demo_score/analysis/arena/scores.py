"""What an arena's scores show, in sentences: whether they agree, and whether those that detect make good policies."""

import numpy as np
import pandas as pd

from demo_score.analysis.arena.agreement import spearman
from demo_score.analysis.arena.ranking import Tables, means_of, ranked
from demo_score.analysis.formatting import count, digits, percent
from demo_score.curation_methods import title


def agreement_sentence(agreement: pd.DataFrame) -> list[str]:
    """How far methods agree; nothing where there are no two."""
    rows = means_of(agreement).dropna(subset="rho")
    if rows.empty:
        return []
    text = f"Rank correlation of two methods' scores: mean {digits(rows['rho'].mean())} over {count(len(rows), 'pair')}"
    if len(rows) > 1:
        least, most = (rows.loc[rows["rho"].idxmin()], rows.loc[rows["rho"].idxmax()])
        text += f", from {_pair(least)} to {_pair(most)}"
    if (shared := rows["overlap"].mean()) == shared:
        text += f"; of what either keeps at the arena's own size, both keep {percent(shared)}% on the mean"
    return [f"- {text}."]


def _pair(row: pd.Series) -> str:
    return f"{digits(row['rho'])} ({title(row['method'])}, {title(row['other'])})"


def mean_agreement(agreement: pd.DataFrame, method: str) -> tuple[float, float]:
    """A method's mean rank correlation with all others, and the mean share of what both keep."""
    rows = means_of(agreement)
    rows = rows[(rows["method"] == method) | (rows["other"] == method)]
    return float(rows["rho"].mean()), float(rows["overlap"].mean())


def detection_sentence(tables: Tables) -> list[str]:
    """Which method finds the oracle's strategies best, and what that says of policies; nothing where none is known."""
    if "arena_detection" not in tables:
        return []
    rows = means_of(tables["arena_detection"]).dropna(subset="auroc")
    if rows.empty:
        return []
    best = rows.loc[rows["auroc"].idxmax()]
    text = f"Best at finding the oracle's strategies: {title(best['method'])}, AUROC {digits(best['auroc'])} "
    text += f"(among like lengths {digits(best['auroc_within_length'])})"
    if "arena_uplift" in tables:
        text += _by_uplift(rows, ranked(tables["arena_uplift"]), best["method"])
    return [f"- {text}."]


def _by_uplift(rows: pd.DataFrame, methods: pd.DataFrame, best: str) -> str:
    """The rank of the best by uplift, and how AUROC goes along with uplift over all methods."""
    places = methods["entrant"].tolist()
    text = f"; by uplift it is number {places.index(best) + 1} of {len(places)}" if best in places else ""
    both = rows.merge(methods, left_on="method", right_on="entrant")
    if len(both) < 3:
        return text
    raw, within = (_rank_correlation(both, name) for name in ("auroc", "auroc_within_length"))
    return f"{text}. Rank correlation of AUROC and uplift over {len(both)} methods: {raw}, among like lengths {within}"


def _rank_correlation(both: pd.DataFrame, area: str) -> str:
    known = both.dropna(subset=area)
    return digits(spearman(known[area].to_numpy(), known["uplift"].to_numpy()) if len(known) > 2 else np.nan)

"""The arena's main table: what each entrant's policy adds to that of a random choice of equal size, run by run."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd

from demo_score.analysis.arena.letters import letters
from demo_score.analysis.arena.order import in_order, merged, methods_in, sizes_in
from demo_score.analysis.over_runs import OVER_RUNS, SINGLE_RUN, holm, sign_flip_p, t_interval
from demo_score.analysis.statistics import Interval
from demo_score.entrants import ORACLE, OWN, RANDOM
from demo_score.tables import ALL_RUNS, ARENA_UPLIFT

LENGTH = "length"  # the method that every other must beat
LEVEL = 0.05


def uplift_table(outcomes: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """A row an entrant, size of keep and run, and ALL_RUNS; outcomes: `read_evaluations`, kept: `read_kept`."""
    runs = run_rates(outcomes, kept)
    rows = [row for keep in sizes_in(runs["keep"]) for row in _rows_of_size(runs[runs["keep"] == keep], runs)]
    return ARENA_UPLIFT.frame(rows)


def run_rates(outcomes: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """A row an entrant, size and run: counts, rate, random_rate, uplift, minus_length; of `random` also its spread.

    The rate of `random` is the mean of the rates of its choices.
    """
    of_choices = outcomes.groupby(["seed", "keep", "entrant", "choice"])["success"].agg(["count", "sum", "mean"])
    groups = of_choices.groupby(["seed", "keep", "entrant"])
    runs = groups.agg(n=("count", "sum"), successes=("sum", "sum"), rate=("mean", "mean")).reset_index()
    spread = groups["mean"].agg(subsets="count", sd_subsets="std").reset_index()
    runs = runs.merge(spread[spread["entrant"] == RANDOM], how="left", on=["seed", "keep", "entrant"])
    for name, entrant in (("random_rate", RANDOM), ("length_rate", LENGTH)):
        rates = runs.loc[runs["entrant"] == entrant, ["seed", "keep", "rate"]].rename(columns={"rate": name})
        runs = runs.merge(rates, how="left", on=["seed", "keep"])
    runs["uplift"] = (runs["rate"] - runs["random_rate"]).where(runs["entrant"] != RANDOM)
    compared = runs["entrant"].isin([name for name in methods_in(runs["entrant"]) if name != LENGTH])
    runs["minus_length"] = (runs["rate"] - runs["length_rate"]).where(compared)
    return runs.drop(columns="length_rate").merge(_shares(kept), how="left", on=["seed", "keep", "entrant"])


def _shares(kept: pd.DataFrame) -> pd.DataFrame:
    """The share of the demonstrations that each entrant keeps in each run."""
    by = ["seed", "keep", "entrant"]
    table = kept.assign(entrant=kept["entrant"].map(merged))
    return table.groupby(by)["kept"].mean().rename("share").reset_index()


def _rows_of_size(runs: pd.DataFrame, every_size: pd.DataFrame) -> Iterator[dict]:
    """The rows of one size of keep."""
    rates = runs.pivot(index="seed", columns="entrant", values="rate")
    entrants, methods = in_order(runs["entrant"]), methods_in(runs["entrant"])
    oracle = _oracle(every_size)
    over_runs = {name: _over_runs(runs[runs["entrant"] == name]) for name in entrants}
    adjusted = holm([over_runs[name]["sign_flip_p"] for name in methods])
    for name, p in zip(methods, adjusted, strict=True):
        over_runs[name]["holm_p"] = p
    shown = letters_of(rates[methods])
    for name in entrants:
        of_each = runs[runs["entrant"] == name].to_dict("records")
        yield from (
            {**row, "seed": str(row["seed"]), "runs": 1, "interval": SINGLE_RUN, "letters": ""} for row in of_each
        )
        gap = float("nan") if name == RANDOM else gap_closed(rates[name], rates[RANDOM], oracle)
        yield {**over_runs[name], "letters": shown.get(name, ""), "gap_closed": gap}


def _over_runs(runs: pd.DataFrame) -> dict:
    """The row of all runs of an entrant at a size."""
    first = runs.iloc[0]
    low, high = np.clip(t_interval(runs["rate"].tolist()), 0, 1)
    is_random = first["entrant"] == RANDOM
    uplift, length = (_interval(runs[name]) for name in ("uplift", "minus_length"))
    return {
        **{name: first[name] for name in ("entrant", "keep")},
        "seed": ALL_RUNS,
        "runs": len(runs),
        **{name: int(runs[name].sum()) for name in ("n", "successes")},
        **{name: runs[name].mean() for name in _MEANS},
        "rate_low": low,
        "rate_high": high,
        "low": uplift.low,
        "high": uplift.high,
        "interval": OVER_RUNS if len(runs) > 1 else SINGLE_RUN,
        "sign_flip_p": float("nan") if is_random else sign_flip_p(runs["uplift"].tolist()),
        "minus_length_low": length.low,
        "minus_length_high": length.high,
        "subsets": runs["subsets"].min(),
    }


_MEANS = ("rate", "random_rate", "uplift", "minus_length", "sd_subsets", "share")


def _interval(values: pd.Series) -> Interval:
    return t_interval(values.dropna().tolist())


def _oracle(runs: pd.DataFrame) -> pd.Series:
    """The oracle's rate in each run; it has a size of its own."""
    rows = runs[(runs["entrant"] == ORACLE) & (runs["keep"] == OWN)]
    return rows.set_index("seed")["rate"]


def gap_closed(rate: pd.Series, random: pd.Series, oracle: pd.Series) -> float:
    """How much of the way from random to the oracle an entrant goes, by means over the runs that have all three.

    Each: rates by run. NaN where there is no such run, or the oracle is no better than random.
    """
    means = pd.concat([rate, random, oracle], axis=1, keys=["rate", "random", "oracle"]).dropna().mean()
    gap = means["oracle"] - means["random"]
    return float((means["rate"] - means["random"]) / gap) if gap > 1e-9 else float("nan")


def letters_of(rates: pd.DataFrame) -> dict[str, str]:
    """The compact letter display of methods; rates: a row a run, a column a method. None where there is but one run."""
    names = list(rates.mean().sort_values(ascending=False, kind="stable").index)
    pairs = list(combinations(names, 2))
    if len(rates) < 2 or not pairs:
        return {}
    adjusted = holm([paired_t_p(rates[one] - rates[other]) for one, other in pairs])
    return letters(names, [pair for pair, p in zip(pairs, adjusted, strict=True) if p < LEVEL])


def paired_t_p(differences: pd.Series) -> float:
    """Two-sided p of the paired t test, from the differences of each run; 1 for fewer than two runs.

    Where all runs differ by the same, p is 0, or 1 where that is nothing.
    Source: Student, Biometrika 6 (1908) 1-25.
    """
    from scipy.stats import ttest_1samp

    values = np.round(differences.dropna().to_numpy(), 12)  # the same difference, whatever the last bits of its rates
    if len(values) < 2:
        return 1.0
    if np.ptp(values) == 0:
        return float(values[0] == 0)
    return float(ttest_1samp(values, 0).pvalue)

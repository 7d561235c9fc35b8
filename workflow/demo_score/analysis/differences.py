"""The table of differences between conditions, paired over the same initial states within each run."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from demo_score.analysis.inputs import ALL_RUNS, CONDITIONS, CONTROLS
from demo_score.analysis.over_runs import (
    OVER_RUNS,
    SINGLE_RUN,
    holm,
    sign_flip_p,
    t_interval,
    two_level_bootstrap,
    variance_split,
)
from demo_score.analysis.statistics import count_pairs, mcnemar_p, paired_difference

DIFFERENCES = [
    "condition",
    "against",
    "seed",
    "runs",
    "n",
    "difference",
    "low",
    "high",
    "interval",
    "sign_flip_p",
    "holm_p",
]
DIFFERENCES += [
    "bootstrap_low",
    "bootstrap_high",
    "sd_runs",
    "sd_starts",
    "only_condition",
    "only_against",
    "mcnemar_p",
]


def difference_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Each condition's success rate minus that of the base, of the random subset, and of its own control.

    Of each run (Newcombe's paired interval, McNemar's test), and of the mean over runs (t interval, sign flips).
    `only_condition` and `only_against` count the starts that one of the two alone solves. A condition that lacks a seed is
    compared over the seeds that both have.
    """
    wide = outcomes.pivot(index=["seed", "episode"], columns="condition", values="success")
    rows = []
    for condition, against in compared_conditions(conditions_of(outcomes)):
        pairs = wide[[condition, against]].dropna().astype(int)
        runs = {str(seed): group for seed, group in pairs.groupby("seed")}
        if runs:
            of_each = [_of_run(seed, group[condition], group[against]) for seed, group in runs.items()]
            both = [
                *of_each,
                _over_runs(of_each, [(group[condition] - group[against]).to_numpy() for group in runs.values()]),
            ]
            rows += [{"condition": condition, "against": against, **row} for row in both]
    return _with_holm(pd.DataFrame(rows, columns=DIFFERENCES))


def compared_conditions(conditions: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of conditions to compare: each with the base, the others with the random subset, each with its own control."""
    own = [against for against in CONTROLS.values() if against != "random"]
    for against in [against for against in ("base", "random", *own) if against in conditions]:
        for condition in conditions:
            if condition not in ("base", against) and (against not in own or CONTROLS.get(condition) == against):
                yield condition, against


def conditions_of(outcomes: pd.DataFrame) -> list[str]:
    """The conditions in a table, in the order of every table and figure."""
    present = set(outcomes["condition"])
    return [condition for condition in CONDITIONS if condition in present]


def _of_run(seed: str, condition: pd.Series, against: pd.Series) -> dict:
    _, only_condition, only_against, _ = count_pairs(condition, against)
    discordant = {"only_condition": only_condition, "only_against": only_against}
    interval = {**paired_difference(condition, against)._asdict(), "interval": "newcombe"}
    return {
        "seed": seed,
        "runs": 1,
        "n": len(condition),
        **interval,
        **discordant,
        "mcnemar_p": mcnemar_p(*discordant.values()),
    }


def _over_runs(of_each: list[dict], paired: list[np.ndarray]) -> dict:
    """The row of all runs; `of_each`: their rows, `paired`: the paired differences (n,) of each run's starts."""
    values = [row["difference"] for row in of_each]
    low, high = t_interval(values)
    bootstrap, spread = two_level_bootstrap(paired), variance_split(paired)
    return {
        "seed": ALL_RUNS,
        "runs": len(values),
        "difference": float(np.mean(values)),
        "low": low,
        "high": high,
        "interval": OVER_RUNS if len(values) > 1 else SINGLE_RUN,
        "sign_flip_p": sign_flip_p(values),
        "bootstrap_low": bootstrap.low,
        "bootstrap_high": bootstrap.high,
        "sd_runs": spread.runs,
        "sd_starts": spread.starts,
        **{name: sum(row[name] for row in of_each) for name in ("n", "only_condition", "only_against")},
    }


def _with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """`holm_p` for all arms that are compared with the same one."""
    for _, rows in table[table["seed"] == ALL_RUNS].groupby("against"):
        table.loc[rows.index, "holm_p"] = holm(rows["sign_flip_p"].tolist())
    return table

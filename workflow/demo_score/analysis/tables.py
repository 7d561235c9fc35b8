"""The tables of an experiment, each small enough to read; rates are fractions in 0..1 with 95% intervals.

A row of one seed tells of that run alone; the row ALL_RUNS of the mean over runs, with an interval over runs.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from demo_score.analysis.detection import detection_table
from demo_score.analysis.differences import conditions_of, difference_table
from demo_score.analysis.inputs import (
    CLASSIFIER_KEYS,
    count_problems,
    read_classifiers,
    read_evaluations,
    read_rollouts,
    read_scores,
)
from demo_score.analysis.over_runs import OVER_RUNS, SINGLE_RUN, t_interval
from demo_score.analysis.statistics import wilson_interval
from demo_score.analysis.summary import summarise
from demo_score.runtime.files import check_writable, write_text
from demo_score.tables import ALL_RUNS, ARCHITECTURES, CHECKPOINTS, KEPT, SUCCESS, TABLES

LENGTHS = [name for name in KEPT.columns if "_length_" in name]


def make_tables(
    evaluations: list[Path],
    rollouts: list[Path],
    scores: list[Path],
    classifiers: list[Path],
    out: Path,
    problems: Path | None = None,
    oracle: list[str] | None = None,
    architectures: list[Path] | None = None,
) -> str:
    """Write success, differences, checkpoints, kept, detection, classifiers, architectures (.csv), summary.md to `out`.

    Returns the summary. Without `evaluations` there is no success and no differences; without `oracle`, the strategies
    that the oracle keeps, no detection; without `architectures`, the tables of each run (none where its sweep has but
    one), no architectures. `problems`: what was wrong with user-supplied data. Raises UserError for inputs that are
    missing, damaged, or not paired over the same starts.
    """
    check_writable(out, folder=True)
    scored = read_scores(scores)
    tables = {
        "checkpoints": checkpoint_table(read_rollouts(rollouts)),
        "kept": kept_table(scored),
        "classifiers": read_classifiers(classifiers)[["seed", *CLASSIFIER_KEYS]],
    }
    if architectures is not None:
        tables["architectures"] = architecture_table(architectures)
    if oracle is not None:
        tables["detection"] = detection_table(scored, oracle)
    if evaluations:
        outcomes = read_evaluations(evaluations)
        tables |= {"success": success_table(outcomes), "differences": difference_table(outcomes)}
    for name, table in tables.items():
        TABLES[name].write(out / f"{name}.csv", table)
    summary = summarise(tables, count_problems(problems))
    write_text(out / "summary.md", summary)
    return summary


def success_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Success rate of each condition in each run (Wilson interval), and the mean over its runs (t interval)."""
    rows = []
    for condition in conditions_of(outcomes):
        runs = [
            {**_rate(seed, group["success"], "successes", "rate"), "mean_max_reward": group["max_reward"].mean()}
            for seed, group in outcomes[outcomes["condition"] == condition].groupby("seed")
        ]
        reward = float(np.mean([run["mean_max_reward"] for run in runs]))  # NaN where a run does not tell
        over_runs = {**_over_runs(runs, "successes", "rate"), "mean_max_reward": reward}
        rows += [{"condition": condition, **row} for row in [*runs, over_runs]]
    return SUCCESS.frame(rows)


def checkpoint_table(rollouts: pd.DataFrame) -> pd.DataFrame:
    """Success rate of each checkpoint with rollouts, the base policy's and others': of each run, then over runs."""
    rows = [
        {"condition": condition, "step": step, **_rate(seed, group["success"], "successes", "rate")}
        for (seed, condition, step), group in rollouts.groupby(["seed", "condition", "step"])
    ]
    over_runs = [
        {"condition": condition, "step": step, **_over_runs(group.to_dict("records"), "successes", "rate")}
        for (condition, step), group in pd.DataFrame(rows).groupby(["condition", "step"])
    ]
    return CHECKPOINTS.frame([*rows, *over_runs])


def kept_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Share of the episodes kept, by kind and actor ("all": together), and lengths in control steps.

    Of each run; then counts of all runs together, with the means over runs of their shares and lengths.
    """
    everything = pd.concat([scores, scores.assign(actor="all")])
    rows = [
        {"kind": kind, "actor": actor, **_rate(seed, group["kept"], "kept", "fraction"), **_lengths(group)}
        for (seed, kind, actor), group in everything.groupby(["seed", "kind", "actor"])
    ]
    over_runs = []
    for (kind, actor), group in pd.DataFrame(rows).groupby(["kind", "actor"]):
        runs = group.to_dict("records")
        lengths = group[LENGTHS].mean().to_dict()
        over_runs.append({"kind": kind, "actor": actor, **_over_runs(runs, "kept", "fraction"), **lengths})
    return KEPT.frame(pd.DataFrame([*rows, *over_runs]).drop(columns="runs"))


def architecture_table(paths: list[Path]) -> pd.DataFrame:
    """The architectures of each run's sweep, then of all: counts in all, means of the areas; empty without `paths`."""
    if not paths:
        return ARCHITECTURES.frame([])
    runs = pd.concat([ARCHITECTURES.read(path) for path in paths]).sort_values(["seed", "model_arch"])
    how = dict.fromkeys(("n", "kept", "positive", "positive_kept"), "sum") | {"cross_val_auc": "mean", "auc": "mean"}
    over_runs = runs.groupby(["model_arch", "inputs"], as_index=False, sort=False).agg(how)
    return ARCHITECTURES.frame(pd.concat([runs, over_runs.assign(seed=ALL_RUNS)]).astype({"member": "Int64"}))


def _rate(seed: object, hits: pd.Series, count_name: str, rate_name: str) -> dict:
    count, n = int(hits.sum()), len(hits)
    limits = wilson_interval(count, n)._asdict()
    return {
        "seed": str(seed),
        "runs": 1,
        "n": n,
        count_name: count,
        rate_name: count / n,
        **limits,
        "interval": "wilson",
    }


def _over_runs(runs: list[dict], count_name: str, rate_name: str) -> dict:
    """The row of all runs from those of each: counts in all, the mean of the rates, its t interval within 0..1."""
    rates = [run[rate_name] for run in runs]
    low, high = np.clip(t_interval(rates), 0, 1)
    return {
        "seed": ALL_RUNS,
        "runs": len(runs),
        **{name: sum(run[name] for run in runs) for name in ("n", count_name)},
        rate_name: float(np.mean(rates)),
        "low": low,
        "high": high,
        "interval": OVER_RUNS if len(runs) > 1 else SINGLE_RUN,
    }


def _lengths(group: pd.DataFrame) -> dict:
    lengths = {}
    for name, chosen in (("kept", group["kept"] == 1), ("dropped", group["kept"] == 0)):
        of_these = group.loc[chosen, "length"]
        lengths |= {f"median_length_{name}": of_these.median(), f"mean_length_{name}": of_these.mean()}
    return lengths

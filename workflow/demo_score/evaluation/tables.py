"""The tables of an experiment, each small enough to read; rates are fractions in 0..1 with 95% intervals."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from demo_score.evaluation.inputs import (
    ARMS,
    CLASSIFIER_KEYS,
    POOLED,
    count_problems,
    read_classifiers,
    read_evaluations,
    read_rollouts,
    read_scores,
)
from demo_score.evaluation.statistics import count_pairs, mcnemar_p, paired_difference, wilson_interval
from demo_score.evaluation.summary import summarise
from demo_score.files import write_text

REFERENCES = ("base", "random")  # the arms that every other arm is compared with


def make_tables(
    evaluations: list[Path],
    rollouts: list[Path],
    scores: list[Path],
    classifiers: list[Path],
    out: Path,
    problems: Path | None = None,
) -> str:
    """Write success, differences, checkpoints, kept, classifiers (.csv) and summary.md to `out`; return the summary.

    Without `evaluations` there is no success and no differences. `problems`: what was wrong with given data. Raises
    UserError for inputs that are missing, damaged, or not paired over the same starts.
    """
    tables = {
        "checkpoints": checkpoint_table(read_rollouts(rollouts)),
        "kept": kept_table(read_scores(scores)),
        "classifiers": read_classifiers(classifiers)[["seed", *CLASSIFIER_KEYS]],
    }
    if evaluations:
        outcomes = read_evaluations(evaluations)
        tables |= {"success": success_table(outcomes), "differences": difference_table(outcomes)}
    for name, table in tables.items():
        write_text(out / f"{name}.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    summary = summarise(tables, count_problems(problems))
    write_text(out / "summary.md", summary)
    return summary


def success_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Success rate of each arm with its Wilson interval, by seed and pooled over all episodes."""
    rows = []
    for arm in _arms(outcomes):
        for seed, group in _by_seed(outcomes[outcomes["arm"] == arm]):
            rows.append({"arm": arm, "seed": seed, **_rate(group["success"], "successes", "rate")})
    return pd.DataFrame(rows)


def difference_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Each arm's success rate minus that of the base and of the random subset, paired over the same starts.

    `only_arm` and `only_against` count the starts that one of the two alone solves. An arm that lacks
    a seed is compared over the seeds that both have.
    """
    wide = outcomes.pivot(index=["seed", "episode"], columns="arm", values="success")
    arms = _arms(outcomes)
    rows = []
    for against in (arm for arm in REFERENCES if arm in arms):
        for arm in (arm for arm in arms if arm != against):
            pairs = wide[[arm, against]].dropna().astype(int).reset_index()
            for seed, group in _by_seed(pairs):
                rows.append({"arm": arm, "against": against, "seed": seed, **_difference(group[arm], group[against])})
    return pd.DataFrame(rows)


def checkpoint_table(rollouts: pd.DataFrame) -> pd.DataFrame:
    """Success rate of each checkpoint that was tried, the base policy's and others', with its Wilson interval."""
    rows = [
        {"seed": seed, "arm": arm, "step": step, **_rate(group["success"], "successes", "rate")}
        for (seed, arm, step), group in rollouts.groupby(["seed", "arm", "step"])
    ]
    return pd.DataFrame(rows)


def kept_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Share of the episodes kept, by kind and source ("all": together), and lengths in control steps."""
    everything = pd.concat([scores, scores.assign(source="all")])
    rows = []
    for (seed, kind, source), group in everything.groupby(["seed", "kind", "source"]):
        row = {"seed": seed, "kind": kind, "source": source, **_rate(group["kept"], "kept", "fraction")}
        for name, chosen in (("kept", group["kept"] == 1), ("dropped", group["kept"] == 0)):
            lengths = group.loc[chosen, "length"]
            row |= {f"median_length_{name}": lengths.median(), f"mean_length_{name}": lengths.mean()}
        rows.append(row)
    return pd.DataFrame(rows)


def _rate(hits: pd.Series, count_name: str, rate_name: str) -> dict:
    count, n = int(hits.sum()), len(hits)
    low, high = wilson_interval(count, n)
    return {"n": n, count_name: count, rate_name: count / n, "low": low, "high": high}


def _difference(arm: pd.Series, against: pd.Series) -> dict:
    _, only_arm, only_against, _ = count_pairs(arm, against)
    discordant = {"only_arm": only_arm, "only_against": only_against}
    interval = paired_difference(arm, against)._asdict()
    return {"n": len(arm), **interval, **discordant, "mcnemar_p": mcnemar_p(only_arm, only_against)}


def _arms(outcomes: pd.DataFrame) -> list[str]:
    present = set(outcomes["arm"])
    return [arm for arm in ARMS if arm in present]


def _by_seed(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each seed, then all of them as POOLED; nothing for an empty table."""
    for seed, group in table.groupby("seed"):
        yield str(seed), group
    if len(table):
        yield POOLED, table

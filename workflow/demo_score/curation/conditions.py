"""The conditions of the comparison: which episodes each of the final policies trains on.

Besides the curated sets: for each of them as many episodes drawn at random from what it was chosen from, a subset
matched in length where lengths differ (many a curation metric only finds short episodes, arXiv 2606.10229), and the
oracle, which knows the strategies.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from demo_score.analysis.inputs import read_columns
from demo_score.data.lists import Selection
from demo_score.runtime.errors import UserError

COLUMNS = ["kind", "file", "episode", "length", "source", "success", "kept"]  # of scores.csv that decide


def choose_episodes(condition: str, scores: Path, seed: int, oracle: list[str]) -> Selection:
    """The episodes of `condition`, from the table that apply_filter writes.

    Raises UserError for an unknown condition, and where the filter left nothing to compare: it kept no
    demonstration, or all of them.
    """
    if condition not in CONDITIONS:
        raise UserError(f"no condition {condition}; choose from {', '.join(CONDITIONS)}")
    table = _read_scores(scores)
    demonstrations = table[table["kind"] == "demonstration"]
    if condition != "oracle":
        _check_kept(demonstrations, scores)
    generator = np.random.default_rng(seed)
    chosen = CONDITIONS[condition](table, demonstrations, generator, oracle)
    if chosen.empty:
        raise UserError(
            f"condition {condition}: no episode to train on; set final_policy.oracle to strategies that exist"
        )
    return selection_of(chosen.sort_index(), scores.parent)


def _read_scores(path: Path) -> pd.DataFrame:
    """A table of scores. Raises UserError for another one."""
    table = read_columns(path, COLUMNS, as_texts=["file", "source"])
    whole = all(pd.api.types.is_integer_dtype(table[name]) for name in ("episode", "length", "kept"))
    kinds = table["kind"].isin(["demonstration", "rollout"]).all()
    if not (whole and kinds and table["kept"].isin([0, 1]).all()):
        raise UserError(f"{path}: not a table of scores; --scores takes scores.csv as apply_filter.py writes it")
    return table


def kept_demonstrations(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a scores table that the filter leaves of the demonstrations."""
    return table[(table["kind"] == "demonstration") & (table["kept"] == 1)]


def kept_episodes(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that it leaves of demonstrations and rollouts."""
    return table[table["kept"] == 1]


def selection_of(rows: pd.DataFrame, folder: Path = Path()) -> Selection:
    """The episodes of some rows, whose files lie relative to `folder`."""
    files = rows.groupby("file", sort=False)["episode"]
    return {folder / file: sorted(int(episode) for episode in episodes) for file, episodes in files}


def _check_kept(demonstrations: pd.DataFrame, scores: Path) -> None:
    kept, total = int(demonstrations["kept"].sum()), len(demonstrations)
    if kept in (0, total):
        what = "none" if kept == 0 else "every one"
        raise UserError(
            f"{scores}: the filter kept {what} of {total} demonstrations, so that training on its choice would show "
            "nothing; see the classifier's cross_val_auc, and change classifiers or demo_score in config.yaml"
        )


def _curated_demos(table, demonstrations, generator, oracle) -> pd.DataFrame:
    return kept_demonstrations(table)


def _curated_rollouts_plus_demos(table, demonstrations, generator, oracle) -> pd.DataFrame:
    return kept_episodes(table)


def _random(table, demonstrations, generator, oracle) -> pd.DataFrame:
    return demonstrations.iloc[generator.permutation(len(demonstrations))[: demonstrations["kept"].sum()]]


def _random_rollouts_plus_demos(table, demonstrations, generator, oracle) -> pd.DataFrame:
    """Of all demonstrations and all successful rollouts, the failed ones left out as they are by the filter."""
    pool = table[(table["kind"] == "demonstration") | (table["success"] == 1)]
    return pool.iloc[generator.permutation(len(pool))[: table["kept"].sum()]]


def _length_matched(table, demonstrations, generator, oracle) -> pd.DataFrame:
    """At random, but as many from each fifth of the lengths as the filter kept from it (fewer parts where they tie)."""
    shuffled = demonstrations.iloc[generator.permutation(len(demonstrations))]
    limits = np.unique(shuffled["length"].quantile([0.2, 0.4, 0.6, 0.8]))
    fifths = np.searchsorted(limits, shuffled["length"])
    chosen = [rows[: rows["kept"].sum()] for _, rows in shuffled.groupby(fifths)]
    return pd.concat(chosen)


def _oracle(table, demonstrations, generator, oracle) -> pd.DataFrame:
    return demonstrations[demonstrations["source"].isin(oracle)]


CONDITIONS = {
    "curated_demos": _curated_demos,
    "curated_rollouts_plus_demos": _curated_rollouts_plus_demos,
    "random": _random,
    "random_rollouts_plus_demos": _random_rollouts_plus_demos,
    "length_matched": _length_matched,
    "oracle": _oracle,
}

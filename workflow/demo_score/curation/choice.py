"""The episodes that a condition of the comparison trains on, from the scores of the filter."""

from pathlib import Path

import numpy as np
import pandas as pd

from demo_score.conditions import CONDITIONS, FINAL, Pool
from demo_score.data.lists import Selection
from demo_score.runtime.errors import UserError
from demo_score.tables import SCORES

ADVICE = "see the classifier's cross_val_auc, and change classifiers or demo_score in config.yaml"


def choose_episodes(condition: str, scores: Path, seed: int, oracle: list[str]) -> Selection:
    """The episodes of `condition`, from the table that apply_filter writes.

    Raises UserError for an unknown condition, and where the filter left nothing to compare: it kept no
    demonstration, or all of them.
    """
    if condition not in FINAL:
        raise UserError(f"no condition {condition}; choose from {', '.join(FINAL)}")
    pool = Pool(_read_scores(scores), np.random.default_rng(seed), oracle)
    if condition != "oracle" and (problem := trivial_choice(pool.demonstrations)):
        raise UserError(f"{scores}: {problem}")
    chosen = CONDITIONS[condition].choose(pool)
    if chosen.empty:
        raise UserError(
            f"condition {condition}: no episode to train on; set final_policy.oracle to strategies that exist"
        )
    return selection_of(chosen.sort_index(), scores.parent)


def trivial_choice(demonstrations: pd.DataFrame) -> str | None:
    """What to say where the filter keeps none or all of the demonstrations, which are rows of a table of scores."""
    kept, total = int(demonstrations["kept"].sum()), len(demonstrations)
    if kept not in (0, total):
        return None
    what = "none" if kept == 0 else "every one"
    return (
        f"the filter kept {what} of {total} demonstrations, so that training on its choice would show nothing; {ADVICE}"
    )


def selection_of(rows: pd.DataFrame, folder: Path = Path()) -> Selection:
    """The episodes of some rows, whose files lie relative to `folder`."""
    files = rows.groupby("file", sort=False)["episode"]
    return {folder / file: sorted(int(episode) for episode in episodes) for file, episodes in files}


def _read_scores(path: Path) -> pd.DataFrame:
    table = SCORES.read(path, ["kind", "file", "episode", "length", "actor", "success", "kept"])
    if not table["kind"].isin(["demonstration", "rollout"]).all():
        raise UserError(f"{path}: not a table of scores; --scores takes scores.csv as apply_filter.py writes it")
    return table

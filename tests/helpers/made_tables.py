"""Small tables with outcomes and scores that tests choose, and the row that they look at."""

from pathlib import Path

import pandas as pd
from synthetic_results import write_table

SCORED = [  # kind, source, length, kept
    ("demonstration", "reliable", 100, 1),
    ("demonstration", "reliable", 110, 1),
    ("demonstration", "reliable", 180, 1),
    ("demonstration", "", 200, 0),
    ("demonstration", "", 300, 1),
    ("rollout", "003000", 400, 0),
]


def outcomes(root: Path, seed: int, condition: str, success: str, first_start: int = 0, **columns) -> Path:
    """An evaluation.csv whose episodes succeed as the digits of `success` say."""
    path = root / f"seed{seed}/{condition}/evaluation.csv"
    return outcomes_file(path, success, first_start, seed=seed, condition=condition, **columns)


def outcomes_file(path: Path, success: str, first_start: int = 0, **columns) -> Path:
    """The same at any path; `columns` are other values of all rows."""
    starts = range(first_start, first_start + len(success))
    table = pd.DataFrame({"start_seed": starts, "success": [int(digit) for digit in success], "length": 100})
    of_all = {"seed": 1, "condition": "base", "step": 500, "max_reward": None, **columns}
    return write_table(path, table.assign(**of_all))


def scores_file(root: Path, seed: int = 1, rows: list[tuple] = SCORED) -> Path:
    """A scores.csv with these rows."""
    table = pd.DataFrame(rows, columns=["kind", "actor", "length", "kept"])
    table = table.assign(seed=seed, score=0.5, episode=range(len(table)))
    return write_table(root / f"seed{seed}/demo_score/scores.csv", table)


def architectures_file(root: Path, seed: int, rows: dict[str, tuple]) -> Path:
    """An architectures.csv of a run; rows: name -> inputs, held-out AUC, AUC, n, kept, positive, kept of these."""
    names = ["inputs", "cross_val_auc", "auc", "n", "kept", "positive", "positive_kept"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("model_arch").reset_index()
    table = table.assign(seed=seed, member=0)
    return write_table(root / f"seed{seed}/demo_score/architectures.csv", table)


def row(table: pd.DataFrame, **values) -> pd.Series:
    """The one row of a table with these values."""
    chosen = table[(table[list(values)] == pd.Series(values)).all(axis=1)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def arguments(paths: dict[str, list[Path]], out: Path) -> dict:
    """Those of make_tables, from what synthetic_results writes."""
    return {name: paths[name] for name in ("evaluations", "rollouts", "scores", "classifiers")} | {"out": out}

"""Read the files of an arena that its tables are made of."""

import os
from pathlib import Path

import pandas as pd

from demo_score.analysis.arena.order import merged
from demo_score.analysis.inputs import of_a_run, paired
from demo_score.entrants import OWN
from demo_score.runtime.errors import UserError
from demo_score.tables import ARENA_COSTS, ARENA_KEPT, ARENA_SCORES, OUTCOMES, Table

DEMONSTRATION = ["seed", "file", "episode"]  # what names one; files as they lie from the working folder


def read_evaluations(paths: list[Path]) -> pd.DataFrame:
    """Every episode of the arena's policies: seed, keep, entrant, choice (random_1), start_seed, success, episode.

    Raises UserError for a size of keep that is none, a policy that comes twice, other starts in a run, and for a run
    and size without a random choice to compare with.
    """
    parts = [(path, part) for path in paths for part in _parts(_read_evaluation(path), ["keep", "choice"])]
    table = paired(parts, ["keep", "choice"], "entrant and size")
    table["entrant"] = table["choice"].map(merged)
    for (seed, keep), rows in table.groupby(["seed", "keep"]):
        if "random" not in set(rows["entrant"]):
            raise UserError(
                f"seed {seed}: no random choice of size {keep}, which all others are compared with; give the "
                f"evaluation.csv of seed{seed}/arena/{keep}/random_1"
            )
    return table


def read_scores(paths: list[Path]) -> pd.DataFrame:
    """Every score: the columns of ARENA_SCORES.

    Raises UserError for a method that comes twice in a run, and for other demonstrations than another method's.
    """
    return _together(paths, ARENA_SCORES, ["method"])


def read_kept(paths: list[Path]) -> pd.DataFrame:
    """What every entrant keeps: the columns of ARENA_KEPT. Raises UserError as `read_scores` does."""
    return _together(paths, ARENA_KEPT, ["keep", "entrant"])


def read_costs(paths: list[Path]) -> pd.DataFrame:
    """What every method costs in every run. Raises UserError where a method comes twice in a run."""
    table = pd.concat([of_a_run(path, ARENA_COSTS.read(path, empty=True)) for path in paths], ignore_index=True)
    if (twice := table.duplicated(["seed", "method"])).any():
        row = table[twice].iloc[0]
        raise UserError(f"costs of {row['method']} in run {row['seed']} are given twice; give costs.csv once a run")
    return table


def check_same_demonstrations(scores: pd.DataFrame, kept: pd.DataFrame) -> None:
    """Raise UserError where what was kept in a run is not of the demonstrations that were scored in it."""
    scored = dict(iter(scores.groupby("seed")))
    for seed, rows in kept.groupby("seed"):
        if seed in scored and _demonstrations(rows) != _demonstrations(scored[seed]):
            raise UserError(
                f"seed {seed}: kept.csv and scores tell of different demonstrations; make seed{seed}/arena again"
            )


def _read_evaluation(path: Path) -> pd.DataFrame:
    names = ["seed", "condition", "keep", "start_seed", "success"]
    table = of_a_run(path, OUTCOMES.read(path, names)).rename(columns={"condition": "choice"})
    if (table["choice"] == "").any():
        raise UserError(f"{path}: names no entrant; make it with --condition ENTRANT")
    if wrong := [keep for keep in table["keep"].unique() if keep != OWN and not keep.isdecimal()]:
        raise UserError(f"{path}: its size of keep is {wrong[0]!r}; make it with --keep {OWN}, or a percentage")
    return table


def _parts(table: pd.DataFrame, of: list[str]) -> list[pd.DataFrame]:
    """The rows of each run and value of the columns `of`, which files may hold apart or together."""
    return [part.reset_index(drop=True) for _, part in table.groupby(["seed", *of], sort=False)]


def _together(paths: list[Path], kind: Table, of: list[str]) -> pd.DataFrame:
    """Tables of all demonstrations of a run for each value of the columns `of`."""
    frames, first = {}, {}
    for path in paths:
        table = of_a_run(path, kind.read(path))
        table["file"] = [os.path.normpath(path.parent / file) for file in table["file"]]
        for part in _parts(table, of):
            key = tuple(part[["seed", *of]].iloc[0])
            if key in frames:
                raise UserError(f"{path}: {' '.join(key[1:])} of run {key[0]} is in another file, too; give it once")
            other, demonstrations = first.setdefault(key[0], (path, _demonstrations(part)))
            if _demonstrations(part) != demonstrations:
                raise UserError(f"{path}: tells of other demonstrations than {other}; make it again")
            frames[key] = part
    return pd.concat([frames[key] for key in sorted(frames)], ignore_index=True)


def _demonstrations(table: pd.DataFrame) -> set[tuple]:
    return set(table[DEMONSTRATION].itertuples(index=False, name=None))

"""Scores that some other program made: a table with the columns demonstrations, episode, score, and seed if need be."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from demo_score.arena.scoring import read_demonstrations, write_scores
from demo_score.data.lists import read_entry_episodes
from demo_score.runtime.errors import UserError
from demo_score.tables import EXTERNAL_SCORES
from demo_score.tables.schema import header

_KEY = ["demonstrations", "episode"]


def take_external_scores(method: str, path: Path, demonstrations: Path, names: list[str], seed: int, out: Path) -> int:
    """Write the scores of the table `path` for the run `seed`, and return of how many demonstrations.

    `names`: what config.yaml calls each data set, in the order in which `demonstrations` lists them. Raises UserError
    for demonstrations that have no score, two, or one that is no number, and for scores of what there is not.
    """
    entries = read_demonstrations(demonstrations)
    files = list(dict.fromkeys(entry.file for entry in entries))
    if len(files) != len(names):
        raise UserError(f"{demonstrations}: lists {len(files)} data sets, not {len(names)}; name each with --names")
    called = dict(zip(files, names, strict=True))
    scores = _read(path, seed)
    wanted = [(called[entry.file], entry.episode) for entry in entries]
    if unknown := [key for key in scores if key not in {*wanted}]:
        known = [f"{name} {', '.join(_ranges(episode for of, episode in wanted if of == name))}" for name in names]
        raise UserError(f"{path}: {_place(unknown[0])} is no demonstration; there are {'; '.join(known)}")
    if missing := [key for key in wanted if key not in scores]:
        raise UserError(f"{path}: has no score of {_place(missing[0])}{_more(missing)}; give every demonstration one")
    episodes = list(read_entry_episodes(entries, []))
    write_scores(out, method, seed, entries, episodes, [scores[key] for key in wanted])
    return len(entries)


def _read(path: Path, seed: int) -> dict[tuple[str, int], float]:
    """Demonstrations' name and episode -> score."""
    columns = [name for name in EXTERNAL_SCORES.columns if name != "seed"]
    table = EXTERNAL_SCORES.read(path, columns)
    if "seed" in header(path):
        seeds = EXTERNAL_SCORES.read(path, ["seed"])["seed"]
        table = table[seeds == seed]
        if table.empty:
            raise UserError(f"{path}: has no score for the run {seed}; give each seed its scores, or leave seed out")
    if (lacking := table["score"].isna()).any():
        row = table[lacking].iloc[0]
        raise UserError(
            f"{path}: the score of {_place((row['demonstrations'], row['episode']))} is no number; give one"
        )
    if (twice := table.duplicated(_KEY)).any():
        row = table[twice].iloc[0]
        raise UserError(f"{path}: {_place((row['demonstrations'], row['episode']))} is there twice; remove one")
    return _as_dict(table)


def _as_dict(table: pd.DataFrame) -> dict[tuple[str, int], float]:
    keys = zip(table["demonstrations"], table["episode"].astype(int), strict=True)
    return dict(zip(keys, table["score"].astype(float), strict=True))


def _place(key: tuple[str, int]) -> str:
    return f"{key[0]} episode {key[1]:.0f}"


def _ranges(episodes: Iterable[int]) -> list[str]:
    """Numbers in short: 0 to 3, 5."""
    runs: list[list[int]] = []
    for episode in sorted(episodes):
        if runs and episode == runs[-1][-1] + 1:
            runs[-1].append(episode)
        else:
            runs.append([episode])
    return [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]


def _more(missing: list) -> str:
    return f" and {len(missing) - 1} more" if len(missing) > 1 else ""

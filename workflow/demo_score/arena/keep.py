"""What an entrant of the arena keeps: the demonstrations with the highest scores, or those of a control."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from demo_score.conditions import CONDITIONS, Pool
from demo_score.curation.choice import selection_of, trivial_choice
from demo_score.data.lists import Selection, write_list
from demo_score.entrants import ALL, ORACLE, OWN, control_of
from demo_score.runtime.errors import UserError
from demo_score.tables import ARENA_KEPT, ARENA_SCORES, SCORES


def keep_demonstrations(
    entrant: str,
    keep: str,
    filter_scores: Path,
    scores: Path | None,
    oracle: list[str],
    seed: int,
    kept: Path,
    out: Path,
    own_percent: int | None = None,
) -> int:
    """Write which demonstrations an entrant keeps (`kept`), and their list (`out`); return how many.

    keep: OWN, as many as the filter kept in `filter_scores` or `own_percent`, or a percentage. scores: of a method; a
    control has none.
    Demonstrations of the same score are taken in an order drawn from `seed`. Raises UserError where none or all
    would be kept, but for ALL.
    """
    table = SCORES.read(filter_scores, ["kind", "file", "episode", "length", "actor", "success", "score", "kept"])
    table = table[table["kind"] == "demonstration"].reset_index(drop=True)
    percent = own_percent if keep == OWN else int(keep)
    n = _kept_by_filter(table, filter_scores) if percent is None else round(percent / 100 * len(table))
    generator = np.random.default_rng([seed, *entrant.encode()])
    if control_of(entrant):
        chosen = _of_control(control_of(entrant), table, n, oracle, generator)
    else:
        if scores is None:
            raise UserError(f"{entrant}: is a method; give its --scores")
        chosen = highest(_aligned(scores, table, filter_scores), n, generator)
    if not len(chosen):
        raise UserError(f"{entrant}: keeps no demonstration; set final_policy.oracle to strategies that exist")
    flags = table.index.isin(chosen).astype(int)
    ARENA_KEPT.write(kept, _rows(table, flags, entrant, keep, seed, filter_scores, kept))
    write_list(out, _selection(table[flags == 1], filter_scores))
    return int(flags.sum())


def highest(scores: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
    """The positions of the `n` highest of `scores`; ties in a random order, so that none depends on the files'."""
    shuffled = generator.permutation(len(scores))
    return np.sort(shuffled[np.argsort(-scores[shuffled], kind="stable")[:n]])


def _kept_by_filter(table: pd.DataFrame, path: Path) -> int:
    if problem := trivial_choice(table):
        raise UserError(f"{path}: {problem}; or set arena.own_percent")
    return int(table["kept"].sum())


def _of_control(
    control: str, table: pd.DataFrame, n: int, oracle: list[str], generator: np.random.Generator
) -> np.ndarray:
    """The positions that a control keeps; where it goes by what Demo-SCORE keeps, these are its `n` highest scores."""
    if control == ALL:
        return np.arange(len(table))
    kept = np.isin(np.arange(len(table)), highest(table["score"].to_numpy(), n, generator)).astype(int)
    pool = Pool(table.assign(kept=kept), generator, oracle)
    return CONDITIONS[ORACLE if control == ORACLE else control].choose(pool).index.to_numpy()


def _aligned(path: Path, table: pd.DataFrame, filter_scores: Path) -> np.ndarray:
    """The scores of a method in the order of `table`. Raises UserError where they are of other demonstrations."""
    scores = ARENA_SCORES.read(path, ["file", "episode", "score"])
    keys = [(_resolved(path, file), episode) for file, episode in zip(scores["file"], scores["episode"], strict=True)]
    found = dict(zip(keys, scores["score"], strict=True))
    places = zip(table["file"], table["episode"], strict=True)
    wanted = [(_resolved(filter_scores, file), episode) for file, episode in places]
    if {*wanted} != {*found}:
        raise UserError(f"{path}: scores other demonstrations than {filter_scores}; make it again")
    return np.array([found[key] for key in wanted])


def _resolved(table: Path, file: str) -> Path:
    return (table.parent / file).resolve()


def _rows(
    table: pd.DataFrame, flags: np.ndarray, entrant: str, keep: str, seed: int, filter_scores: Path, out: Path
) -> pd.DataFrame:
    folder = out.resolve().parent
    files = [Path(os.path.relpath(_resolved(filter_scores, file), folder)).as_posix() for file in table["file"]]
    return table[["episode"]].assign(seed=seed, entrant=entrant, keep=keep, file=files, kept=flags)


def _selection(rows: pd.DataFrame, filter_scores: Path) -> Selection:
    return selection_of(rows, filter_scores.parent)

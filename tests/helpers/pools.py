"""A pool of scored demonstrations for the arena: two strategies in two files, and what the filter made of them."""

from pathlib import Path

import pandas as pd
from conftest import random_episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import write_list
from demo_score.tables import ARENA_SCORES, SCORES

N = 6  # demonstrations of each strategy
NAMES = ["good", "bad"]


def make_pool(folder: Path) -> Path:
    """The list of all demonstrations; the files hold N each, of lengths 10, 11, ..."""
    for name in NAMES:
        episodes = [random_episode(10 + k, seed=k, strategy=name, success=True) for k in range(N)]
        write_episodes(folder / f"{name}.hdf5", episodes, {"env_name": "none", "fps": 10})
    write_list(folder / "all.txt", {folder / f"{name}.hdf5": list(range(N)) for name in NAMES})
    return folder / "all.txt"


def filter_scores(folder: Path, kept: int) -> Path:
    """The filter's table: the first `kept` of the good demonstrations score highest, and are kept."""
    rows = [
        {
            "seed": 7,
            "kind": "demonstration",
            "file": f"{name}.hdf5",
            "episode": k,
            "length": 10 + k,
            "actor": name,
            "success": 1,
            "score": 0.9 - k / 100 - (name == "bad") / 2,
            "kept": int(name == "good" and k < kept),
            "reason": "",
        }
        for name in NAMES
        for k in range(N)
    ]
    SCORES.write(folder / "scores.csv", pd.DataFrame(rows))
    return folder / "scores.csv"


def method_scores(folder: Path, scores: list[float]) -> Path:
    """The scores of a method: of the good demonstrations, then of the bad ones."""
    rows = [
        {
            "seed": 7,
            "method": "mine",
            "file": f"{name}.hdf5",
            "episode": k,
            "length": 10 + k,
            "actor": name,
            "score": scores[number * N + k],
        }
        for number, name in enumerate(NAMES)
        for k in range(N)
    ]
    ARENA_SCORES.write(folder / "mine.csv", rows)
    return folder / "mine.csv"

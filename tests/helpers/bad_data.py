"""Data sets of each format, what spoils them, and the problems that are found in them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
from conftest import one_line_error, random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import write_episodes
from demo_score.ingest.problems import Part, find_problems, settle
from lerobot_fixture import write_lerobot
from pyarrow import parquet

STATE, IMAGE = "observation.state", "observation.image"
LEROBOT = ["v2.1", "v3.0"]
HDF5 = ["robomimic", "aloha"]
NAMES = {STATE: {"robomimic": "obs/state", "aloha": "observations/qpos"}}
NAMES["action"] = {"robomimic": "actions", "aloha": "action"}
Change = Callable[[np.ndarray], np.ndarray]


def written(folder: Path, kind: str, episodes: list[Episode] | None = None, **options) -> Path:
    """A data set of 4 episodes, or of `episodes`."""
    folder = folder / f"my {kind}"
    if kind in LEROBOT:
        return write_lerobot(folder, kind, 4, **{"images": {IMAGE: (48, 64)}, **options})
    episodes = episodes or [random_episode(6, seed) for seed in range(4)]
    if kind == "aloha":
        write_aloha(folder, episodes)
        return folder
    write_episodes(folder / "data.hdf5", episodes, {})
    return folder / "data.hdf5"


def change(path: Path, kind: str, number: int, key: str, function: Change) -> None:
    """Change an array of an episode where it is stored."""
    if kind in LEROBOT:
        change_rows(path, number, key, function)
        return
    with h5py.File(path / f"episode_{number}.hdf5" if kind == "aloha" else path, "r+") as file:
        group = file if kind == "aloha" else file[f"data/demo_{number}"]
        values = function(group[NAMES[key][kind]][()])
        del group[NAMES[key][kind]]
        group[NAMES[key][kind]] = values


def change_rows(folder: Path, number: int, key: str, function: Change) -> None:
    for path in (folder / "data").rglob("*.parquet"):
        table = parquet.read_table(path)
        rows = np.flatnonzero(table["episode_index"].to_numpy() == number)
        if len(rows):
            values = np.array(table[key].to_pylist(), np.float32)
            values[rows] = function(values[rows])
            column = pa.array(values.tolist(), table.schema.field(key).type)
            parquet.write_table(table.set_column(table.column_names.index(key), key, column), path)


def spoil(values: np.ndarray, value: float = np.nan) -> np.ndarray:
    values[3, 0] = value
    return values


def part(path: Path, numbers: list[int] | None = None, **options) -> Part:
    dataset = open_dataset(path)
    return Part(dataset, dataset.episode_indices if numbers is None else numbers, **options)


def found(*paths: Path) -> list[str]:
    return [str(problem) for problem in find_problems([part(path) for path in paths])]


def assert_one(path: Path, number: int, *words: str) -> None:
    """One problem, of one episode: found, named, refused, and skipped."""
    parts = [part(path)]
    (problem,) = find_problems(parts)
    assert (problem.file, problem.episode) == (path, number)
    assert str(problem).startswith(f"{path} episode {number}: ") and "\n" not in str(problem)
    for word in words:
        assert word in problem.what
    with one_line_error("1 problem", "--problems skip"):
        settle(parts, "refuse")
    kept, problems = settle(parts, "skip")
    assert problems == [problem]
    assert kept == [replace(parts[0], episode_indices=[other for other in parts[0].episode_indices if other != number])]

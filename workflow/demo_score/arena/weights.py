"""Scores as weights of training samples: for our trainings a table, for LeRobot's the progress that RA-BC reads.

Source: reward-aligned behaviour cloning, RA-BC (arXiv 2509.25358, eq. 8), as in lerobot 0.6.1, rewards/sarm/rabc.py.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from demo_score.data.formats import open_dataset
from demo_score.data.formats.lerobot import LeRobotFolder
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path
from demo_score.tables import ARENA_SCORES, WEIGHTS

MOST = 0.009  # the largest step of progress that is written: from .01 on LeRobot's weights are 1, whatever it is
FRAMES = ("index", "episode_index", "frame_index", "progress_sparse")  # what LeRobot reads


def write_weights(scores: Path, out: Path) -> int:
    """Write the weights of the episodes of a table of scores; return how many there are. Raises UserError."""
    table = _scores(scores)
    files = [(scores.parent / file).resolve() for file in table["file"]]
    names = [Path(os.path.relpath(file, out.resolve().parent)).as_posix() for file in files]
    weights = soft_weights(table["score"].to_numpy(), table["length"].to_numpy(), scores)
    WEIGHTS.write(out, pd.DataFrame({"file": names, "episode": table["episode"], "weight": weights}))
    return len(table)


def write_progress(scores: Path, source: Path, chunk: int, out: Path) -> int:
    """Write progress (parquet) by which LeRobot weighs every frame of the data set `source` as `write_weights` does.

    LeRobot takes the progress from a frame to that `chunk` later, or to the episode's last, makes weights of it by the
    mean and the deviation over all frames, and cuts them as soft_weights does. Here each of these steps is the
    episode's score on a scale to MOST; only at an episode's last frame it is 0, as LeRobot has it. Returns how many
    frames there are. Raises UserError where an episode of `source` has no score, or `source` is not LeRobot's.
    """
    if chunk < 1:
        raise UserError(f"--chunk {chunk}: is no number of steps; give the policy's chunk_size")
    table = _scores(scores)
    dataset = _lerobot(source)
    own = table[[(scores.parent / file).resolve() == source.resolve() for file in table["file"]]].set_index("episode")
    if missing := [number for number in dataset.episode_indices if number not in own.index]:
        raise UserError(f"{scores}: has no score of {source} episode {missing[0]}; score all of its episodes")
    own = own.loc[dataset.episode_indices]
    values = own["score"].to_numpy()
    _check_differ(values, scores)
    steps = MOST * (values - values.min()) / np.ptp(values)
    rows = zip(dataset.episode_indices, own["length"], steps, strict=True)
    progress = [_staircase(number, length, step, chunk) for number, length, step in rows]
    frames = pd.concat(progress, ignore_index=True)
    frames["index"] = np.arange(len(frames))
    with atomic_path(out) as temporary:
        frames[list(FRAMES)].to_parquet(temporary)
    return len(frames)


def soft_weights(scores: np.ndarray, lengths: np.ndarray, where: object = "scores") -> np.ndarray:
    """clip(1/2 + (score - mean) / 4 SD, 0, 1); mean and SD over frames, so that an episode counts by its length.

    scores, lengths: (n,). Raises UserError where all scores are alike.
    """
    _check_differ(scores, where)
    mean = np.average(scores, weights=lengths)
    deviation = np.sqrt(np.average((scores - mean) ** 2, weights=lengths))
    return np.clip(0.5 + (scores - mean) / (4 * deviation), 0, 1)


def _staircase(number: int, length: int, step: float, chunk: int) -> pd.DataFrame:
    """Progress of an episode that rises by `step` from each frame to that `chunk` later, or to the last."""
    frame = np.arange(length)
    progress = -step * np.ceil((length - 1 - frame) / chunk)
    return pd.DataFrame({"episode_index": number, "frame_index": frame, "progress_sparse": progress})


def _scores(path: Path) -> pd.DataFrame:
    return ARENA_SCORES.read(path, ["file", "episode", "length", "score"])


def _lerobot(source: Path) -> LeRobotFolder:
    if not isinstance(dataset := open_dataset(source), LeRobotFolder):
        raise UserError(
            f"{source}: is no data set of LeRobot's; name one, or export yours (export_data.py --to lerobot)"
        )
    return dataset


def _check_differ(scores: np.ndarray, where: object) -> None:
    if np.ptp(scores) == 0:
        raise UserError(f"{where}: all scores are alike, and weigh nothing; use another method's")

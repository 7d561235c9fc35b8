"""Scores as weights, through LeRobot's own RA-BC. `make test-peers` runs this."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from demo_score.arena.weights import soft_weights, write_progress
from demo_score.data.episodes import Episode
from demo_score.data.formats.lerobot_writer import write_lerobot
from lerobot.rewards.sarm.rabc import RABCWeights

LENGTHS, SCORES, CHUNK = [30, 45, 25], [0.5, 2.0, 1.0], 10


def episode(length: int) -> Episode:
    values = np.zeros((length, 2), np.float32)
    return Episode({"observation.state": values}, values, np.zeros(length, np.float32), success=True, seed=0)


@pytest.fixture
def progress(tmp_path) -> Path:
    write_lerobot(tmp_path / "set", map(episode, LENGTHS), 10)
    columns = {"seed": 1, "method": "mine", "file": "set", "episode": range(3), "length": LENGTHS, "actor": "a"}
    pd.DataFrame(columns | {"score": SCORES}).to_csv(tmp_path / "scores.csv", index=False)
    write_progress(tmp_path / "scores.csv", tmp_path / "set", CHUNK, tmp_path / "progress.parquet")
    return tmp_path / "progress.parquet"


def test_lerobot_weighs_frames_as_our_trainings_do(progress) -> None:
    weighter = RABCWeights(progress, chunk_size=CHUNK, device="cpu")
    ends = np.cumsum(LENGTHS) - 1
    frames = np.setdiff1d(np.arange(sum(LENGTHS)), ends)  # LeRobot has no progress at an episode's last frame
    found, _ = weighter.compute_batch_weights({"index": frames})
    # Mean and deviation are LeRobot's, in which the last frames count as 0.
    steps = np.array(SCORES) - min(SCORES)
    of_frames = np.repeat(steps, LENGTHS)
    of_frames[ends] = 0
    wanted = np.clip(0.5 + (of_frames - of_frames.mean()) / (4 * of_frames.std()), 0, 1)[frames]
    np.testing.assert_allclose(found.numpy(), wanted * len(frames) / wanted.sum(), rtol=1e-3)
    ours = np.repeat(soft_weights(np.array(SCORES), np.array(LENGTHS)), LENGTHS)[frames]
    np.testing.assert_allclose(found.numpy(), ours * len(frames) / ours.sum(), rtol=0.1)

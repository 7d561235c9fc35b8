"""Frames are drawn by their weights (training.sample_weights), which follow from scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import one_line_error, random_episode, tiny_settings
from demo_score.arena.weights import soft_weights, write_progress, write_weights
from demo_score.data.formats.lerobot_writer import write_lerobot
from demo_score.data.formats.robomimic import write_episodes
from demo_score.training.chunks import ChunkDataset
from demo_score.training.loop import load_data
from demo_score.training.weights import frame_weights
from training_runs import one_thread, trained

__all__ = ["one_thread"]  # the fixture
LENGTHS = [12, 30, 25]
COUNT = 60000  # draws; shares of them are compared to within 4 standard deviations


@pytest.fixture
def demos(tmp_path) -> Path:
    write_episodes(tmp_path / "demos.hdf5", [random_episode(length, seed=length) for length in LENGTHS], {})
    return tmp_path / "demos.hdf5"


def table(path: Path, rows: list[tuple], columns: tuple[str, ...] = ("file", "episode", "weight")) -> Path:
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def scores(path: Path, values: list[float], file: str = "demos.hdf5") -> Path:
    rows = [(1, "mine", file, n, LENGTHS[n], "a", value) for n, value in enumerate(values)]
    return table(path, rows, ("seed", "method", "file", "episode", "length", "actor", "score"))


def drawn(data: ChunkDataset) -> np.ndarray:
    """The share of each episode among frames drawn."""
    frames = data.draw(COUNT, torch.Generator().manual_seed(0)).numpy()
    return np.bincount(np.searchsorted(data.ends, frames, side="right"), minlength=len(LENGTHS)) / COUNT


def assert_shares(found: np.ndarray, weights: np.ndarray) -> None:
    wanted = weights / weights.sum()
    np.testing.assert_allclose(found, wanted, atol=4 * 0.5 / np.sqrt(COUNT))


def test_frames_are_drawn_in_proportion_to_their_episode_s_weight(demos, tmp_path) -> None:
    weights = table(tmp_path / "weights.csv", [("demos.hdf5", 2, 4.0), ("demos.hdf5", 0, 1.0), ("demos.hdf5", 1, 0.0)])
    override = f"training.sample_weights={weights}"
    for start_fraction in (0.0, 0.5):
        data = load_data(
            tiny_settings(f"+datasets_file={demos}", override, f"training.start_fraction={start_fraction}")
        )
        of_starts = np.array([5 * 1.0, 0, 5 * 4.0])
        of_all = np.array([12 * 1.0, 0, 25 * 4.0])
        shares = (1 - start_fraction) * of_all / of_all.sum() + start_fraction * of_starts / of_starts.sum()
        assert_shares(drawn(data), shares)


def test_equal_weights_draw_each_frame_as_often_and_others_train_otherwise(demos, tmp_path) -> None:
    runs = []
    for number, last in enumerate((1.0, 9.0)):
        path = table(tmp_path / f"{number}.csv", [("demos.hdf5", n, w) for n, w in enumerate((1.0, 1.0, last))])
        overrides = [f"+datasets_file={demos}", f"training.sample_weights={path}"]
        if number == 0:
            assert_shares(drawn(load_data(tiny_settings(*overrides))), np.array(LENGTHS, dtype=float))
        runs.append(trained(tmp_path / f"run{number}", *overrides)["checkpoints/000012/model.safetensors"])
    assert runs[0] != runs[1]


def test_frames_may_have_weights_of_their_own(demos, tmp_path) -> None:
    rows = [("demos.hdf5", 0, frame, float(frame == 3)) for frame in reversed(range(12))]
    path = table(tmp_path / "weights.csv", rows, ("file", "episode", "frame", "weight"))
    np.testing.assert_array_equal(frame_weights(path, [(demos, 0)], [12]), np.arange(12) == 3)
    with one_line_error(path, "episode 0 has 13 frames"):
        frame_weights(path, [(demos, 0)], [13])


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("demos.hdf5", 0, 1.0)], "no weight of"),
        ([("demos.hdf5", n, 1.0) for n in (0, 1, 2, 2)], "episode 2 is there twice"),
        ([("demos.hdf5", n, n - 1.0) for n in range(3)], "row 1: the weight is below 0"),
        ([("demos.hdf5", n, 0.0) for n in range(3)], "every frame the weight 0"),
        ([("demos.hdf5", n, "much") for n in range(3)], "weight must be a number"),
    ],
)
def test_what_is_wrong_with_weights_is_one_line(demos, tmp_path, rows, told) -> None:
    path = table(tmp_path / "weights.csv", rows)
    with one_line_error(path, told):
        frame_weights(path, [(demos, n) for n in range(3)], LENGTHS)


def test_weights_of_scores_are_rabc_s_and_lie_beside_their_data(demos, tmp_path) -> None:
    path = scores(tmp_path / "scores.csv", [0.0, 1.0, 3.0])
    (tmp_path / "below").mkdir()
    assert write_weights(path, tmp_path / "below/weights.csv") == 3
    frames = np.repeat([0.0, 1.0, 3.0], LENGTHS)
    wanted = np.clip((frames - (frames.mean() - 2 * frames.std())) / (4 * frames.std()), 0, 1)
    found = frame_weights(tmp_path / "below/weights.csv", [(demos, n) for n in range(3)], LENGTHS)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    with one_line_error("all scores are alike"):
        soft_weights(np.ones(3), np.ones(3))


def test_progress_rises_by_the_same_from_every_frame_to_a_chunk_later(tmp_path) -> None:
    episodes = [random_episode(length, seed=length) for length in LENGTHS]
    write_lerobot(tmp_path / "set", episodes, 50)
    path = scores(tmp_path / "scores.csv", [0.0, 1.0, 3.0], "set")
    chunk = 10
    assert write_progress(path, tmp_path / "set", chunk, tmp_path / "progress.parquet") == sum(LENGTHS)
    frames = pd.read_parquet(tmp_path / "progress.parquet")
    assert list(frames["index"]) == list(range(sum(LENGTHS)))
    for number, step in enumerate((0.0, 0.003, 0.009)):
        progress = frames.loc[frames["episode_index"] == number, "progress_sparse"].to_numpy()
        later = progress[np.minimum(np.arange(LENGTHS[number]) + chunk, LENGTHS[number] - 1)]
        np.testing.assert_allclose((later - progress)[:-1], step, atol=1e-9)
    with one_line_error("--chunk 0", "chunk_size"):
        write_progress(path, tmp_path / "set", 0, tmp_path / "progress.parquet")
    with one_line_error("no data set of LeRobot's"):
        write_episodes(tmp_path / "ours.hdf5", episodes, {})
        write_progress(path, tmp_path / "ours.hdf5", chunk, tmp_path / "progress.parquet")

"""LeRobot data sets that we write: the same comes back, the same bytes each time, and no halves."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import one_line_error
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.lerobot_statistics import PixelCounts, aggregate, array_statistics
from demo_score.data.formats.lerobot_writer import write_lerobot
from demo_score.data.frames import Frames
from fixture_content import CAMERA, smooth_images
from pyarrow import parquet

STATE, GRID = "observation.state", "observation.grid"
LENGTHS = [7, 12, 9, 10]
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def episode(number: int = 0, size: tuple[int, int] = (48, 64), **changes) -> Episode:
    """An episode with observations of many kinds, and all that can be known of it."""
    generator, length = np.random.default_rng(number), LENGTHS[number % 4]
    observations = {
        STATE: generator.normal(size=(length, 4)).astype(np.float32),
        GRID: generator.normal(size=(length, 3, 2)),
        "observation.contacts": generator.integers(0, 2, (length, 2)).astype(bool),
        "observation.count": np.arange(length)[:, None] - 5,
        CAMERA: smooth_images(length, *size, seed=number),
    }
    values = {"observations": observations, "actions": generator.normal(size=(length, 3)).astype(np.float32)}
    values |= {"rewards": generator.random(length, dtype=np.float32), "success": number % 2 == 0, "seed": 100 + number}
    values |= {"strategy": ["slow", None][number % 2], "checkpoint": None, "task": [None, "Push"][number % 2]}
    return Episode(**{**values, **changes})


def episodes(n: int = 4) -> Iterator[Episode]:
    return (episode(number) for number in range(n))


def written(tmp_path: Path, n: int = 4, **options) -> Path:
    folder = tmp_path / "a set"
    write_lerobot(folder, episodes(n), 10, **options)
    return folder


def assert_same(found: Episode, expected: Episode, image_error: float) -> None:
    assert list(found.observations) == list(expected.observations)
    for key, values in expected.observations.items():
        read = found.observations[key][:]
        assert read.dtype == values.dtype and read.shape == values.shape
        assert np.abs(read.astype(float) - values).mean() <= (image_error if key == CAMERA else 0)
    np.testing.assert_array_equal(found.actions, expected.actions, strict=True)
    np.testing.assert_array_equal(found.rewards, expected.rewards, strict=True)
    for name in ("success", "seed", "strategy", "checkpoint", "task"):
        assert getattr(found, name) == getattr(expected, name)


@pytest.mark.parametrize(
    ("options", "image_error"),
    [({"images": "image"}, 0), ({}, 2), ({"codec": "h264"}, 3), ({"codec": "hevc"}, 3)],
    ids=["png", "av1", "h264", "hevc"],
)
def test_episodes_come_back_bit_for_bit_and_videos_nearly(tmp_path, options, image_error) -> None:
    found = read_episodes(written(tmp_path, **options))
    for one, expected in zip(found, episodes(), strict=True):
        assert_same(one, expected, image_error)


def test_what_is_unknown_stays_so(tmp_path) -> None:
    write_lerobot(tmp_path / "set", [episode(rewards=None, success=None, strategy=None)] * 2, 10, images="image")
    for one in read_episodes(tmp_path / "set"):
        assert (one.rewards, one.success, one.strategy, one.checkpoint) == (None, None, None, None)
    columns = parquet.read_schema(tmp_path / "set/meta/episodes/chunk-000/file-000.parquet").names
    assert "seed" in columns and not {"strategy", "checkpoint"} & set(columns)


def test_success_is_that_of_the_last_frame(tmp_path) -> None:
    table = parquet.read_table(written(tmp_path) / "data/chunk-000/file-000.parquet")
    ends = np.cumsum(LENGTHS) - 1
    assert np.flatnonzero(table["next.success"]).tolist() == ends[::2].tolist()
    assert np.flatnonzero(table["next.done"]).tolist() == ends.tolist()


def test_a_file_holds_several_episodes_one_a_row_group(tmp_path) -> None:
    folder = written(tmp_path)
    data = parquet.ParquetFile(folder / "data/chunk-000/file-000.parquet")
    assert [data.metadata.row_group(i).num_rows for i in range(data.num_row_groups)] == LENGTHS
    assert sorted(path.name for path in folder.rglob("*.mp4")) == ["file-000.mp4"]
    rows = parquet.read_table(folder / "meta/episodes").to_pylist()
    starts = np.cumsum([0, *LENGTHS])
    assert [row["dataset_from_index"] for row in rows] == starts[:-1].tolist()
    assert [row[f"videos/{CAMERA}/from_timestamp"] for row in rows] == (starts[:-1] / 10).tolist()
    assert [row[f"videos/{CAMERA}/to_timestamp"] for row in rows] == (starts[1:] / 10).tolist()


def test_files_are_closed_before_they_grow_beyond_their_size(tmp_path) -> None:
    limits = {"data_files_size_in_mb": 0.01, "video_files_size_in_mb": 0.004}
    folder = written(tmp_path, 16, **limits)
    for kind, limit in (("data/**/*.parquet", 0.01), ("videos/**/*.mp4", 0.004)):
        sizes = [path.stat().st_size / 1024**2 for path in folder.glob(kind)]
        assert 2 < len(sizes) < 12
        assert max(sizes) < 2 * limit  # files so small are half footer, which is not foreseen
    for one, expected in zip(read_episodes(folder), episodes(16), strict=True):
        assert_same(one, expected, image_error=2)


def test_same_episodes_make_the_same_bytes(tmp_path) -> None:
    first, second = (written(tmp_path / name) for name in "ab")
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert [file for file in files if (first / file).read_bytes() != (second / file).read_bytes()] == []


def test_what_describes_the_data_set_is_complete(tmp_path) -> None:
    info = json.loads((written(tmp_path, robot_type="aloha") / "meta/info.json").read_text())
    assert (info["codebase_version"], info["robot_type"], info["fps"]) == ("v3.0", "aloha", 10)
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (4, sum(LENGTHS), 2)
    assert info["splits"] == {"train": "0:4"}
    kinds = {key: (feature["dtype"], feature["shape"]) for key, feature in info["features"].items()}
    assert kinds[CAMERA] == ("video", [48, 64, 3]) and kinds[GRID] == ("float64", [3, 2])
    assert kinds["next.reward"] == ("float32", [1]) and kinds["next.success"] == ("bool", [1])
    assert info["features"][CAMERA]["info"]["video.codec"] == "av1"


def test_statistics_are_numpys(tmp_path) -> None:
    stats = json.loads((written(tmp_path, images="image") / "meta/stats.json").read_text())
    for key in (STATE, "action"):
        parts = [one.observations.get(key, one.actions).astype(np.float64) for one in episodes()]
        values = np.concatenate(parts)
        for name in ("min", "max", "mean", "std"):
            np.testing.assert_allclose(stats[key][name], getattr(values, name)(axis=0), rtol=1e-12, atol=1e-14)
        assert stats[key]["count"] == [sum(LENGTHS)]
        for name, share in QUANTILES.items():
            each = [np.quantile(part, share, axis=0, method="inverted_cdf") for part in parts]
            np.testing.assert_allclose(stats[key][name], np.average(each, axis=0, weights=LENGTHS), rtol=1e-12)
    images = np.concatenate([one.observations[CAMERA] for one in episodes()]) / 255
    np.testing.assert_allclose(np.ravel(stats[CAMERA]["mean"]), images.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(np.ravel(stats[CAMERA]["std"]), images.std(axis=(0, 1, 2)))
    assert np.shape(stats[CAMERA]["q99"]) == (3, 1, 1)


def test_statistics_of_images_need_not_see_them_together() -> None:
    images = np.random.default_rng(0).integers(3, 250, (6, 20, 30, 3), dtype=np.uint8)
    counts = PixelCounts()
    counts.add(images[:4])
    counts.add(images[4:])
    found, expected = counts.statistics(), array_statistics(images / 255)
    assert found["count"] == [6]
    for name in expected.keys() - {"count"}:
        np.testing.assert_allclose(found[name].ravel(), expected[name], rtol=1e-9)


def test_large_images_are_thinned_out_for_statistics() -> None:
    counts = PixelCounts()
    counts.add(np.zeros((2, 480, 640, 3), np.uint8))
    assert counts.counts[0].sum() == 2 * 120 * 160


def test_statistics_of_parts_are_weighted_by_their_length() -> None:
    parts = [array_statistics(np.zeros((1, 2))), array_statistics(np.full((3, 2), 4.0))]
    found = aggregate(parts)
    assert found["mean"].tolist() == [3, 3] and found["q50"].tolist() == [3, 3] and found["count"].tolist() == [4]


class Watched(Frames):
    """Images that tell how many were asked for at once."""

    def __init__(self, images: np.ndarray):
        self.stored, self.shape, self.most = images, images.shape, 0

    def identity(self) -> str:
        return ""

    def __getitem__(self, indices: slice) -> np.ndarray:
        self.most = max(self.most, len(self.stored[indices]))
        return self.stored[indices]

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        return iter(self.stored[indices])


@pytest.mark.parametrize("images", ["video", "image"])
def test_few_images_are_in_memory_at_a_time(tmp_path, images) -> None:
    watched = Watched(smooth_images(50, 32, 32))
    one = Episode({CAMERA: watched}, np.zeros((50, 2), np.float32), None, None, 0)
    write_lerobot(tmp_path / "set", [one], 10, images=images)
    assert watched.most == 16


def assert_nothing_is_left(folder: Path) -> None:
    assert list(folder.iterdir()) == []


def test_writing_that_fails_leaves_nothing(tmp_path) -> None:
    def breaks_off() -> Iterator[Episode]:
        yield from episodes(2)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        write_lerobot(tmp_path / "set", breaks_off(), 10)
    assert_nothing_is_left(tmp_path)


def test_folder_that_exists_is_left_alone(tmp_path) -> None:
    folder = written(tmp_path, 1, images="image")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with one_line_error(folder, "exists already"):
        write_lerobot(folder, episodes(2), 10)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"codec": "divx"}, ["codec=divx", "libsvtav1, h264, hevc"]),
        ({"images": "jpeg"}, ["images=jpeg", "video, image"]),
        ({"fps": 0}, ["fps=0"]),
        ({"fps": 29.97}, ["fps=29.97", "whole"]),
    ],
)
def test_wrong_setting_is_reported(tmp_path, options, parts) -> None:
    with one_line_error(*parts):
        write_lerobot(tmp_path / "set", episodes(1), **{"fps": 10, **options})
    assert_nothing_is_left(tmp_path)


def test_no_episodes_are_reported(tmp_path) -> None:
    with one_line_error(tmp_path / "set", "no episodes"):
        write_lerobot(tmp_path / "set", [], 10)
    assert_nothing_is_left(tmp_path)


def without_camera(number: int) -> dict[str, np.ndarray]:
    return {key: values for key, values in episode(number).observations.items() if key != CAMERA}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"actions": np.zeros((12, 5), np.float32)}, ["action is float32 (5,)", "float32 (3,) in episode 0"]),
        ({"actions": np.zeros((12, 3))}, ["action is float64 (3,)", "float32 (3,) in episode 0"]),
        ({"actions": np.zeros((11, 3), np.float32)}, ["observation.state has 12 frames", "action 11"]),
        ({"actions": np.zeros((0, 3), np.float32)}, ["no frames", "leave"]),
        ({"actions": np.zeros((12, 0), np.float32)}, ["action is float32 (0,)"]),
        ({"actions": np.full((12, 3), "left")}, ["action is <U4 (3,)", "numbers"]),
        ({"rewards": None}, ["next.reward is missing", "float32 (1,)"]),
        ({"success": None}, ["next.success is missing", "bool (1,)"]),
        ({"observations": without_camera(1)}, [f"{CAMERA} is missing", "video (48, 64, 3)"]),
        ({"observations": {"a/b": np.zeros((12, 1))}}, ["a/b", "slash"]),
        ({"observations": {"timestamp": np.zeros((12, 1))}}, ["timestamp", "name"]),
        ({"observations": {CAMERA: np.zeros((12, 8, 8, 4), np.uint8)}}, [CAMERA, "(8, 8, 4)"]),
    ],
)
def test_episode_that_does_not_fit_is_named(tmp_path, changes, parts) -> None:
    with one_line_error("episode 1", *parts):
        write_lerobot(tmp_path / "set", [episode(0), episode(1, **changes)], 10)
    assert_nothing_is_left(tmp_path)


def test_images_that_a_codec_cannot_encode_are_reported(tmp_path) -> None:
    with one_line_error(CAMERA, "h264", "47x63", "images=image"):
        write_lerobot(tmp_path / "set", [episode(size=(47, 63))], 10, codec="h264")
    assert_nothing_is_left(tmp_path)


def test_images_of_odd_sizes_are_encoded_by_default(tmp_path) -> None:
    write_lerobot(tmp_path / "set", [episode(size=(47, 63))], 10)
    assert_same(read_episodes(tmp_path / "set")[0], episode(size=(47, 63)), image_error=2)


def test_an_encoder_keeps_quiet(tmp_path, capfd) -> None:
    for codec in ("libsvtav1", "h264", "hevc"):
        write_lerobot(tmp_path / codec, episodes(1), 10, codec=codec)
    assert capfd.readouterr() == ("", "")

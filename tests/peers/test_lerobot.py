"""Our LeRobot data sets through the real lerobot's eyes, and its through ours. `make test-peers` runs this."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset, read_episodes
from demo_score.data.formats.lerobot_writer import write_lerobot
from demo_score.ingest.keep_lists import delete_options
from fixture_content import small_episodes, smooth_images
from lerobot.configs.video import RGBEncoderConfig
from lerobot.datasets.compute_stats import aggregate_stats, compute_episode_stats
from lerobot.datasets.dataset_tools import delete_episodes, merge_datasets, recompute_stats, split_dataset
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.video_utils import get_video_info
from make_fixtures import write
from PIL import Image

FPS = 10
LENGTHS = [7, 12, 9, 10, 8, 11]
STATE, WRIST, TOP = ("observation." + name for name in ("state", "images.wrist", "images.top"))
SIZES = {TOP: (64, 80), WRIST: (48, 64)}
CONTENT = small_episodes()
VIDEO_ERROR = 3.0  # mean absolute difference in levels of 256; neighbouring frames differ by more
SMALL_FILES = {"data_files_size_in_mb": 0.005, "video_files_size_in_mb": 0.003}
WRITTEN = {
    "av1": {},
    "av1 in several files": SMALL_FILES,
    "h264": {"codec": "h264"},
    "hevc": {"codec": "hevc"},
    "png": {"images": "image"},
    "png in several files": {"images": "image", **SMALL_FILES},
}
each_way = pytest.mark.parametrize("way", WRITTEN)
av1_and_png = pytest.mark.parametrize("way", ["av1", "av1 in several files", "png in several files"])


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def episode(number: int) -> Episode:
    generator, length = np.random.default_rng(number), LENGTHS[number]
    observations = {
        STATE: generator.normal(size=(length, 4)).astype(np.float32),
        "observation.contacts": generator.integers(0, 2, (length, 2)).astype(bool),
        "observation.count": np.arange(length)[:, None] - 5,
        **{key: smooth_images(length, *size, seed=number + size[0]) for key, size in SIZES.items()},
    }
    return Episode(
        observations=observations,
        actions=generator.normal(size=(length, 3)).astype(np.float32),
        rewards=generator.random(length, dtype=np.float32),
        success=number % 2 == 0,
        seed=100 + number,
        strategy=[None, "slow"][number % 2],
        checkpoint=[None, "003000"][number % 2],
        task=["Push", None, "Lift"][number % 3],
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Our data sets, by the way in which they were written."""
    root = tmp_path_factory.mktemp("ours")
    for name, options in WRITTEN.items():
        write_lerobot(root / name, map(episode, range(len(LENGTHS))), FPS, **options)
    return {name: root / name for name in WRITTEN}


def opened(folder: Path, **options) -> LeRobotDataset:
    return LeRobotDataset("tests/ours", root=folder, video_backend="pyav", **options)


def assert_frame(item: dict, expected: Episode, frame: int) -> None:
    """An item of lerobot's is a frame of an episode; it turns float64 into float32, and (1,) into a scalar."""
    last = frame == len(expected) - 1
    values = {key: value[frame] for key, value in expected.observations.items()} | {"action": expected.actions[frame]}
    values |= {"next.reward": expected.rewards[frame], "next.success": last and expected.success, "next.done": last}
    for key, value in values.items():
        if key in SIZES:
            assert_image(item[key], value, VIDEO_ERROR)
        else:
            np.testing.assert_array_equal(item[key].numpy(), np.squeeze(value).astype(item[key].numpy().dtype))
    assert item["task"] == (expected.task or "")
    assert item["timestamp"].item() == np.float32(frame / FPS)


def assert_image(found: torch.Tensor, expected: np.ndarray, error: float) -> None:
    levels = found.permute(1, 2, 0).numpy() * 255
    assert levels.shape == expected.shape
    assert np.abs(levels - expected).mean() <= error


def frames(numbers: Iterable[int]) -> Iterator[tuple[Episode, int]]:
    """Each frame of some episodes of ours."""
    return ((one, frame) for one in map(episode, numbers) for frame in range(len(one)))


def assert_frames(dataset: LeRobotDataset, numbers: Iterable[int]) -> None:
    """The data set holds those episodes of ours and no others, in this order."""
    for item, (one, frame) in zip(dataset, frames(numbers), strict=True):
        assert_frame(item, one, frame)


@each_way
def test_lerobot_shows_every_frame_that_we_wrote(folders, way) -> None:
    dataset = opened(folders[way])
    assert (dataset.num_episodes, dataset.fps) == (len(LENGTHS), FPS)
    assert_frames(dataset, range(len(LENGTHS)))


def test_images_in_rows_are_exact(folders) -> None:
    for item, (one, frame) in zip(opened(folders["png"]), frames(range(len(LENGTHS))), strict=True):
        for key in SIZES:
            assert_image(item[key], one.observations[key][frame], 1e-4)


def test_matrices_are_shown_too(tmp_path) -> None:
    one = episode(0)
    one.observations = {"observation.grid": np.random.default_rng(0).normal(size=(7, 3, 2))}
    write_lerobot(tmp_path / "ours", [one], FPS)
    for frame, item in enumerate(opened(tmp_path / "ours")):
        assert_frame(item, one, frame)


@pytest.mark.parametrize("way", ["av1 in several files", "png in several files"])
def test_there_are_several_files(folders, way) -> None:
    kinds = ["data/**/*.parquet"] + [f"videos/{key}/**/*.mp4" for key in SIZES if way.startswith("av1")]
    assert [kind for kind in kinds if len(list(folders[way].glob(kind))) < 2] == []


@av1_and_png
@pytest.mark.parametrize("keep", [[1, 3, 4], [5], [0, 2, 5]])
def test_kept_episodes_are_exactly_those_listed(folders, way, keep) -> None:
    dataset = opened(folders[way], episodes=keep)
    assert sorted({int(dataset[index]["episode_index"]) for index in range(len(dataset))}) == keep
    assert_frames(dataset, keep)


@av1_and_png
def test_frames_before_and_after_come_along_also_of_kept_episodes(folders, way) -> None:
    delta = {STATE: [-0.2, 0.0], TOP: [-0.1, 0.0], "action": [0.0, 0.1, 0.2]}
    dataset = opened(folders[way], episodes=[2, 4], delta_timestamps=delta)
    for item, (expected, frame) in zip(dataset, frames([2, 4]), strict=True):
        last = len(expected) - 1
        before = [max(frame - 2, 0), frame]
        np.testing.assert_array_equal(item[STATE].numpy(), expected.observations[STATE][before])
        after = [min(frame + step, last) for step in range(3)]
        np.testing.assert_array_equal(item["action"].numpy(), expected.actions[after])
        assert item["action_is_pad"].tolist() == [frame + step > last for step in range(3)]
        assert_image(item[TOP][0], expected.observations[TOP][max(frame - 1, 0)], VIDEO_ERROR)


def test_what_lerobot_has_no_place_for_is_left_alone(folders) -> None:
    rows = opened(folders["av1"]).meta.episodes
    assert rows["seed"] == [100 + number for number in range(len(LENGTHS))]
    assert rows["strategy"] == [None, "slow"] * 3 and rows["checkpoint"] == [None, "003000"] * 3
    kept = opened(folders["av1"], episode_filter=lambda row: row["checkpoint"] is None)
    assert_frames(kept, [0, 2, 4])


def lerobots_statistics(dataset: LeRobotDataset, folder: Path) -> list[dict]:
    """Of each episode, as lerobot takes them when it records."""
    found = []
    for number in range(len(LENGTHS)):
        one = episode(number)
        data = {key: value for key, value in one.observations.items() if key not in SIZES}
        data |= {"action": one.actions, "next.reward": one.rewards, "timestamp": np.arange(len(one)) / FPS}
        for key in SIZES:
            data[key] = []
            for frame, image in enumerate(one.observations[key]):
                data[key].append(str(folder / f"{key} {number} {frame}.png"))
                Image.fromarray(image).save(data[key][-1])
        found.append(compute_episode_stats(data, dataset.features))
    return found


def test_statistics_are_those_that_lerobot_takes(folders, tmp_path) -> None:
    dataset = opened(folders["png"])
    expected = aggregate_stats(lerobots_statistics(dataset, tmp_path))
    for key, statistics in expected.items():
        spread = np.max(statistics["max"] - statistics["min"])
        for name, value in statistics.items():
            found = dataset.meta.stats[key][name]
            assert found.shape == value.shape
            np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-3 * spread, err_msg=f"{key} {name}")
    assert dataset.meta.stats.keys() == dataset.features.keys()


def test_statistics_of_an_episode_are_those_that_lerobot_takes(folders, tmp_path) -> None:
    dataset = opened(folders["png"])
    rows = dataset.meta.episodes.from_parquet(str(folders["png"] / "meta/episodes/chunk-000/file-000.parquet"))
    for number, expected in enumerate(lerobots_statistics(dataset, tmp_path)):
        for key, statistics in expected.items():
            for name, value in statistics.items():
                spread = np.max(statistics["max"] - statistics["min"])
                found = np.array(rows[number][f"stats/{key}/{name}"])
                np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-3 * spread, err_msg=f"{key} {name}")


@each_way
def test_what_is_said_of_videos_is_what_lerobot_finds_in_them(folders, way) -> None:
    info = json.loads((folders[way] / "meta/info.json").read_text())
    codec = {"h264": "h264", "hevc": "hevc"}.get(way, "libsvtav1")
    for path in folders[way].glob("videos/*/*/*.mp4"):
        expected = get_video_info(path, video_encoder=RGBEncoderConfig(vcodec=codec))
        assert info["features"][path.parts[-3]]["info"] == expected


@pytest.mark.parametrize("way", ["av1", "png"])
def test_a_data_set_recorded_by_lerobot_tells_the_same_of_itself(folders, way, tmp_path) -> None:
    images = "video" if way == "av1" else "image"
    write(tmp_path / "theirs", CONTENT, images)
    theirs, ours = (json.loads((path / "meta/info.json").read_text()) for path in (tmp_path / "theirs", folders[way]))
    assert ours.keys() == theirs.keys()
    for key in ("codebase_version", "chunks_size", "data_path", "data_files_size_in_mb", "video_files_size_in_mb"):
        assert ours[key] == theirs[key]
    assert ours["video_path"] == theirs["video_path"]
    top, same = ours["features"][TOP], theirs["features"][TOP]
    sizes = {"video.height": 64, "video.width": 80}
    assert top == {**same, "shape": [64, 80, 3], **({"info": same["info"] | sizes} if way == "av1" else {})}


@av1_and_png
def test_lerobots_tools_take_our_data_sets(folders, way, tmp_path) -> None:
    dataset = opened(folders[way])
    deleted = delete_episodes(dataset, [0, 3], output_dir=tmp_path / "deleted", repo_id="tests/deleted")
    assert_frames(opened(deleted.root), [1, 2, 4, 5])
    parts = split_dataset(dataset, {"a": [1, 4], "b": [0, 2, 3]}, output_dir=tmp_path / "split")
    assert_frames(opened(parts["a"].root), [1, 4])
    merged = merge_datasets(list(parts.values()), "tests/merged", output_dir=tmp_path / "merged")
    assert_frames(opened(merged.root), [1, 4, 0, 2, 3])


def test_lerobot_deletes_what_is_not_kept(folders, tmp_path) -> None:
    program = Path(sys.executable).with_name("lerobot-edit-dataset")
    options = delete_options(open_dataset(folders["png"]), [1, 4]).split()
    places = [f"--root={folders['png']}", "--new_repo_id=tests/kept", f"--new_root={tmp_path}/kept"]
    subprocess.run([program, "--repo_id=tests/ours", *places, *options], check=True)
    assert_frames(opened(tmp_path / "kept"), [1, 4])


def test_lerobot_merges_our_data_sets_as_they_are(folders, tmp_path) -> None:
    one, two = opened(folders["av1"]), opened(folders["av1 in several files"])
    merged = merge_datasets([one, two], "tests/merged", output_dir=tmp_path / "merged")
    assert_frames(opened(merged.root), [*range(len(LENGTHS))] * 2)


def test_lerobot_takes_statistics_again(folders, tmp_path) -> None:
    dataset = opened(folders["png"])
    before = {key: dict(value) for key, value in dataset.meta.stats.items()}
    dataset.meta.root = dataset.root = tmp_path
    (tmp_path / "meta").mkdir()
    (tmp_path / "data").symlink_to(folders["png"] / "data")
    recompute_stats(dataset)
    after = json.loads((tmp_path / "meta/stats.json").read_text())
    for key in (STATE, "action", "next.reward"):
        np.testing.assert_allclose(np.array(after[key]["mean"]), before[key]["mean"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("images", ["video", "image"])
def test_what_lerobot_records_is_read_exactly(tmp_path, images) -> None:
    """Its default codec, AV1, is read in test_lerobot_fixtures.py: OpenCV lacks it, lerobot's PyAV is too old."""
    write(tmp_path / "theirs", CONTENT, images, rgb_encoder=RGBEncoderConfig(vcodec="h264"))
    for found, expected in zip(open_dataset(tmp_path / "theirs", "opencv").read(), CONTENT, strict=True):
        np.testing.assert_array_equal(found.observations[STATE], expected.state, strict=True)
        np.testing.assert_array_equal(found.actions, expected.action, strict=True)
        np.testing.assert_array_equal(found.rewards, expected.reward, strict=True)
        assert (found.success, found.task) == (expected.success, expected.task)
        errors = np.abs(found.observations[TOP][:].astype(float) - expected.images).mean(axis=(1, 2, 3))
        assert errors.max() <= (VIDEO_ERROR if images == "video" else 0)


@pytest.mark.parametrize("images", ["video", "image"])
def test_what_lerobot_recorded_and_we_wrote_again_is_the_same_to_lerobot(tmp_path, images) -> None:
    write(tmp_path / "theirs", CONTENT, "image")
    write_lerobot(tmp_path / "ours", read_episodes(tmp_path / "theirs"), FPS, images=images)
    theirs, ours = (opened(tmp_path / name) for name in ("theirs", "ours"))
    for one, two in zip(theirs, ours, strict=True):
        assert two.keys() - one.keys() == {"next.done"} and one.keys() <= two.keys()
        assert one["task"] == two["task"]
        for key in one.keys() - {"task", TOP}:
            assert torch.equal(one[key], two[key]) and one[key].dtype == two[key].dtype
        assert_image(two[TOP], one[TOP].permute(1, 2, 0).numpy() * 255, VIDEO_ERROR if images == "video" else 1e-4)

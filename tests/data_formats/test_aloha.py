"""Folders of ALOHA episodes: as ACT records them, read; and written."""

from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.aloha import AlohaFolder, is_aloha, write_aloha
from demo_score.data.frames import Frames
from demo_score.data.labels import Label

TOP, WRIST = "observation.images.top", "observation.images.cam_left_wrist"


def smooth_images(length: int, height: int = 24, width: int = 32) -> np.ndarray:
    """Images that JPEG keeps well, whose channels differ."""
    rows, columns = np.mgrid[:height, :width]
    images = np.stack([rows * 4 + 9 * t for t in range(length)]).astype(np.uint8)
    blue = np.full_like(images, 200)
    return np.stack([images, np.broadcast_to(columns * 3, images.shape).astype(np.uint8), blue], axis=-1)


def record(folder: Path, number: int, length: int = 5, *, compress: bool = False, name: str | None = None) -> Path:
    """An episode as ACT's recorder lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"episode_{number}.hdf5")
    generator = np.random.default_rng(number)
    images = smooth_images(length)
    with h5py.File(path, "w") as file:
        file.attrs.update(sim=False, compress=compress)
        file["action"] = generator.normal(size=(length, 14))
        for key in ("qpos", "qvel", "effort"):
            file[f"observations/{key}"] = generator.normal(size=(length, 14)).astype(np.float32)
        if compress:
            rows = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1] for image in images]
            padded = [np.pad(row, (0, max(map(len, rows)) + 7 - len(row))) for row in rows]
            file["observations/images/top"] = np.stack(padded)
            file["compress_len"] = np.array([[len(row) for row in rows]])
        else:
            file.create_dataset("observations/images/top", data=images, chunks=(1, *images.shape[1:]))
    return path


def with_image(length: int, seed: int, **attributes) -> Episode:
    episode = random_episode(length, seed)
    images = np.random.default_rng(seed).integers(0, 256, (length, 8, 9, 3), dtype=np.uint8)
    observations = episode.observations | {TOP: images, "observation.qvel": episode.actions * 2}
    return replace(episode, observations=observations, rewards=None, **attributes)


def assert_same(left: Episode, right: Episode) -> None:
    assert left.observations.keys() == right.observations.keys()
    for key, values in left.observations.items():
        assert values.dtype == right.observations[key].dtype
        np.testing.assert_array_equal(values[:], right.observations[key][:])
    np.testing.assert_array_equal(left.actions, right.actions)
    assert left.actions.dtype == right.actions.dtype
    assert (left.rewards, left.success, left.checkpoint) == (right.rewards, right.success, right.checkpoint)


def test_recorded_episode_is_read_bit_for_bit(tmp_path) -> None:
    path = record(tmp_path, 3)
    (episode,) = AlohaFolder(tmp_path).read()
    names = {"observation.state": "qpos", "observation.qvel": "qvel", "observation.effort": "effort", TOP: "images/top"}
    assert episode.observations.keys() == names.keys()
    with h5py.File(path) as file:
        for key, name in names.items():
            np.testing.assert_array_equal(episode.observations[key][:], file[f"observations/{name}"][()])
        np.testing.assert_array_equal(episode.actions, file["action"][()])
    assert (episode.rewards, episode.success, episode.checkpoint, episode.seed) == (None, None, None, 3)


@pytest.mark.parametrize("compress", [False, True])
def test_images_stay_in_their_file(tmp_path, compress) -> None:
    record(tmp_path, 0, compress=compress)
    (episode,) = AlohaFolder(tmp_path).read()
    assert isinstance(episode.observations[TOP], Frames)
    assert episode.observations[TOP].shape == (5, 24, 32, 3)


def test_compressed_images_keep_the_order_of_channels(tmp_path) -> None:
    record(tmp_path, 0, compress=True)
    (episode,) = AlohaFolder(tmp_path).read()
    images = episode.observations[TOP][[4, 1]].astype(int)
    assert np.abs(images - smooth_images(5)[[4, 1]]).max() < 12


def test_features_are_those_of_the_first_episode(tmp_path) -> None:
    record(tmp_path, 0, compress=True)
    states = {f"observation.{name}": (14,) for name in ("state", "qvel", "effort")}
    assert AlohaFolder(tmp_path).features() == {**states, TOP: (24, 32, 3), "action": (14,)}


def test_numbers_come_from_the_names_and_rise(tmp_path) -> None:
    for number in (10, 2, 0):
        record(tmp_path, number, length=number + 3)
    (tmp_path / "episode_3.mp4").touch()
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.fps, dataset.episode_indices) == ("aloha", None, [0, 2, 10])
    assert [len(episode) for episode in dataset.read([10, 0])] == [13, 3]
    with one_line_error(tmp_path, "no episode 1", "0 to 10 with gaps"):
        list(dataset.read([1]))


def test_two_files_of_one_number_are_reported(tmp_path) -> None:
    record(tmp_path, 1)
    record(tmp_path, 1, name="episode_01.hdf5")
    with one_line_error(tmp_path, "episode_01.hdf5"):
        AlohaFolder(tmp_path)


def test_only_what_is_asked_for_is_read(tmp_path) -> None:
    record(tmp_path, 0)
    (episode,) = AlohaFolder(tmp_path).read(keys=["observation.effort", "action"])
    assert list(episode.observations) == ["observation.effort"]
    with one_line_error(tmp_path, f"has no {WRIST}", TOP):
        list(AlohaFolder(tmp_path).read(keys=[WRIST]))


def test_a_folder_is_aloha_by_its_files(tmp_path) -> None:
    assert not is_aloha(tmp_path)
    assert not is_aloha(record(tmp_path / "other", 0, name="demo.hdf5"))
    assert not is_aloha(tmp_path / "other")
    record(tmp_path / "a set", 7)
    assert is_aloha(tmp_path / "a set")


def test_labels_tell_success_and_checkpoint(tmp_path) -> None:
    for number in (0, 4, 5):
        record(tmp_path, number)
    (tmp_path / "labels.csv").write_text("episode,success,checkpoint\n4,1,003000\n5,0,\n9,1,1\n")
    dataset = AlohaFolder(tmp_path)
    said = [(episode.success, episode.checkpoint) for episode in dataset.read()]
    assert said == [(None, None), (True, "003000"), (False, None)]
    assert dataset.labels[9] == Label(True, "000001")


def test_labels_of_demo_score_follow_the_order_of_the_numbers(tmp_path) -> None:
    for number in (10, 9):
        record(tmp_path, number)
    (tmp_path / "labels.csv").write_text("1\n0\n")
    assert [episode.success for episode in AlohaFolder(tmp_path).read([10, 9])] == [False, True]


@pytest.mark.parametrize("missing", ["action", "observations/qpos", "observations"])
def test_missing_array_is_reported_with_its_file(tmp_path, missing) -> None:
    path = record(tmp_path, 0)
    with h5py.File(path, "r+") as file:
        del file[missing]
    with one_line_error(path, f"/{missing}"):
        list(AlohaFolder(tmp_path).read())


def test_camera_that_one_episode_lacks_is_reported_with_its_file(tmp_path) -> None:
    record(tmp_path, 0)
    with h5py.File(record(tmp_path, 1), "r+") as file:
        del file["observations/images/top"]
    with one_line_error(tmp_path / "episode_1.hdf5", TOP):
        list(AlohaFolder(tmp_path).read(keys=[TOP]))


def test_different_lengths_are_reported_with_their_file(tmp_path) -> None:
    path = record(tmp_path, 0)
    with h5py.File(path, "r+") as file:
        del file["action"]
        file["action"] = np.zeros((4, 14))
    with one_line_error(path, "/action 4", "/observations/qpos 5"):
        list(AlohaFolder(tmp_path).read())


def test_truncated_file_is_reported(tmp_path) -> None:
    path = record(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:-500])
    with one_line_error(path, "truncated"):
        list(AlohaFolder(tmp_path).read())


def test_two_arrays_of_one_key_are_reported(tmp_path) -> None:
    path = record(tmp_path, 0)
    with h5py.File(path, "r+") as file:
        file["observations/state"] = np.zeros((5, 2))
    with one_line_error(path, "/observations/state", "/observations/qpos"):
        list(AlohaFolder(tmp_path).read())


@pytest.mark.parametrize("row", [0, 2])
def test_row_that_is_no_jpeg_is_reported_with_its_frame(tmp_path, row) -> None:
    path = record(tmp_path, 0, compress=True)
    with h5py.File(path, "r+") as file:
        file["observations/images/top"][row] = 0
    with one_line_error(path, "/observations/images/top", f"frame {row}"):
        (episode,) = AlohaFolder(tmp_path).read()
        episode.observations[TOP][:]


def test_episode_without_a_step_is_read_as_such(tmp_path) -> None:
    with h5py.File(tmp_path / "episode_0.hdf5", "w") as file:
        file["action"] = file["observations/qpos"] = np.zeros((0, 14))
        file["observations/images/top"] = np.zeros((0, 9), np.uint8)
    (episode,) = AlohaFolder(tmp_path).read()
    assert len(episode) == len(episode.observations[TOP]) == 0


def test_written_folder_comes_back_bit_for_bit(tmp_path) -> None:
    episodes = [with_image(4, 0, success=None), with_image(6, 1, success=False, checkpoint="003000")]
    write_aloha(tmp_path / "a set", iter(episodes), sim=True)
    again = list(AlohaFolder(tmp_path / "a set").read())
    for old, new in zip(episodes, again, strict=True):
        assert_same(old, new)
    write_aloha(tmp_path / "copy", again)
    for old, new in zip(episodes, AlohaFolder(tmp_path / "copy").read(), strict=True):
        assert_same(old, new)


def test_written_file_has_the_layout_that_act_reads(tmp_path) -> None:
    write_aloha(tmp_path / "set", [with_image(4, 0, success=True)], sim=True)
    with h5py.File(tmp_path / "set/episode_0.hdf5") as file:
        assert dict(file.attrs) == {"sim": True, "compress": False}
        assert {"qpos", "qvel", "images"} <= set(file["observations"])
        assert file["observations/images/top"].chunks == (1, 8, 9, 3)
    assert (tmp_path / "set/labels.csv").read_text() == "episode,success\n0,1\n"


def test_no_labels_are_written_where_nothing_is_known(tmp_path) -> None:
    write_aloha(tmp_path / "set", [with_image(4, 0, success=None)])
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["episode_0.hdf5"]


def test_episode_without_state_leaves_nothing_behind(tmp_path) -> None:
    episode = with_image(4, 1)
    del episode.observations["observation.state"]
    with one_line_error("episode_1.hdf5", "observation.state"):
        write_aloha(tmp_path / "deep/set", [with_image(4, 0), episode])
    assert list((tmp_path / "deep").iterdir()) == []


def test_existing_folder_is_refused_and_kept(tmp_path) -> None:
    path = record(tmp_path / "set", 0)
    before = path.read_bytes()
    with one_line_error(tmp_path / "set", "exists"):
        write_aloha(tmp_path / "set", [with_image(4, 0)])
    assert path.read_bytes() == before


@pytest.mark.parametrize("damaged", [{0}, {0, 1, 2}])
def test_features_are_those_of_the_first_episode_that_can_be_read(tmp_path, damaged) -> None:
    for number in range(3):
        path = record(tmp_path, number)
        path.write_bytes(path.read_bytes()[: 500 if number in damaged else None])
    if damaged == {0}:
        assert AlohaFolder(tmp_path).features()[TOP] == (24, 32, 3)
        return
    with one_line_error(tmp_path / "episode_0.hdf5", "truncated"):
        AlohaFolder(tmp_path).features()


@pytest.mark.parametrize("row", [0, 2])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_jpeg_that_is_cut_in_the_middle_is_reported_with_its_frame(tmp_path, row, share) -> None:
    path = record(tmp_path, 0, compress=True)
    with h5py.File(path, "r+") as file:
        encoded = file["observations/images/top"][row]
        encoded[int(share * len(encoded)) :] = 0
        file["observations/images/top"][row] = encoded
    with one_line_error(path, "/observations/images/top", f"frame {row}", "only part"):
        (episode,) = AlohaFolder(tmp_path).read()
        episode.observations[TOP][:]


@pytest.mark.parametrize("link", [h5py.SoftLink("/nowhere"), h5py.ExternalLink("gone.hdf5", "/x"), h5py.SoftLink("/")])
def test_link_that_leads_to_no_array_is_reported(tmp_path, link) -> None:
    path = record(tmp_path, 0)
    with h5py.File(path, "r+") as file:
        file["observations/extra"] = link
    with one_line_error(path, "/observations/extra is a link that leads to no array"):
        list(AlohaFolder(tmp_path).read())


def test_array_without_steps_is_reported(tmp_path) -> None:
    path = record(tmp_path, 0)
    with h5py.File(path, "r+") as file:
        file["observations/temperature"] = 20.5
    with one_line_error(path, "/observations/temperature is no array of steps"):
        list(AlohaFolder(tmp_path).read())


def test_images_of_an_episode_without_a_step_can_be_written(tmp_path) -> None:
    write_aloha(tmp_path / "set", [with_image(0, 0)])
    (episode,) = AlohaFolder(tmp_path / "set").read()
    assert episode.observations[TOP][:].shape == (0, 8, 9, 3)

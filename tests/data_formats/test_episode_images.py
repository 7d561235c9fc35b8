"""Images in episode files: read frame by frame, and damage is reported in one line."""

import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.frames import Frames
from episode_files import ENV_ARGS, assert_equal

IMAGES = {"observation.image": (4, 6), "observation.images.top": (8, 4)}


@pytest.fixture
def image_path(tmp_path: Path) -> Path:
    write_episodes(tmp_path / "images.hdf5", [image_episode(number) for number in range(2)], ENV_ARGS)
    return tmp_path / "images.hdf5"


def image_episode(number: int) -> Episode:
    episode = random_episode(20, seed=number)
    generator = np.random.default_rng(number)
    for key, size in IMAGES.items():
        episode.observations[key] = generator.integers(0, 256, (20, *size, 3), dtype=np.uint8)
    return episode


def test_images_come_back_frame_by_frame(image_path) -> None:
    for number, read in enumerate(read_episodes(image_path)):
        written = image_episode(number)
        assert_equal(written, read)
        for key in IMAGES:
            frames, images = read.observations[key], written.observations[key]
            assert isinstance(frames, Frames)
            assert (len(frames), frames.shape, frames.dtype) == (20, images.shape, np.uint8)
            for indices in ([7], [3, 0, 3, -1], np.array([], dtype=int), slice(2, 18, 5)):
                np.testing.assert_array_equal(frames[indices], images[indices], strict=True)
            with pytest.raises(IndexError):
                frames[[20]]


def test_images_are_stored_one_a_chunk_under_their_camera(image_path) -> None:
    with h5py.File(image_path) as file:
        stored = file["data/demo_1/obs/images/top"]
        assert stored.chunks == (1, 8, 4, 3) and stored.compression == "gzip" and stored.dtype == np.uint8
        assert "image" in file["data/demo_0/obs"]


def test_frames_can_be_handed_to_another_process(image_path) -> None:
    frames = read_episodes(image_path)[0].observations["observation.image"]
    before = frames[:]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(frames))[:], before)


def test_episodes_with_images_in_a_file_can_be_written_to_another(tmp_path, image_path) -> None:
    write_episodes(tmp_path / "copy.hdf5", (episode for episode in read_episodes(image_path)), ENV_ARGS)
    for number, read in enumerate(read_episodes(tmp_path / "copy.hdf5")):
        assert_equal(image_episode(number), read)


def test_file_that_changed_after_its_episodes_were_listed_is_reported(image_path) -> None:
    frames = read_episodes(image_path)[0].observations["observation.image"]
    write_episodes(image_path, [image_episode(5)], ENV_ARGS)
    with one_line_error(image_path, "changed"):
        frames[:1]


def test_damaged_image_is_reported(image_path) -> None:
    with h5py.File(image_path) as file:
        stored = file["data/demo_0/obs/images/top"].id.get_chunk_info(3)
    content = bytearray(image_path.read_bytes())
    content[stored.byte_offset : stored.byte_offset + stored.size] = bytes(stored.size)
    image_path.write_bytes(content)
    frames = read_episodes(image_path)[0].observations["observation.images.top"]
    assert frames[[2, 4]].shape == (2, 8, 4, 3)
    with one_line_error(image_path, "demo_0", "damaged"):
        frames[[3]]


def test_images_of_an_episode_without_a_step_can_be_written(tmp_path) -> None:
    episode = replace(random_episode(0), observations={"observation.image": np.zeros((0, 4, 6, 3), np.uint8)})
    for name in ("empty.hdf5", "copy.hdf5"):  # from memory, then from a file
        write_episodes(tmp_path / name, [episode], ENV_ARGS)
        (episode,) = read_episodes(tmp_path / name)
        assert episode.observations["observation.image"][:].shape == (0, 4, 6, 3)

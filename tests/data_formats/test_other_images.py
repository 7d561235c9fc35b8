"""Images that lie in HDF5 otherwise than (T, H, W, 3) uint8: understood, or named before anything is learnt."""

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import write_episodes
from demo_score.ingest.conversion import export_data
from demo_score.ingest.inspection import inspect
from demo_score.training.sources import training_episodes
from omegaconf import OmegaConf

CAMERA = "observation.cam"
ODD = {
    "rgba": ((16, 24, 4), np.uint8, "uint8 (16, 24, 4)"),
    "float": ((16, 24, 3), np.float32, "float32 (16, 24, 3)"),
    "float_chw": ((3, 16, 24), np.float64, "float64 (3, 16, 24)"),
    "grey": ((16, 24), np.uint8, "uint8 (16, 24)"),
    "one_channel": ((16, 24, 1), np.uint8, "uint8 (16, 24, 1)"),
    "depth": ((16, 24, 1), np.uint16, "uint16 (16, 24, 1)"),
}


def robomimic(path: Path, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """A file of one episode with such images, which are returned."""
    write_episodes(path, [random_episode(5, 0)], {"fps": 10})
    images = (np.random.default_rng(0).random((5, *shape)) * 255).astype(dtype)
    with h5py.File(path, "r+") as file:
        file["data/demo_0/obs/cam"] = images
    return images


def settings(source: Path, **changes) -> OmegaConf:
    env = {"fps": 10, "image_size": [16, 24]}
    policy = {"input_shapes": {CAMERA: [3, 16, 24]}}
    said = {"policy": policy, "env": env, "video_backend": "pyav", "dataset_repo_id": str(source)}
    return OmegaConf.create(said | changes)


@pytest.mark.parametrize("kind", ODD)
def test_images_of_other_kinds_are_named_and_not_trained_on(tmp_path, kind) -> None:
    shape, dtype, called = ODD[kind]
    robomimic(tmp_path / "a.hdf5", shape, dtype)
    found = inspect(tmp_path / "a.hdf5")
    assert found.not_read == [f"{CAMERA} ({called}: images are uint8 (height, width, 3))"]
    assert CAMERA not in found.keys
    with one_line_error(tmp_path / "a.hdf5", CAMERA, called, "images are uint8 (height, width, 3)", "is not read"):
        training_episodes(settings(tmp_path / "a.hdf5"))


def test_channels_first_are_understood(tmp_path) -> None:
    images = robomimic(tmp_path / "a.hdf5", (3, 16, 24), np.uint8)
    found = inspect(tmp_path / "a.hdf5")
    assert (found.keys[CAMERA].shape, found.keys[CAMERA].dtype, found.not_read) == ((16, 24, 3), "image", [])
    for episode in training_episodes(settings(tmp_path / "a.hdf5")):
        np.testing.assert_array_equal(episode.observations[CAMERA][[0, 4]], np.moveaxis(images, 1, -1)[[0, 4]])
    export_data(tmp_path / "a.hdf5", tmp_path / "b", "lerobot", images="image")
    again = next(open_dataset(tmp_path / "b").read()).observations[CAMERA]
    np.testing.assert_array_equal(again[:], np.moveaxis(images, 1, -1))


@pytest.mark.parametrize("shape", [(4, 4), (2, 7, 3), (7,), (50, 3), (3, 3, 3)])
def test_small_arrays_of_numbers_stay_what_they_are(tmp_path, shape) -> None:
    values = robomimic(tmp_path / "a.hdf5", shape, np.float32)
    np.testing.assert_array_equal(next(open_dataset(tmp_path / "a.hdf5").read()).observations[CAMERA], values)


def test_numbers_are_no_images_for_a_policy(tmp_path) -> None:
    robomimic(tmp_path / "a.hdf5", (24,), np.float32)
    with one_line_error(f"{CAMERA} is numbers (24,)", "no images", "dataset_keys"):
        training_episodes(settings(tmp_path / "a.hdf5"))


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """ALOHA's files with ordinary JPEGs of a red scene."""
    write_aloha(tmp_path / "red", [random_episode(5, 0)])
    bgr = np.zeros((16, 24, 3), np.uint8)
    bgr[..., 2] = 200
    encoded = cv2.imencode(".jpg", bgr)[1].ravel()
    with h5py.File(tmp_path / "red/episode_0.hdf5", "r+") as file:
        file["observations/images/top"] = np.stack([encoded] * 5)
    return tmp_path / "red"


@pytest.mark.parametrize(("made", "channel"), [("act", 2), ("standard", 0)])
def test_how_jpegs_were_made_is_a_setting(red, tmp_path, capsys, made, channel) -> None:
    key = "observation.images.top"
    export_data(red, tmp_path / "new", "lerobot", fps=10, images="image", aloha_jpeg=made)
    image = next(open_dataset(tmp_path / "new").read()).observations[key][:].mean((0, 1, 2))
    assert image[channel] > 190
    assert image.sum() < 220
    assert ("aloha_jpeg=standard" in capsys.readouterr().err) == (made == "act")
    policy = {"input_shapes": {key: [3, 16, 24]}}
    [episode] = training_episodes(settings(red, policy=policy, aloha_jpeg=made))
    assert episode.observations[key][:].mean((0, 1, 2))[channel] > 190
    assert ("aloha_jpeg=standard" in capsys.readouterr().err) == (made == "act")


def test_order_of_channels_is_said_to_be_unknown(red) -> None:
    assert "aloha_jpeg=standard" in inspect(red).notes[0]
    with one_line_error("aloha_jpeg=rgb", "act, standard"):
        open_dataset(red, aloha_jpeg="rgb")

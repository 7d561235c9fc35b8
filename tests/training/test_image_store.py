"""Decoded images: the same batches bit for bit, decoded once, and never another file's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import one_line_error, random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.frames import Frames
from demo_score.data.image_store import with_decoded_images
from demo_score.training.batches import Batches
from demo_score.training.chunks import ChunkDataset
from lerobot_fixture import write_lerobot

IMAGE = "observation.image"


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture(params=["hdf5", "png", "video"])
def episodes(request, tmp_path) -> list[Episode]:
    if request.param != "hdf5":
        folder = write_lerobot(tmp_path / "data", n_episodes=3, video=request.param == "video")
        return read_episodes(folder, None, [IMAGE])
    made = [random_episode(7, seed=seed) for seed in range(3)]
    for seed, episode in enumerate(made):
        episode.observations[IMAGE] = np.random.default_rng(seed).integers(0, 256, (7, 32, 48, 3), dtype=np.uint8)
    write_episodes(tmp_path / "data.hdf5", made, {})
    return read_episodes(tmp_path / "data.hdf5")


def decoded(episodes: list[Episode], store: Path, how: str = "") -> list[Frames]:
    return [episode.observations[IMAGE] for episode in with_decoded_images(episodes, store, how)]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_and_what_names_their_data_are_the_same(episodes, store, num_workers) -> None:
    found = []
    for source in (episodes, with_decoded_images(episodes, store, "")):
        dataset = ChunkDataset(source, [IMAGE], 2, range(3))
        batches = Batches(dataset, 5, torch.Generator().manual_seed(0), num_workers, torch.device("cpu"))
        found.append((next(batches)[IMAGE], next(batches)[IMAGE], dataset.digest()))
        batches.close()
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]


def test_images_are_decoded_once(episodes, store, monkeypatch) -> None:
    first = [frames[:] for frames in decoded(episodes, store)]
    assert len({frame.tobytes() for frames in first for frame in frames}) > 3  # no two episodes have the same
    monkeypatch.setattr(type(episodes[0].observations[IMAGE]), "_images", None)
    assert all(np.array_equal(*pair) for pair in zip(first, (f[:] for f in decoded(episodes, store)), strict=True))


def test_a_file_that_changed_and_another_way_to_decode_are_decoded_anew(episodes, store) -> None:
    frames = episodes[0].observations[IMAGE]
    decoded(episodes[:1], store)
    decoded(episodes[:1], store, "standard")
    frames.source = replace(frames.source, modified=frames.source.modified + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(frames.source), "unchanged", lambda source: source.path)
        decoded(episodes[:1], store)
    assert len(list(store.iterdir())) == 3


def test_images_in_memory_stay_where_they_are(store) -> None:
    episode = random_episode(4)
    episode.observations[IMAGE] = np.zeros((4, 8, 8, 3), np.uint8)
    assert with_decoded_images([episode], store, "")[0].observations[IMAGE] is episode.observations[IMAGE]


def test_a_damaged_file_of_the_store_is_named(episodes, store) -> None:
    frames = decoded(episodes, store)[1]
    frames.file.write_bytes(frames.file.read_bytes()[:-100])
    with one_line_error(str(frames.file), "remove it"):
        frames[:]


def test_what_fails_while_it_is_decoded_leaves_no_file(episodes, store, monkeypatch) -> None:
    def fail(*_) -> None:
        raise MemoryError

    monkeypatch.setattr("demo_score.data.image_store.check", fail)
    with pytest.raises(MemoryError):
        decoded(episodes, store)
    assert not list(store.iterdir())


def test_a_store_that_is_no_folder_is_named(episodes, store) -> None:
    store.write_text("a file")
    with one_line_error(str(store)):
        decoded(episodes, store)

"""Every reader answers random damage with errors of one line: no other exception comes out."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import random_episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import write_episodes
from demo_score.runtime.errors import UserError
from places import TESTS

DAMAGES = 30


@pytest.fixture(params=["lerobot_v3.0", "lerobot_v2.1", "lerobot_v3.0_images", "robomimic", "aloha"])
def any_data_set(request, tmp_path: Path) -> Path:
    if request.param.startswith("lerobot"):
        return shutil.copytree(TESTS / "data" / request.param, tmp_path / request.param)
    images = np.random.default_rng(0).integers(0, 256, (2, 20, 8, 4, 3), dtype=np.uint8)
    episodes = [random_episode(20, number) for number in range(2)]
    for number, episode in enumerate(episodes):
        episode.observations["observation.images.top"] = images[number]
    if request.param == "robomimic":
        write_episodes(tmp_path / "data.hdf5", episodes, {})
        return tmp_path / "data.hdf5"
    write_aloha(tmp_path / "aloha", episodes)
    return tmp_path / "aloha"


def test_random_damage_raises_nothing_but_errors_of_one_line(any_data_set) -> None:
    files = sorted(path for path in [any_data_set, *any_data_set.rglob("*")] if path.is_file())
    generator, counts = np.random.default_rng(0), Counter()
    for number in range(DAMAGES):
        path = files[generator.integers(len(files))]
        before = path.read_bytes()
        replace_content(path, damage(before, generator, cut=number % 5 == 0))
        counts[read_all(any_data_set)] += 1
        replace_content(path, before)
    assert counts["refused"] >= DAMAGES // 5


def replace_content(path: Path, content: bytes) -> None:
    """As another file: of one that is open still, HDF5 goes on using what it knows."""
    path.unlink()
    path.write_bytes(content)


def damage(content: bytes, generator: np.random.Generator, cut: bool) -> bytes:
    """Cut off the end, or overwrite up to 64 bytes, as often near either end, where formats keep their structure."""
    places = [len(content), min(len(content), 2048), -min(len(content), 2048)]
    at = int(generator.random() * places[generator.integers(3)]) % max(len(content), 1)
    length = int(generator.choice([1, 4, 64]))
    if cut:
        return content[:at]
    return (content[:at] + generator.bytes(length) + content[at + length :])[: len(content)]


def read_all(path: Path) -> str:
    """Read whatever can be read."""
    outcome = "read"
    try:
        dataset = open_dataset(path)
    except UserError as error:
        assert "\n" not in str(error)
        return "refused"
    for number in dataset.episode_indices:
        try:
            (episode,) = dataset.read([number])
            for values in episode.observations.values():
                values[:]
        except UserError as error:
            assert "\n" not in str(error)
            outcome = "refused"
    return outcome

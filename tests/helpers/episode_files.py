"""Episodes in a file of robomimic's layout."""

from pathlib import Path

import numpy as np
import pytest
from conftest import random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats.robomimic import write_episodes

ENV_ARGS = {"env_name": "AlohaTransferCube-v0", "fps": 50}


def assert_equal(first: Episode, second: Episode) -> None:
    assert first.observations.keys() == second.observations.keys()
    for key, values in first.observations.items():
        np.testing.assert_array_equal(values[:], second.observations[key][:], strict=True)
    np.testing.assert_array_equal(first.actions, second.actions, strict=True)
    np.testing.assert_array_equal(first.rewards, second.rewards, strict=True)
    for name in ("success", "seed", "strategy", "checkpoint"):
        assert getattr(first, name) == getattr(second, name)


@pytest.fixture
def episodes() -> list[Episode]:
    return [
        random_episode(5, seed=11, strategy="reliable"),
        random_episode(9, seed=12, success=False, checkpoint="003000"),
        random_episode(1, seed=13),
    ]


@pytest.fixture
def path(tmp_path: Path, episodes: list[Episode]) -> Path:
    write_episodes(tmp_path / "episodes.hdf5", episodes, ENV_ARGS)
    return tmp_path / "episodes.hdf5"

"""Our files, and those that robosuite records, through robomimic's own reader. `make test-peers` runs this."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.robomimic import write_episodes
from demo_score.ingest.keep_lists import write_mask
from places import REPOSITORY
from robomimic.utils.dataset import SequenceDataset
from robomimic.utils.obs_utils import initialize_obs_utils_with_obs_specs

KEPT = [2, 9, 10]
OPERATORS = {"better": 3, "worse": 3}


def episode(seed: int) -> Episode:
    generator, length = np.random.default_rng(seed), 5 + seed
    return Episode(
        observations={"observation.state": generator.normal(size=(length, 4)).astype(np.float32)},
        actions=generator.normal(size=(length, 3)).astype(np.float32),
        rewards=generator.random(length, dtype=np.float32),
        success=seed % 2 == 0,
        seed=seed,
    )


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robomimic")
    write_episodes(folder / "demos.hdf5", [episode(seed) for seed in range(12)], {"env_name": "Lift", "type": 1})
    write_mask(folder / "demos.hdf5", KEPT, "demo_score", folder / "masked.hdf5")
    return folder / "masked.hdf5"


@pytest.fixture(scope="module", params=["Lift", "PickPlaceCan"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What robosuite records of a scripted operator, from the repository's environment: this one lacks robosuite."""
    path = tmp_path_factory.mktemp("robosuite") / "low_dim.hdf5"
    record = f"from robosuite_recording import record; record({str(path)!r}, {request.param!r}, {OPERATORS})"
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}/workflow:{REPOSITORY}/tests/helpers"}
    subprocess.run([REPOSITORY / ".venv/bin/python", "-c", record], env=environment, check=True)
    return path


def opened(path: Path, filter_key: str | None, cache: str | None, keys: list[str] | None = None) -> SequenceDataset:
    keys = keys or ["state"]
    initialize_obs_utils_with_obs_specs({"obs": {"low_dim": keys, "rgb": [], "depth": [], "scan": []}})
    return SequenceDataset(
        hdf5_path=str(path),
        obs_keys=keys,
        dataset_keys=["actions", "rewards", "dones"],
        frame_stack=1,
        seq_length=1,
        hdf5_cache_mode=cache,
        load_next_obs=False,
        filter_by_attribute=filter_key,
    )


@pytest.mark.parametrize("cache", [None, "low_dim", "all"])
@pytest.mark.parametrize("key", ["demo_score", "demo_score_dropped", None])
def test_a_filter_key_yields_exactly_its_episodes(masked, key, cache) -> None:
    others = [number for number in range(12) if number not in KEPT]
    wanted = {"demo_score": KEPT, "demo_score_dropped": others, None: list(range(12))}[key]
    dataset = opened(masked, key, cache)
    assert list(dataset.demos) == [f"demo_{number}" for number in wanted]
    items = [dataset[index] for index in range(len(dataset))]
    for name in ("actions", "rewards"):
        expected = np.concatenate([getattr(episode(number), name) for number in wanted])
        np.testing.assert_array_equal(np.concatenate([item[name] for item in items]), expected)
    expected = np.concatenate([episode(number).observations["observation.state"] for number in wanted])
    np.testing.assert_array_equal(np.concatenate([item["obs"]["state"] for item in items]), expected)


@pytest.mark.parametrize("key", ["better", "worse_train", "valid", None])
def test_robosuite_s_recordings_are_read_alike_by_both(recorded, key) -> None:
    ours = open_dataset(recorded)
    chosen = ours.filter_keys()[key] if key else range(sum(OPERATORS.values()))
    names = sorted(name.removeprefix("observation.") for name in ours.features() if name.startswith("observation."))
    assert {"object", "robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos"} <= set(names)
    theirs = opened(recorded, key, "all", names)
    assert list(theirs.demos) == [f"demo_{number}" for number in chosen]
    items = [theirs[index] for index in range(len(theirs))]
    episodes = list(ours.read(chosen))
    np.testing.assert_array_equal(
        np.concatenate([item["actions"] for item in items]).astype(np.float32),
        np.concatenate([episode.actions for episode in episodes]),
    )
    for name in names:
        np.testing.assert_array_equal(
            np.concatenate([item["obs"][name] for item in items]).astype(np.float32),
            np.concatenate([episode.observations[f"observation.{name}"] for episode in episodes]).astype(np.float32),
        )

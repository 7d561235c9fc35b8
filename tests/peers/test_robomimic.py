"""Our episode files and our filter keys through robomimic's own reader. `make test-peers` runs this."""

from pathlib import Path

import numpy as np
import pytest
from demo_score.data.episodes import Episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.ingest.keep_lists import write_mask
from robomimic.utils.dataset import SequenceDataset
from robomimic.utils.obs_utils import initialize_obs_utils_with_obs_specs

KEPT = [2, 9, 10]


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


def opened(path: Path, filter_key: str | None, cache: str | None) -> SequenceDataset:
    initialize_obs_utils_with_obs_specs({"obs": {"low_dim": ["state"], "rgb": [], "depth": [], "scan": []}})
    return SequenceDataset(
        hdf5_path=str(path),
        obs_keys=["state"],
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

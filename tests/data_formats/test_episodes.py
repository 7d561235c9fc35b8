"""Episode files: what is stored comes back, in robomimic's layout, and damage is reported in one line."""

import json
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import RobomimicFile, write_episodes
from episode_files import ENV_ARGS, assert_equal, episodes, path

__all__ = ["episodes", "path"]  # the fixtures


def test_written_episodes_come_back_with_all_their_attributes(path, episodes) -> None:
    for written, read in zip(episodes, read_episodes(path), strict=True):
        assert_equal(written, read)
    assert RobomimicFile(path).env_args() == ENV_ARGS
    assert RobomimicFile(path).episode_indices == [0, 1, 2]


def test_episodes_come_in_the_order_asked_for(path, episodes) -> None:
    last, first = read_episodes(path, [2, 0])
    assert_equal(last, episodes[2])
    assert_equal(first, episodes[0])
    assert read_episodes(path, []) == []


def test_more_than_ten_episodes_keep_their_numbers(tmp_path) -> None:
    write_episodes(tmp_path / "many.hdf5", [random_episode(2, seed=seed) for seed in range(12)], ENV_ARGS)
    assert [episode.seed for episode in read_episodes(tmp_path / "many.hdf5")] == list(range(12))


def test_layout_is_robomimics(path, episodes) -> None:
    with h5py.File(path) as file:
        data = file["data"]
        assert sorted(data) == ["demo_0", "demo_1", "demo_2"]
        assert data.attrs["total"] == 5 + 9 + 1
        assert json.loads(data.attrs["env_args"]) == ENV_ARGS
        demo = data["demo_1"]
        assert sorted(demo) == ["actions", "dones", "obs", "rewards"]
        assert sorted(demo["obs"]) == ["environment_state", "state"]
        assert demo.attrs["num_samples"] == 9
        assert demo["dones"][()].tolist() == [0] * 8 + [1]
        np.testing.assert_array_equal(demo["obs/state"], episodes[1].observations["observation.state"])


def test_same_episodes_make_the_same_bytes_at_another_time(path, episodes) -> None:
    before = path.read_bytes()
    time.sleep(1.1)  # HDF5's time stamps, if any, count seconds
    write_episodes(path, episodes, ENV_ARGS)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_truncated_file_is_reported(path, share) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with one_line_error(path, "truncated"):
        read_episodes(path)


def test_text_file_is_reported(tmp_path) -> None:
    path = tmp_path / "episodes.hdf5"
    path.write_text("not HDF5")
    with one_line_error(path, "not an HDF5 file"):
        RobomimicFile(path)


def test_missing_file_is_reported(tmp_path) -> None:
    with one_line_error(tmp_path / "gone.hdf5", "no such file"):
        RobomimicFile(tmp_path / "gone.hdf5")


@pytest.mark.parametrize("name", ["other", "data"])
def test_hdf5_file_of_another_kind_is_reported(tmp_path, name) -> None:
    path = tmp_path / "foreign.hdf5"
    with h5py.File(path, "w") as file:
        file[name] = np.arange(3)
    with one_line_error(path, "not an episode file"):
        read_episodes(path)


def test_missing_episode_is_reported(path) -> None:
    with one_line_error(path, "no episode 3", "holds 3 episodes"):
        read_episodes(path, [0, 3])
    with one_line_error(path, "no episode -1"):
        read_episodes(path, [-1])


@pytest.mark.parametrize("lost", ["actions", "obs"])
def test_episode_without_an_array_is_reported(path, lost) -> None:
    with h5py.File(path, "a") as file:
        del file["data/demo_1"][lost]
    with one_line_error(path, "demo_1", "incomplete or damaged"):
        read_episodes(path)
    assert len(read_episodes(path, [0, 2])) == 2


def test_episode_that_does_not_tell_its_length_is_as_long_as_its_arrays(path, episodes) -> None:
    with h5py.File(path, "a") as file:
        del file["data/demo_1"].attrs["num_samples"]
    assert_equal(read_episodes(path)[1], episodes[1])
    with h5py.File(path, "a") as file:
        del file["data/demo_1/rewards"]
        file["data/demo_1/rewards"] = np.zeros(4)
    with one_line_error(path, "demo_1", "[4, 9] steps"):
        read_episodes(path)


def test_what_robomimics_own_files_lack_is_unknown(path) -> None:
    with h5py.File(path, "a") as file:
        for name in ("success", "seed"):
            del file["data/demo_1"].attrs[name]
        del file["data/demo_1/rewards"], file["data"].attrs["env_args"], file["data"].attrs["total"]
    episode = read_episodes(path)[1]
    assert (episode.success, episode.seed, episode.rewards) == (None, 1, None)
    assert RobomimicFile(path).env_args() == {}


@pytest.mark.parametrize("name", ["actions", "rewards", "observation.state"])
def test_arrays_of_unequal_length_are_reported(tmp_path, name) -> None:
    episode = random_episode(6)
    if name in episode.observations:
        episode.observations[name] = episode.observations[name][:-1]
    else:
        episode = replace(episode, **{name: getattr(episode, name)[:-1]})
    write_episodes(tmp_path / "uneven.hdf5", [episode], ENV_ARGS)
    with one_line_error(tmp_path / "uneven.hdf5", "demo_0", "num_samples"):
        read_episodes(tmp_path / "uneven.hdf5")


def test_failing_write_leaves_the_previous_file_and_nothing_else(path, episodes) -> None:
    before = path.read_bytes()
    unwritable = replace(random_episode(3), rewards=np.array([object()] * 3))
    with pytest.raises(TypeError):
        write_episodes(path, [*episodes, unwritable], ENV_ARGS)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_failing_first_write_leaves_nothing(tmp_path) -> None:
    with pytest.raises(TypeError):
        write_episodes(tmp_path / "new.hdf5", [random_episode(3)], {"not JSON": object()})
    assert list(tmp_path.iterdir()) == []

"""Rollouts in the real environment, with an untrained policy: what is stored, and what it may depend on."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import one_line_error, tiny_settings
from demo_score.data.episodes import Episode, read_env_args, read_episodes
from demo_score.policies import make_policy
from demo_score.policies.act import ACT
from demo_score.rollout.loop import rollout
from demo_score.rollout.runs import collect_rollouts, evaluate, run_checkpoint, write_outcomes
from demo_score.training.checkpoints import save_checkpoint
from gym_aloha.constants import START_ARM_POSE
from omegaconf import OmegaConf

OVERRIDES = ["policy.sample_latent=true", "policy.n_action_steps=10", "eval.n_episodes=3", "eval.batch_size=2"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def untrained() -> ACT:
    """A policy that moves a little around the arms' first pose."""
    torch.manual_seed(0)
    policy = make_policy(tiny_settings(*OVERRIDES)).eval()
    pose = np.array(START_ARM_POSE[:7] + START_ARM_POSE[8:15], np.float32)
    sizes = {"observation.state": pose, "observation.environment_state": np.zeros(7, np.float32), "action": pose}
    policy.normalization.set_statistics({key: (mean, 0.1 + 0 * mean) for key, mean in sizes.items()}, 0.01)
    return policy


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "checkpoints" / "003000"
    save_checkpoint(folder, untrained(), tiny_settings(*OVERRIDES))
    return folder


def episodes_of(seeds: list[int], batch_size: int, n_processes: int = 1) -> list[Episode]:
    settings = OmegaConf.to_container(tiny_settings(*OVERRIDES).env)
    return rollout(untrained(), settings, seeds, batch_size, n_processes)


def assert_identical(first: list[Episode], second: list[Episode]) -> None:
    assert [episode.seed for episode in first] == [episode.seed for episode in second]
    for one, other in zip(first, second, strict=True):
        assert one.success == other.success
        np.testing.assert_array_equal(one.actions, other.actions)
        np.testing.assert_array_equal(one.rewards, other.rewards)
        for key, values in one.observations.items():
            np.testing.assert_array_equal(values, other.observations[key])


def test_episodes_are_the_same_for_one_and_two_processes() -> None:
    """The last batch holds fewer episodes than there are processes."""
    one, two = (episodes_of([3, 4, 5, 6, 7, 8, 9], batch_size=3, n_processes=n) for n in (1, 2))
    assert_identical(one, two)
    assert not np.array_equal(one[0].actions, one[1].actions)


def test_same_rollouts_come_again() -> None:
    assert_identical(episodes_of([3, 4], batch_size=2), episodes_of([3, 4], batch_size=2))


def test_batch_may_be_larger_than_the_number_of_episodes() -> None:
    assert_identical(episodes_of([3, 4], batch_size=50), episodes_of([3, 4], batch_size=2))


def test_episode_hardly_depends_on_its_batch() -> None:
    """Only by the rounding of matrix products of another size."""
    alone, together = episodes_of([4], batch_size=1)[0], episodes_of([3, 4, 5], batch_size=3)[1]
    np.testing.assert_allclose(alone.actions, together.actions, atol=1e-3)
    np.testing.assert_array_equal(
        alone.observations["observation.environment_state"][0],
        together.observations["observation.environment_state"][0],
    )


def test_rollouts_are_stored_with_their_outcomes(tmp_path, checkpoint, capsys) -> None:
    collect_rollouts(checkpoint, ["seed=500"], tmp_path / "rollouts")
    episodes = read_episodes(tmp_path / "rollouts/003000.hdf5")
    assert [episode.seed for episode in episodes] == [500, 501, 502]
    assert {episode.checkpoint for episode in episodes} == {"003000"}
    assert {episode.strategy for episode in episodes} == {None}
    assert episodes[0].actions.shape == (30, 14) and episodes[0].actions.dtype == np.float32
    assert {key: values.shape for key, values in episodes[0].observations.items()} == {
        "observation.state": (30, 14),
        "observation.environment_state": (30, 7),
    }
    outcomes = pd.read_csv(tmp_path / "rollouts/003000.csv")
    assert list(outcomes) == ["start_seed", "success", "length"]
    expected = [(episode.seed, int(episode.success), len(episode)) for episode in episodes]
    assert list(outcomes.itertuples(index=False, name=None)) == expected
    settings = OmegaConf.to_container(tiny_settings(*OVERRIDES).env)
    assert read_env_args(tmp_path / "rollouts/003000.hdf5") == {**settings, "env_name": "AlohaTransferCube-v0"}
    assert sorted(path.name for path in (tmp_path / "rollouts").iterdir()) == ["003000.csv", "003000.hdf5"]
    assert re.search(r"success 0.0% \[0.0%, [\d.]+%\] \(0 of 3 episodes\)", capsys.readouterr().out)


def test_evaluation_is_stored_with_the_outcomes_of_the_same_rollouts(tmp_path, checkpoint) -> None:
    evaluate(checkpoint, ["seed=500", "eval.n_episodes=2"], tmp_path)
    assert (tmp_path / "evaluation.csv").read_text() == "start_seed,success,length\n500,0,30\n501,0,30\n"


def test_outcomes_tell_success_from_failure(tmp_path, checkpoint) -> None:
    episodes, _ = run_checkpoint(checkpoint, ["eval.n_episodes=2", "env.episode_length=2"])
    episodes[1].success = True
    write_outcomes(tmp_path / "outcomes.csv", episodes)
    assert pd.read_csv(tmp_path / "outcomes.csv")["success"].tolist() == [0, 1]


def test_overrides_reach_the_run(checkpoint, monkeypatch) -> None:
    calls = []
    act = ACT.act
    monkeypatch.setattr(
        ACT, "act", lambda policy, inputs: calls.append(len(inputs["observation.state"])) or act(policy, inputs)
    )
    overrides = ["eval.n_episodes=5", "eval.batch_size=4", "policy.n_action_steps=4", "env.episode_length=7", "seed=20"]
    episodes, env_settings = run_checkpoint(checkpoint, overrides)
    assert [episode.seed for episode in episodes] == [20, 21, 22, 23, 24]
    assert [len(episode) for episode in episodes] == [7] * 5
    assert env_settings["episode_length"] == 7
    assert calls == [4, 4, 1, 1]  # two chunks of 4 actions for each batch


def test_override_that_does_not_exist_is_reported(tmp_path, checkpoint) -> None:
    with one_line_error("eval.n_episodez"):
        collect_rollouts(checkpoint, ["eval.n_episodez=3"], tmp_path / "rollouts")
    assert not (tmp_path / "rollouts").exists()


def test_folder_that_is_no_checkpoint_is_reported(tmp_path) -> None:
    with one_line_error(tmp_path, "not a checkpoint"):
        evaluate(tmp_path, [], tmp_path)

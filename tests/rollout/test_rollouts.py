"""Rollouts in the real environment, with an untrained policy: what is stored, and what it may depend on."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import one_line_error, tiny_settings
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import RobomimicFile
from demo_score.policies.act import ACT
from demo_score.policies.checkpoints import save_checkpoint
from demo_score.rollout import runs
from demo_score.rollout.chunk_env import LOOKS, ChunkEnv
from demo_score.rollout.environments import EnvironmentMaker
from demo_score.rollout.loop import RolloutOptions, rollout, rollout_settings
from demo_score.rollout.outcomes import list_outcomes, write_outcomes
from demo_score.rollout.runs import collect_rollouts, evaluate, run_checkpoint
from demo_score.run_options import OfRun
from demo_score.runtime import hardware
from demo_score.tables import OUTCOMES
from omegaconf import OmegaConf
from rollout_policies import IMAGE, OVERRIDES, Chaser, pusht_settings, untrained
from torch import Tensor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "checkpoints" / "003000"
    save_checkpoint(folder, untrained(), tiny_settings(*OVERRIDES))
    return folder


def episodes_of(seeds: list[int], batch_size: int, use_async_envs: bool = False) -> list[Episode]:
    make = EnvironmentMaker.of(tiny_settings(*OVERRIDES))
    return rollout(untrained(), make, seeds, RolloutOptions(batch_size, use_async_envs))


def assert_identical(first: list[Episode], second: list[Episode]) -> None:
    assert [episode.seed for episode in first] == [episode.seed for episode in second]
    for one, other in zip(first, second, strict=True):
        assert one.success == other.success
        np.testing.assert_array_equal(one.actions, other.actions)
        np.testing.assert_array_equal(one.rewards, other.rewards)
        assert list(one.observations) == list(other.observations)
        for key, values in one.observations.items():
            np.testing.assert_array_equal(values[:], other.observations[key][:])


def test_episodes_are_the_same_in_one_process_and_in_one_for_each() -> None:
    """The last batch holds fewer episodes than there are environments."""
    one, many = (episodes_of([3, 4, 5, 6, 7, 8, 9], batch_size=3, use_async_envs=choice) for choice in (False, True))
    assert_identical(one, many)
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


def chase(
    policy: Chaser,
    n_obs_steps: int,
    seeds: tuple[int, ...] = (1, 2),
    record_images: bool = False,
    use_async_envs: bool = False,
) -> list[Episode]:
    make = EnvironmentMaker(OmegaConf.to_container(pusht_settings().env), n_obs_steps, record_images)
    return rollout(policy, make, list(seeds), RolloutOptions(len(seeds), use_async_envs))


def test_policy_sees_the_last_observations_prepared_and_the_first_one_repeated() -> None:
    policy = Chaser()
    episodes = chase(policy, n_obs_steps=3, record_images=True)
    assert {key: tuple(value.shape) for key, value in policy.seen[0].items()} == {
        "observation.state": (2, 3, 2),
        IMAGE: (2, 3, 3, 16, 16),
    }
    for look, steps in enumerate([(0, 0, 0), (2, 3, 4), (6, 7, 8)]):
        for row, episode in enumerate(episodes):
            frames = np.moveaxis(episode.observations[IMAGE][list(steps)], -1, -3) / np.float32(255)
            np.testing.assert_allclose(policy.seen[look][IMAGE][row].numpy(), frames, rtol=1e-6)
            states = episode.observations["observation.state"][list(steps)]
            np.testing.assert_array_equal(policy.seen[look]["observation.state"][row].numpy(), states)


@pytest.mark.parametrize("n_obs_steps", [1, 2, 6])
def test_recording_images_changes_nothing_else(n_obs_steps) -> None:
    plain, recorded = (chase(Chaser(), n_obs_steps, record_images=choice) for choice in (False, True))
    assert {key: values.shape for key, values in recorded[0].observations.items()} == {
        "observation.state": (12, 2),
        IMAGE: (12, 16, 16, 3),
    }
    for episode in recorded:
        del episode.observations[IMAGE]
    assert_identical(plain, recorded)


def test_images_survive_their_packing_and_know_their_content() -> None:
    first, again, other = (chase(Chaser(), 1, (seed,), record_images=True)[0].observations[IMAGE] for seed in (1, 1, 2))
    assert first[[3, 0]].shape == (2, 16, 16, 3) and first[0:2].dtype == np.uint8
    np.testing.assert_array_equal(first[[3, 0]][1], first[:][0])
    assert first.identity() == again.identity() != other.identity()


def test_settings_decide_how_the_policy_is_rolled_out(monkeypatch) -> None:
    monkeypatch.setattr(hardware, "has_bfloat16", lambda device: True)
    policy = Chaser()
    settings = pusht_settings("seed=7", "eval.batch_size=2", "policy.n_obs_steps=1")
    settings.policy.n_obs_steps = 2
    settings.use_amp = True
    precision = []
    policy.act = lambda observations: (
        precision.append(torch.is_autocast_enabled("cpu")) or Chaser.act(policy, observations)
    )
    episodes = rollout_settings(policy, settings, torch.device("cpu"))
    assert [episode.seed for episode in episodes] == [7, 8, 9]
    assert policy.seeds == [[7, 8], [9]]
    assert policy.seen[0]["observation.state"].shape == (2, 2, 2)
    assert set(precision) == {True}


def test_memory_that_runs_out_names_the_setting() -> None:
    policy = Chaser()
    policy.act = lambda observations: torch.empty(10**15)
    settings = pusht_settings("eval.batch_size=2", "policy.n_obs_steps=1")
    with one_line_error("out of memory with eval.batch_size=2", "set eval.batch_size=1"):
        rollout_settings(policy, settings, torch.device("cpu"))


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
    list_outcomes([tmp_path / "rollouts/003000.hdf5"], tmp_path / "rollouts.csv", OfRun(7, "base"))
    rows = OUTCOMES.read(tmp_path / "rollouts.csv").itertuples(index=False, name=None)
    expected = [(7, "base", "", 3000, each.seed, int(each.success), len(each), each.rewards.max()) for each in episodes]
    assert list(rows) == expected
    settings = OmegaConf.to_container(tiny_settings(*OVERRIDES).env)
    assert RobomimicFile(tmp_path / "rollouts/003000.hdf5").env_args() == {
        **settings,
        "env_name": "AlohaTransferCube-v0",
    }
    assert sorted(path.name for path in (tmp_path / "rollouts").iterdir()) == ["003000.hdf5"]
    assert re.search(r"success 0.0% \[0.0%, [\d.]+%\] \(0 of 3 episodes\)", capsys.readouterr().out)


def test_rollouts_are_stored_with_images_and_evaluations_made_without(tmp_path, monkeypatch) -> None:
    settings, recorded = pusht_settings("eval.batch_size=3"), []
    monkeypatch.setattr(runs, "read_checkpoint_settings", lambda *_: settings)
    monkeypatch.setattr(runs, "load_policy", lambda *_: Chaser())
    episode = ChunkEnv.episode
    monkeypatch.setattr(ChunkEnv, "episode", lambda env: recorded.append(env.record_images) or episode(env))
    save_checkpoint(tmp_path / "run/000001", Chaser(), settings)
    collect_rollouts(tmp_path / "run/000001", [], tmp_path)
    evaluate(tmp_path / "run/000001", [], tmp_path)
    assert recorded == [True] * 3 + [False] * 3
    stored = read_episodes(tmp_path / "000001.hdf5")[2].observations[IMAGE]
    expected = chase(Chaser(), 1, (0, 1, 2), record_images=True)[2].observations[IMAGE]
    np.testing.assert_array_equal(stored[:], expected[:])
    settings.eval.record_images = LOOKS
    collect_rollouts(tmp_path / "run/000001", [], tmp_path / "looks")
    seen = read_episodes(tmp_path / "looks/000001.hdf5")[2].observations[IMAGE]
    assert (seen.shape, list(seen.steps)) == (stored.shape, [0, 4, 8])
    np.testing.assert_array_equal(seen[[8, 0]], expected[[8, 0]])
    with one_line_error("000001.hdf5", "step 1 was not drawn", "eval.record_images=true"):
        seen[:2]
    settings.eval.record_images = False
    collect_rollouts(tmp_path / "run/000001", [], tmp_path / "numbers")
    (numbers,) = read_episodes(tmp_path / "numbers/000001.hdf5", [2])
    assert IMAGE not in numbers.observations and len(numbers) == len(expected)


def test_evaluation_is_stored_with_the_outcomes_of_the_same_rollouts(tmp_path, checkpoint) -> None:
    evaluate(checkpoint, ["seed=500", "eval.n_episodes=2"], tmp_path)
    text = "seed,condition,keep,step,start_seed,success,length,max_reward\n,,,3000,500,0,30,0\n,,,3000,501,0,30,0\n"
    assert (tmp_path / "evaluation.csv").read_text() == text
    evaluate(checkpoint, ["seed=500", "eval.n_episodes=1"], tmp_path, "named", OfRun(7, "random"))
    assert (tmp_path / "named.csv").read_text().splitlines()[1] == "7,random,,3000,500,0,30,0"


def test_outcomes_tell_success_from_failure(tmp_path, checkpoint) -> None:
    episodes, _ = run_checkpoint(checkpoint, ["eval.n_episodes=2", "env.episode_length=2"])
    episodes[0].rewards = np.array([0.25, 1 / 3, 0.125], dtype=np.float32)
    episodes[1].success, episodes[1].rewards = True, None
    write_outcomes(tmp_path / "outcomes.csv", episodes, "last")
    outcomes = OUTCOMES.read(tmp_path / "outcomes.csv")
    assert outcomes["step"].isna().all()
    assert outcomes["success"].tolist() == [0, 1]
    assert outcomes["max_reward"].tolist() == [0.333333, pytest.approx(float("nan"), nan_ok=True)]


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


def test_the_death_of_an_environment_s_process_is_reported() -> None:
    class Killer(Chaser):
        def act(self, observations: dict[str, Tensor]) -> Tensor:
            import multiprocessing

            for process in multiprocessing.active_children():
                process.kill()
            return super().act(observations)

    with one_line_error("eval.batch_size", "eval.use_async_envs=false"):
        chase(Killer(), 1, use_async_envs=True)

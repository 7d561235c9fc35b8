"""Meta-World's tasks beside `metaworld.MT1` itself: same bits."""

import pickle
from functools import cache

import numpy as np
import pytest
from conftest import one_line_error
from demo_score.config.settings import compose_settings
from demo_score.demonstrations.metaworld_strategies import expert
from demo_score.envs import make_env
from demo_score.envs.metaworld import GOAL, HAND, OBJECTS
from metaworld_stock import benchmark, metaworld_of
from omegaconf import OmegaConf

TASKS = ["peg_insert_side", "assembly", "pick_place", "shelf_place"]
STATE, ENVIRONMENT_STATE = "observation.state", "observation.environment_state"


@cache
def _defaults(task: str) -> dict:
    return OmegaConf.to_container(compose_settings([f"env=metaworld_{task}"])[0].env)


def settings(name: str = "peg_insert_side", **changes) -> dict:
    return _defaults(name) | changes


def assert_observed(observation: dict, full: np.ndarray) -> None:
    np.testing.assert_array_equal(observation[STATE], np.float32(full[HAND]))
    np.testing.assert_array_equal(observation[ENVIRONMENT_STATE], np.float32(np.hstack([full[OBJECTS], full[GOAL]])))


@pytest.mark.parametrize("task", TASKS)
def test_observations_rewards_and_success_are_bit_identical_to_mt1(task) -> None:
    env = make_env(settings(task))
    env.reset(seed=3)
    observation, _ = env.reset(seed=11)
    other = metaworld_of(env)
    full, _ = other.reset()
    assert_observed(observation, full)
    np.testing.assert_array_equal(env.full_observation, full)
    flags = []
    for action in expert(env, np.random.default_rng(11)):
        observation, reward, terminated, _, info = env.step(action)
        full, stock_reward, *_, stock_info = other.step(action)
        assert_observed(observation, full)
        np.testing.assert_array_equal(env.full_observation, full)
        assert reward == stock_reward
        assert info["is_success"] == terminated == bool(stock_info["success"])
        flags.append(terminated)
    assert any(flags) and not all(flags)


def test_a_seed_alone_decides_the_start_and_is_none_of_mt1_s() -> None:
    env, fresh = make_env(settings()), make_env(settings())
    env.reset(seed=1)
    for action in expert(env, np.random.default_rng(1)):
        env.step(action)
    first, again, other = env.reset(seed=7)[0], fresh.reset(seed=7)[0], fresh.reset(seed=8)[0]
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert not np.array_equal(again[ENVIRONMENT_STATE], other[ENVIRONMENT_STATE])
    trained = [pickle.loads(task.data)["rand_vec"] for task in benchmark(env.task).train_tasks]
    assert not any(np.array_equal(env.metaworld._last_rand_vec, start) for start in trained)
    with pytest.raises(ValueError, match="seed"):
        env.reset()


def test_starts_spread_over_what_the_task_draws_from() -> None:
    env = make_env(settings())
    starts = np.array([(env.reset(seed=seed), env.metaworld._last_rand_vec)[1] for seed in range(40)])
    space = env.metaworld._random_reset_space
    wide = space.high > space.low
    assert np.all(starts >= space.low) and np.all(starts <= space.high)
    assert np.all(np.ptp(starts, axis=0)[wide] > 0.8 * (space.high - space.low)[wide])


def test_time_runs_out_and_broken_physics_is_a_failure() -> None:
    env = make_env(settings(episode_length=3))
    env.reset(seed=0)
    ends = [env.step(np.zeros(4, np.float32))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]
    env.reset(seed=0)
    env.metaworld.data.qvel[:] = np.nan
    _, _, terminated, _, info = env.step(np.zeros(4, np.float32))
    assert terminated and info == {"is_success": False, "physics_error": True}
    env.reset(seed=0)
    assert env.step(np.zeros(4, np.float32))[4] == {"is_success": False, "physics_error": False}


def test_any_task_by_name() -> None:
    env = make_env(settings(task="door-open-v3"))
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"task": "peg-insert-side-v2"}, ["no task 'peg-insert-side-v2'", "peg-insert-side-v3"]),
        ({"obs_type": "state"}, ["no obs_type 'state'", "environment_state_agent_pos"]),
        ({"environment_state_dim": 39}, ["environment_state_dim 17, not 39"]),
        ({"action_dim": 3}, ["action_dim 4, not 3"]),
        ({"episode_length": 501}, ["ends after 500 steps", "env.episode_length"]),
        ({"fps": 50}, ["1/80 s", "fps=80"]),
    ],
)
def test_what_it_cannot_meet_is_one_line(changes, parts) -> None:
    with one_line_error(*parts):
        make_env(settings(**changes))

"""The ALOHA environments beside gym-aloha's own: same bits."""

import numpy as np
import pytest
from aloha_settings import START, STOCK_TASKS, random_actions, settings
from conftest import assert_half_the_rate_is_two_steps
from demo_score.envs import make_env
from demo_score.envs.aloha import _StateTask
from demo_score.runtime.errors import UserError
from dm_control.mujoco import Physics
from gym_aloha.env import AlohaEnv as StockEnv


@pytest.fixture
def no_rendering(monkeypatch):
    monkeypatch.setattr(Physics, "render", lambda *_, **__: np.zeros((1, 1, 3), dtype=np.uint8))


@pytest.mark.parametrize("task", STOCK_TASKS)
def test_steps_and_rewards_are_bit_identical_to_the_stock_environment(task, no_rendering):
    env, stock = make_env(settings(task)), StockEnv(STOCK_TASKS[task], obs_type="pixels_agent_pos")
    env.reset(seed=5)
    stock.reset(seed=5)
    for action in random_actions(150):
        observation, reward, terminated, _, info = env.step(action)
        stock_observation, stock_reward, _, _, stock_info = stock.step(action)
        np.testing.assert_array_equal(env._env.physics.data.qpos, stock._env.physics.data.qpos)
        np.testing.assert_array_equal(observation["observation.state"], np.float32(stock_observation["agent_pos"]))
        assert (reward, info["is_success"], terminated) == (stock_reward, *[stock_info["is_success"]] * 2)


@pytest.mark.parametrize("task", STOCK_TASKS)
def test_reward_is_the_stock_reward_wherever_the_objects_lie(task):
    env = make_env(settings(task))
    env.reset(seed=0)
    physics, generator, rewards = env._env.physics, np.random.default_rng(0), []
    fingers = [f"vx300s_{side}/10_left_gripper_finger" for side in ("left", "right")]
    centres = [*physics.named.data.geom_xpos[fingers], np.array([0, 0.5, 0.02])]
    for index in range(300):
        with physics.reset_context():
            physics.data.qpos[:16] = np.tile([0, -0.96, 1.16, 0, -0.3, 0, 0.022, -0.022], 2)
            for start in range(16, len(physics.data.qpos), 7):
                physics.data.qpos[start : start + 3] = centres[index % 3] + generator.normal(0, 0.02, 3)
        stock_reward = super(_StateTask, env._task).get_reward(physics)
        rewards.append(env._task.get_reward(physics))
        assert rewards[-1] == stock_reward
    assert len(set(rewards)) >= 3  # the sweep reaches several kinds of contact


def test_reset_depends_on_the_seed_alone():
    env, other = make_env(settings()), make_env(settings("AlohaInsertion-v0"))
    first, info = env.reset(seed=7)
    assert info["is_success"] is False
    for action in random_actions(30):
        after_first = env.step(action)[0]
    other.reset(seed=8)  # writes gym-aloha's global object pose
    again, _ = env.reset(seed=7)
    for action in random_actions(30):
        after_again = env.step(action)[0]
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
        np.testing.assert_array_equal(after_first[key], after_again[key])
    assert (env.reset(seed=8)[0]["observation.environment_state"] != first["observation.environment_state"]).any()
    with pytest.raises(ValueError, match="seed"):
        env.reset()


@pytest.mark.parametrize("task", STOCK_TASKS)
def test_observations_lie_in_the_declared_space(task):
    env = make_env(settings(task))
    observation, _ = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    observation, reward, *_ = env.step(START)
    assert env.observation_space.contains(observation)
    assert isinstance(reward, float)


def test_truncates_at_its_own_time_limit_and_counts_again_after_reset():
    env = make_env(settings(episode_length=3))
    for _ in range(2):
        env.reset(seed=1)
        assert [env.step(START)[3] for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("index", [0, 6])
def test_an_action_that_is_no_number_ends_the_episode_as_a_failure(index, caplog):
    env = make_env(settings())
    env.reset(seed=1)
    good, *_ = env.step(START)
    observation, reward, terminated, truncated, info = env.step(np.where(np.arange(14) == index, np.nan, START))
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info == {"is_success": False, "physics_error": True}
    np.testing.assert_array_equal(observation["observation.state"], good["observation.state"])
    assert not caplog.records


def test_unstable_physics_ends_the_episode_and_the_next_one_is_sound():
    env = make_env(settings())
    env.reset(seed=1)
    expected = env.step(START)[0]["observation.state"]
    env._env.physics.data.qvel[:] = 1e12
    _, reward, terminated, _, info = env.step(START)
    assert (reward, terminated, info["is_success"], info["physics_error"]) == (0.0, True, False, True)
    env.reset(seed=1)
    observation, *_, info = env.step(START)
    np.testing.assert_array_equal(observation["observation.state"], expected)
    assert not info["physics_error"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "moon"}, "aloha"),
        ({"task": "AlohaDance-v0"}, "AlohaTransferCube-v0, AlohaInsertion-v0"),
        ({"obs_type": "sound"}, "pixels, pixels_agent_pos, environment_state_agent_pos"),
        ({"obs_type": "pixels"}, "env.image_size"),
        ({"environment_state_dim": 8}, "environment_state_dim=7"),
        ({"environment_state_dim": None}, "environment_state_dim=7"),
        ({"state_dim": 13}, "state_dim=14"),
        ({"action_dim": 7}, "action_dim=14"),
        ({"fps": 30}, "fps=30.*500 Hz.*25, 50, 100"),
        ({"fps": 1000}, "500 Hz"),
    ],
)
def test_settings_that_cannot_be_met_are_named_with_the_remedy(changes, message):
    with pytest.raises(UserError, match=message):
        make_env(settings() | changes)


def test_fps_is_the_rate_at_which_actions_change():
    slow, fast = make_env(settings(fps=25)), make_env(settings(fps=50))
    assert_half_the_rate_is_two_steps(slow, fast, random_actions(10))

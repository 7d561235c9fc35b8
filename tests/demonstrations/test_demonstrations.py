import subprocess
import sys
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest
from aloha_settings import settings
from conftest import one_line_error, random_episode
from demo_score.demonstrations import collect, inverse_kinematics, strategies
from demo_score.demonstrations.aloha_insertion import reliable as reliable_insertion
from demo_score.demonstrations.aloha_insertion import unreliable as unreliable_insertion
from demo_score.demonstrations.aloha_transfer_cube import reliable, unreliable
from demo_score.demonstrations.collect import collect_demonstrations, demonstrate
from demo_score.demonstrations.inverse_kinematics import joint_actions
from demo_score.demonstrations.seeds import demonstration_seeds
from demo_score.demonstrations.strategies import follow_plan
from demo_score.demonstrations.waypoints import Plan, Waypoint, interpolate, pitch, roll
from demo_score.envs import make_env
from demo_score.runtime.errors import UserError
from dm_control.mujoco import Physics
from gym_aloha.env import AlohaEnv as StockEnv

pytestmark = pytest.mark.slow

TASK = "AlohaTransferCube-v0"
SETTINGS = settings(TASK)
CUBE = np.array([0.1, 0.5, 0.05, 1, 0, 0, 0])


@pytest.fixture(scope="module")
def env():
    return make_env(SETTINGS)


@pytest.fixture(scope="module")
def episode(env):
    return demonstrate(env, "reliable", seed=3)


def assert_same(first, second):
    for key in first.observations:
        np.testing.assert_array_equal(first.observations[key], second.observations[key])
    np.testing.assert_array_equal(first.actions, second.actions)
    np.testing.assert_array_equal(first.rewards, second.rewards)


def tip_of(model, action, side):
    """Position and rotation matrix of a finger tip if the joints were where `action` wants them."""
    data = mujoco.MjData(model)
    data.qpos[0:6], data.qpos[8:14] = action[0:6], action[7:13]
    mujoco.mj_kinematics(model, data)
    gripper = data.body(f"vx300s_{side}/gripper_link")
    rotation = gripper.xmat.reshape(3, 3)
    return gripper.xpos + rotation @ [0.135, 0, 0], rotation


def test_paths_run_straight_between_waypoints_and_hold_the_last_one():
    start, end = Waypoint(0, np.zeros(3), 0), Waypoint(10, np.array([1.0, 2, 3]), 1, roll(90))
    path = interpolate([start, end], 15)
    np.testing.assert_allclose(path.positions[5], [0.5, 1, 1.5])
    np.testing.assert_allclose(path.positions[14], [1, 2, 3])
    np.testing.assert_allclose(path.grippers[[0, 5, 10, 14]], [0, 0.5, 1, 1])
    np.testing.assert_allclose(path.orientations[5].as_matrix(), roll(45).as_matrix(), atol=1e-9)


def test_inverse_kinematics_puts_both_finger_tips_where_the_plan_wants_them(env):
    plan = reliable(CUBE, np.random.default_rng(0))
    actions = np.stack(list(joint_actions(env.model, plan, 400)))
    assert (actions.shape, actions.dtype) == ((400, 14), np.float32)
    face_left = np.diag([-1.0, -1, 1])  # the right arm reaches towards -x
    for side, waypoints, facing in (("left", plan.left[:3], np.eye(3)), ("right", plan.right[:6], face_left)):
        for waypoint in waypoints:
            position, rotation = tip_of(env.model, actions[waypoint.step], side)
            np.testing.assert_allclose(position, waypoint.position, atol=0.003)
            np.testing.assert_allclose(rotation, waypoint.orientation.as_matrix() @ facing, atol=0.02)
    for waypoints, gripper in ((plan.left, 6), (plan.right, 13)):
        assert [actions[waypoint.step, gripper] for waypoint in waypoints] == [point.gripper for point in waypoints]


def test_a_plan_keeps_its_waypoints_when_it_is_to_last_another_time():
    plan = Plan([Waypoint(10, np.zeros(3), 1), Waypoint(50, np.ones(3), 0)], [Waypoint(40, np.ones(3), 0.5, roll(9))])
    slower = plan.lasting(75)
    assert [point.step for point in slower.left + slower.right] == [15, 75, 60]
    assert [point.gripper for point in slower.left + slower.right] == [1, 0, 0.5]
    np.testing.assert_array_equal(slower.left[1].position, np.ones(3))
    assert slower.right[0].orientation is plan.right[0].orientation


@pytest.mark.parametrize("strategies", [(reliable, unreliable), (reliable_insertion, unreliable_insertion)])
def test_the_length_of_a_demonstration_tells_nothing_of_its_strategy(strategies):
    poses = np.concatenate([CUBE, CUBE + 0.02])
    assert (
        len({strategy(poses, np.random.default_rng(seed)).last_step for strategy in strategies for seed in (0, 1)}) == 1
    )


def test_joint_targets_stay_within_the_joints_limits_when_a_waypoint_is_out_of_reach(env):
    far = Plan([Waypoint(20, np.array([2.0, 0.5, 1]), 1)], [Waypoint(20, np.array([-2.0, 3, -1]), 1, pitch(-60))])
    actions = np.stack(list(joint_actions(env.model, far, 40)))
    arms = [*range(0, 6), *range(7, 13)]
    limits = env.model.jnt_range[[*range(0, 6), *range(8, 14)]].astype(np.float32)
    assert (actions[:, arms] >= limits[:, 0]).all() and (actions[:, arms] <= limits[:, 1]).all()


def test_unreliable_plans_follow_their_generator_and_reliable_ones_draw_nothing():
    def grasp(strategy, seed):
        return np.concatenate([point.position for point in strategy(CUBE, np.random.default_rng(seed)).right])

    np.testing.assert_array_equal(grasp(reliable, 0), grasp(reliable, 1))
    np.testing.assert_array_equal(grasp(unreliable, 0), grasp(unreliable, 0))
    assert (grasp(unreliable, 0) != grasp(unreliable, 1)).any()


def test_an_episode_goes_on_to_the_end_of_its_plan_long_after_its_first_success(episode):
    plan = reliable(CUBE, np.random.default_rng(3))
    assert len(episode) == plan.last_step + 50
    assert np.flatnonzero(episode.rewards == 4)[0] < len(episode) - 50
    assert np.abs(episode.actions[-50:] - episode.actions[-1]).max() < 0.02  # the arms rest, but for the last of a move
    assert (episode.success, episode.strategy, episode.seed) == (True, "reliable", 3)
    assert {key: values.shape[1:] for key, values in episode.observations.items()} == {
        "observation.state": (14,),
        "observation.environment_state": (7,),
    }
    arrays = [*episode.observations.values(), episode.actions, episode.rewards]
    assert all(len(array) == len(episode) and array.dtype == np.float32 for array in arrays)


def test_observations_are_those_before_the_actions(env, episode):
    start, _ = env.reset(seed=3)
    np.testing.assert_array_equal(episode.observations["observation.state"][0], start["observation.state"])
    after, *_ = env.step(episode.actions[0])
    np.testing.assert_array_equal(episode.observations["observation.state"][1], after["observation.state"])


def test_recorded_actions_earn_the_recorded_rewards_in_the_stock_environment(episode, monkeypatch):
    monkeypatch.setattr(Physics, "render", lambda *_, **__: np.zeros((1, 1, 3), dtype=np.uint8))
    stock = StockEnv("transfer_cube", obs_type="pixels_agent_pos")
    stock.reset(seed=3)
    outcomes = [stock.step(action) for action in episode.actions]
    np.testing.assert_array_equal([reward for _, reward, *_ in outcomes], episode.rewards)
    states = np.float32([observation["agent_pos"] for observation, *_ in outcomes])
    np.testing.assert_array_equal(states[:-1], episode.observations["observation.state"][1:])
    assert set(episode.rewards) >= {0, 2, 4}


def test_collection_skips_failures_and_does_not_depend_on_the_number_of_processes(env):
    alone = collect_demonstrations(SETTINGS, "unreliable", n_episodes=2, seed=15, n_processes=1)
    together = collect_demonstrations(SETTINGS, "unreliable", n_episodes=2, seed=15, n_processes=2)
    for first, second in zip(alone, together, strict=True):
        assert_same(first, second)
        assert first.seed == second.seed
    used = [episode.seed for episode in alone]
    skipped = [seed for seed in range(15, used[-1]) if seed not in used]
    assert skipped and all(demonstrate(env, "unreliable", seed) is None for seed in skipped)


def test_reliable_attempts_succeed(env):
    assert all(demonstrate(env, "reliable", seed) for seed in range(100, 104))


@pytest.mark.parametrize("side", [-1, 1])
def test_the_unreliable_strategy_succeeds_on_both_sides_of_the_table_so_that_a_start_does_not_tell_it(env, side):
    def starts_there(seed):
        env.reset(seed=seed)
        return (env.object_poses[1] - 0.5) * side > 0.05

    assert any(demonstrate(env, "unreliable", seed) for seed in range(200, 280) if starts_there(seed))


@pytest.fixture
def idle(monkeypatch):
    """The name of a strategy that moves for 9 steps and never touches the cube."""
    plan = Plan([Waypoint(9, np.array([-0.2, 0.5, 0.3]), 0)], [Waypoint(9, np.array([0.2, 0.5, 0.3]), 0)])
    monkeypatch.setitem(strategies.STRATEGIES[TASK], "idle", follow_plan(lambda state, generator: plan))
    return "idle"


def test_an_attempt_ends_soon_after_its_plan(env, idle, monkeypatch):
    step, taken = env.step, []
    monkeypatch.setattr(env, "step", lambda action: taken.append(action) or step(action))
    assert demonstrate(env, idle, seed=0) is None
    assert len(taken) == 59


def test_a_strategy_that_never_succeeds_is_given_up_by_name(idle):
    with pytest.raises(UserError, match=r"'idle' succeeded in 0 of 20 attempts \(0%\)"):
        collect_demonstrations(SETTINGS | {"episode_length": 5}, idle, n_episodes=1, seed=0, n_processes=1)


def test_an_attempt_that_upsets_the_physics_is_a_failure(env, monkeypatch):
    broken = np.full(14, np.nan, dtype=np.float32)
    monkeypatch.setattr(inverse_kinematics, "joint_actions", lambda *_: iter([broken]))
    assert demonstrate(env, "reliable", seed=0) is None


@pytest.mark.parametrize(
    ("task", "strategy", "message"),
    [(TASK, "clever", "choose from reliable, unreliable"), ("AlohaDance-v0", "reliable", TASK)],
)
def test_an_unknown_strategy_is_answered_with_those_that_exist(task, strategy, message):
    with pytest.raises(UserError, match=message):
        collect_demonstrations(SETTINGS | {"task": task}, strategy, n_episodes=1, seed=0, n_processes=1)


def test_seeds_are_known_without_a_simulator_and_cover_every_attempt():
    assert demonstration_seeds(seed=7, n_episodes=3) == range(7, 67)
    check = (
        "import sys, demo_score.demonstrations.seeds, demo_score.demonstrations.strategies;"
        "assert not {'mujoco', 'gym_aloha', 'dm_control'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True, env={"PYTHONPATH": "workflow"})


def test_only_successes_are_drawn(monkeypatch):
    """An image takes far longer than a step, and an unreliable strategy mostly fails."""
    attempts = []

    def attempt(env, strategy, seed, with_images=True):
        attempts.append((seed, with_images))
        return random_episode(3) if seed == 1 else None

    monkeypatch.setattr(collect, "_cached_env", lambda _: SimpleNamespace(image_space={"observation.image": None}))
    monkeypatch.setattr(collect, "demonstrate", attempt)
    assert [collect._run_attempt("{}", "unreliable", seed) is not None for seed in (0, 1)] == [False, True]
    assert attempts == [(0, False), (1, False), (1, True)]


@pytest.mark.parametrize("n_episodes", [0, -5])
def test_no_demonstration_asked_for_is_reported(n_episodes) -> None:
    with one_line_error(f"--n-episodes {n_episodes}"):
        collect_demonstrations(SETTINGS, "reliable", n_episodes=n_episodes, seed=0, n_processes=1)

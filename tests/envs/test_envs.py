"""The ALOHA environments beside gym-aloha's own: same bits; images where OpenGL works, in a process of their own."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from conftest import assert_half_the_rate_is_two_steps
from demo_score.envs import make_env
from demo_score.envs.aloha import _StateTask
from demo_score.runtime.errors import UserError
from dm_control.mujoco import Physics
from gym_aloha.env import AlohaEnv as StockEnv

pytestmark = pytest.mark.slow

START = np.array([0, -0.96, 1.16, 0, -0.3, 0, 0.1] * 2, dtype=np.float32)
STOCK_TASKS = {"AlohaTransferCube-v0": "transfer_cube", "AlohaInsertion-v0": "insertion"}


def settings(task="AlohaTransferCube-v0", **changes):
    sizes = {"state_dim": 14, "environment_state_dim": 7 if "Cube" in task else 14, "action_dim": 14}
    rest = {"name": "aloha", "task": task, "obs_type": "environment_state_agent_pos", "fps": 50, "episode_length": 400}
    return rest | sizes | changes


def image_settings(task="AlohaTransferCube-v0", **changes):
    images = {"obs_type": "pixels_agent_pos", "cameras": ["top"], "image_size": [480, 640]}
    return settings(task) | {"environment_state_dim": None} | images | changes


def random_actions(steps, seed=0):
    """A random walk round the start, which moves the arms into each other and the table."""
    walk = np.random.default_rng(seed).normal(0, 0.08, (steps, 14)).cumsum(axis=0)
    return (START + walk).astype(np.float32)


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


def test_object_poses_are_known_even_where_they_are_not_observed(in_egl):
    poses, keys = in_egl(_poses_and_keys)
    np.testing.assert_array_equal(poses, make_env(settings()).reset(seed=4)[0]["observation.environment_state"])
    assert keys == ["observation.state"]


def _poses_and_keys():
    env = make_env(image_settings())
    observation, _ = env.reset(seed=4)
    return env.object_poses, list(observation)


# OpenGL is chosen once for a process, when dm_control is imported: these functions run in one that has chosen EGL.
@pytest.fixture(scope="module")
def in_egl():
    """Call a function of this module in a process with EGL."""
    if error := run_python("make_env(images)", {"MUJOCO_GL": "egl"}):
        pytest.skip(f"no OpenGL here: {error.splitlines()[-1]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUJOCO_GL", "egl")
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield lambda function, *arguments: pool.submit(function, *arguments).result()


@pytest.mark.parametrize("task", STOCK_TASKS)
def test_images_are_bit_identical_to_the_stock_environment(task, in_egl):
    """Looked at now and then, as a policy does; the stock environment renders every step."""
    assert in_egl(_compare_with_stock, task) == 3


def _compare_with_stock(task: str) -> int:
    env, stock = make_env(image_settings(task)), StockEnv(STOCK_TASKS[task], obs_type="pixels_agent_pos")
    env.reset(seed=5)
    images = [(env.images(), stock.reset(seed=5)[0])]
    for index, action in enumerate(random_actions(3)):
        observation, reward, *_, info = env.step(action)
        stock_observation, stock_reward, *_, stock_info = stock.step(action)
        np.testing.assert_array_equal(env._env.physics.data.qpos, stock._env.physics.data.qpos)
        np.testing.assert_array_equal(observation["observation.state"], np.float32(stock_observation["agent_pos"]))
        assert (reward, info["is_success"]) == (stock_reward, stock_info["is_success"])
        if index > 0:
            images.append((env.images(), stock_observation))
    for ours, theirs in images:
        np.testing.assert_array_equal(ours["observation.images.top"], theirs["pixels"]["top"])
    return len({ours["observation.images.top"].tobytes() for ours, _ in images})


def test_cameras_and_image_size_are_those_asked_for(in_egl):
    shapes, contained, different = in_egl(_render_two_cameras)
    assert shapes == {"observation.images.left_wrist": (60, 80, 3), "observation.images.top": (60, 80, 3)}
    assert contained and different


def _render_two_cameras() -> tuple:
    env = make_env(image_settings(cameras=["left_wrist", "top"], image_size=[60, 80], obs_type="pixels"))
    observation, _ = env.reset(seed=1)
    images = env.images()
    contained = env.image_space.contains(images) and observation == {}
    return {key: image.shape for key, image in images.items()}, contained, len({i.tobytes() for i in images.values()})


def test_an_image_may_be_larger_than_the_model_s_own_buffer(in_egl):
    assert in_egl(_mean_colours) == pytest.approx([0, 0, 0], abs=2)


def _mean_colours() -> list[float]:
    small, large = (make_env(image_settings(image_size=size)) for size in ([480, 640], [600, 800]))
    images = []
    for env in (small, large):
        env.reset(seed=1)
        images.append(env.images()["observation.images.top"].mean(axis=(0, 1)))
    return list(images[0] - images[1])


def test_fast_drawing_gives_other_images_and_leaves_the_full_ones_as_they_are(in_egl):
    full, fast, again = in_egl(_draw_in_qualities)
    assert full == again != fast


def _draw_in_qualities() -> list[bytes]:
    from demo_score.envs import aloha

    drawn = []
    for quality in ("full", "fast", "full"):
        aloha._renderer.cache_clear()
        env = make_env(image_settings(image_size=[48, 64], render_quality=quality))
        env.reset(seed=1)
        drawn.append(env.images()["observation.images.top"].tobytes())
    return drawn


def test_environments_that_share_a_renderer_show_their_own_state(in_egl):
    assert in_egl(_interleave)


def _interleave() -> bool:
    first, second = make_env(image_settings()), make_env(image_settings())
    first.reset(seed=1)
    alone = first.images()["observation.images.top"]
    second.reset(seed=2)
    other = second.images()["observation.images.top"]
    return np.array_equal(first.images()["observation.images.top"], alone) and not np.array_equal(alone, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"render_quality": "poor"}, "no render_quality 'poor'; set env.render_quality to one of full, fast"),
        ({"cameras": ["top", "moon"]}, "no camera moon; set env.cameras to some of .*top.*right_wrist"),
        ({"cameras": None}, "set env.cameras to some of .*top"),
        ({"environment_state_dim": 8}, "environment_state_dim=7"),
    ],
)
def test_image_settings_that_cannot_be_met_are_named_with_the_remedy(changes, message, in_egl):
    with pytest.raises(UserError, match=message):
        in_egl(make_env, image_settings() | changes)


NO_OPENGL = [{"MUJOCO_GL": "disable"}, {"MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "none"}]  # off, and broken


def run_python(code: str, variables: dict[str, str]) -> str:
    """The standard error of `code` in a fresh process, in which `settings` and `image_settings` are defined."""
    environment = {key: value for key, value in os.environ.items() if key != "MUJOCO_GL"}
    environment |= {"PYTHONPATH": "workflow", **variables}
    known = f"numbers, images = {settings()}, {image_settings()}\nfrom demo_score.envs import make_env\n"
    return subprocess.run([sys.executable, "-c", known + code], env=environment, capture_output=True, text=True).stderr


@pytest.mark.parametrize("variables", NO_OPENGL)
def test_images_without_opengl_are_answered_with_the_packages_to_install(variables):
    error = run_python("make_env(images)", variables).splitlines()[-1]
    for part in (
        "demo_score.runtime.errors.UserError",
        f"MUJOCO_GL={variables['MUJOCO_GL']}",
        "libegl1",
        "libgl1-mesa-dri",
    ):
        assert part in error


@pytest.mark.parametrize("variables", [{}, *NO_OPENGL])
def test_numbers_need_no_opengl(variables):
    assert run_python("make_env(numbers).reset(seed=1)[0]['observation.state']", variables) == ""


def test_egl_is_chosen_for_images():
    code = "import os, contextlib\nwith contextlib.suppress(Exception): make_env(images)\n"
    assert run_python(code + "assert os.environ['MUJOCO_GL'] == 'egl'", {}) == ""


def test_importing_the_registry_loads_no_simulator_and_needs_no_opengl():
    check = "import sys, demo_score.envs; assert not {'mujoco', 'gym_aloha'} & set(sys.modules)"
    environment = {**os.environ, "PYTHONPATH": "workflow"}
    environment.pop("MUJOCO_GL", None)
    subprocess.run([sys.executable, "-c", check], check=True, env=environment)
    load = "import os, demo_score.envs.aloha; assert os.environ['MUJOCO_GL'] == 'disable'"
    subprocess.run([sys.executable, "-c", load], check=True, env=environment)

"""Images of the ALOHA environments where OpenGL works, in a process of their own, and one line where it does not."""

import gc
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from aloha_settings import STOCK_TASKS, image_settings, random_actions, settings
from demo_score.envs import aloha, make_env  # aloha before gym_aloha: see its first lines
from demo_score.runtime.errors import UserError
from gym_aloha.env import AlohaEnv as StockEnv
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer
from metaworld_stock import metaworld_of

pytestmark = pytest.mark.slow


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


def test_images_of_meta_world_are_bit_identical_to_its_own(in_egl):
    assert in_egl(_compare_with_meta_world) == (2, 2)


def _compare_with_meta_world() -> tuple[int, int]:
    """How many images are the same, of how many; another environment, which shares the renderer, has drawn before."""
    cameras = ["corner2", "gripperPOV"]
    sizes = {"state_dim": 4, "environment_state_dim": None, "action_dim": 4, "fps": 80, "episode_length": 250}
    shown = {"obs_type": "pixels_agent_pos", "cameras": cameras, "image_size": [96, 128]}
    env, another = (make_env({"name": "metaworld", "task": "shelf-place-v3", **sizes, **shown}) for _ in range(2))
    env.reset(seed=3)
    another.reset(seed=4)
    assert another.images()["observation.images.corner2"].any()
    other = metaworld_of(env)
    other.reset()
    for action in np.random.default_rng(0).uniform(-1, 1, (20, 4)):
        env.step(action)
        other.step(action)
    images = env.images()
    same = 0
    for camera in cameras:
        drawn = MujocoRenderer(other.model, other.data, None, 128, 96, camera_name=camera).render("rgb_array")
        same += np.array_equal(images[f"observation.images.{camera}"], drawn)
    return same, len(images)


def test_images_of_robosuite_are_those_that_robomimic_records(in_egl):
    pytest.importorskip("robosuite", reason="make robosuite installs it")
    assert in_egl(_compare_with_robosuite)


def _compare_with_robosuite() -> bool:
    """robomimic turns robosuite's images, which hang upside down."""
    from robosuite_recording import Stock

    hand = ["observation.robot0_eef_pos", "observation.robot0_eef_quat", "observation.robot0_gripper_qpos"]
    sizes = {"state_dim": 9, "environment_state_dim": None, "action_dim": 7, "fps": 20, "episode_length": 50}
    shown = {"obs_type": "pixels_agent_pos", "cameras": ["agentview"], "image_size": 84}
    task = {"task": "Lift", "env_kwargs": {"robots": ["Panda"]}, "observed": {"observation.state": hand}}
    env = make_env({"name": "robosuite", **task, **sizes, **shown})
    env.reset(seed=3)
    cameras = {"use_camera_obs": True, "camera_names": ["agentview"], "has_offscreen_renderer": True}
    stock = Stock("Lift", **cameras)
    stock.reset(3)
    for _ in range(2):
        env.step(np.ones(7) / 2)
        drawn = stock.robosuite.step(np.ones(7) / 2)[0]["agentview_image"]
    ours = env.images()["observation.images.agentview"]
    env.close()
    stock.robosuite.close()
    del env, stock
    gc.collect()  # what robosuite frees later, it frees in the OpenGL context of whoever draws then
    return bool(ours.std() > 10) and np.array_equal(ours, drawn[::-1])


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

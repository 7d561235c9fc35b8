"""Meta-World's tasks: a Sawyer arm whose hand is moved through space, with their own physics, reward and success.

Starts and goals are drawn anew for every seed, by the task's own draw; the goal is observed, as in `metaworld.MT1`.
Source: metaworld 3.1.1, sawyer_xyz_env.py and __init__.py (`_make_tasks`).
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

os.environ.setdefault("MUJOCO_GL", "disable")  # as in envs.aloha

import mujoco
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS, ML1_ARGS_KWARGS
from metaworld.sawyer_xyz_env import SawyerXYZEnv

from demo_score.envs.base import (
    Environment,
    Observation,
    check_choice,
    check_sizes,
    chosen_cameras,
    no_opengl,
    step_info,
)
from demo_score.envs.physics import broke_down
from demo_score.observations import ENVIRONMENT_STATE, STATE, image_size
from demo_score.runtime.errors import UserError

SIZES = {"state_dim": 4, "environment_state_dim": 17, "action_dim": 4}
OBSERVATION_TYPES = ("pixels", "pixels_agent_pos", "environment_state_agent_pos")
HAND, OBJECTS, GOAL = slice(0, 4), slice(4, 18), slice(36, 39)  # of Meta-World's observation (39,)
LONGEST = 500  # steps of an episode
DRAWING_CAMERA, DRAWING_SIZE = "corner", (360, 480)  # of draw()


class MetaWorldEnv(Environment):
    """One task of Meta-World.

    Observation: "observation.state" float32 (4,), the hand's position (m) and how far the gripper is open (0..1);
    "observation.environment_state" float32 (17,), position (m) and quaternion of two objects, zeros where there is
    none, and the goal's position; "observation.images.<camera>" uint8 (H, W, 3), as Meta-World draws it: its corner
    cameras hang upside down. Action: float (4,), the hand's motion
    in hundredths of a metre, cut at +-1, and the gripper's effort. Reward: 0..10. Terminates at success, and where the
    physics breaks down, which is a failure; truncates after episode_length. Raises UserError for settings that the task
    cannot meet.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        check_choice(settings, "task", list(ALL_V3_ENVIRONMENTS))
        check_choice(settings, "obs_type", OBSERVATION_TYPES)
        observed = [key for key in SIZES if key != "environment_state_dim" or _sees_objects(settings)]
        check_sizes(settings, {key: SIZES[key] for key in observed})
        if settings["episode_length"] > LONGEST:
            raise UserError(f"{settings['task']} ends after {LONGEST} steps; set env.episode_length to at most that")
        super().__init__(settings)
        self.task = settings["task"]
        self.episode_length = settings["episode_length"]
        self.metaworld = _make_task(self.task)
        if settings["fps"] != (fps := round(1 / self.metaworld.dt)):
            raise UserError(f"{self.task}: an action moves the hand for 1/{fps} s; set fps={fps}")
        if self.image_space:
            self._prepare_images(settings)

    def _prepare_images(self, settings: Mapping[str, Any]) -> None:
        model = self.metaworld.model
        cameras = [model.camera(index).name for index in range(model.ncam)]
        self._cameras = chosen_cameras(settings, cameras, DRAWING_CAMERA)
        self._image_size = image_size(settings)
        self._renderer(*self._image_size)  # where OpenGL does not work, say so now

    @property
    def full_observation(self) -> np.ndarray:
        """Meta-World's own observation (39,) of this moment, float64, which its experts look at."""
        return self._observation

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, bool]]:
        """Start the episode numbered `seed`: it alone decides where things are. Raises ValueError for None."""
        if seed is None:
            raise ValueError("reset needs a seed: it decides where the objects and the goal are")
        super().reset(seed=seed)
        env = self.metaworld
        # Of its own: a demonstrator draws from the same seed.
        env.np_random = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        env._freeze_rand_vec = False
        env.reset_model()  # draws a start that its task accepts
        env._freeze_rand_vec = True
        self._observation, _ = env.reset()
        self._steps = 0
        return self._observed(), step_info(success=False, physics_error=False)

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, bool]]:
        """Advance 1 / fps seconds. After broken physics, reset."""
        self._steps += 1
        self._observation, reward, _, _, info = self.metaworld.step(np.asarray(action))
        if broke_down(self.metaworld.data):
            return self._observed(), 0.0, True, False, step_info(success=False, physics_error=True)
        success = bool(info["success"])
        truncated = self._steps >= self.episode_length
        return self._observed(), float(reward), success, truncated, step_info(success, physics_error=False)

    def images(self) -> Observation:
        return self._render(self._cameras, *self._image_size) if self.image_space else {}

    def draw(self) -> np.ndarray:
        return self._render({"": DRAWING_CAMERA}, *DRAWING_SIZE)[""][::-1, ::-1]  # that camera hangs upside down

    def _render(self, cameras: Mapping[str, str], height: int, width: int) -> Observation:
        """What `cameras` see, under their keys."""
        renderer, env, images = self._renderer(height, width), self.metaworld, {}
        for key, camera in cameras.items():
            view = mujoco.MjvCamera()
            view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, env.model.camera(camera).id
            everything = mujoco.mjtCatBit.mjCAT_ALL.value
            mujoco.mjv_updateScene(env.model, env.data, mujoco.MjvOption(), None, view, everything, renderer.scene)
            images[key] = renderer.render().copy()
        return images

    def _renderer(self, height: int, width: int) -> mujoco.Renderer:
        try:
            return _renderer_of(self.metaworld.fullpath, height, width)
        except Exception as error:  # of any kind, by what is missing
            raise no_opengl(error) from error

    def _observed(self) -> Observation:
        parts = {STATE: [HAND], ENVIRONMENT_STATE: [OBJECTS, GOAL]}
        return {
            key: np.concatenate([self._observation[part] for part in parts[key]], dtype=np.float32)
            for key in self.observation_space
        }


def _sees_objects(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("environment_state_dim")) or "environment_state" in settings["obs_type"]


@cache
def _renderer_of(path: str, height: int, width: int) -> mujoco.Renderer:
    """Of all environments in this process whose model lies at `path`: one takes a second to make, and 250 MB."""
    model = mujoco.MjModel.from_xml_path(path)
    size = model.vis.global_
    size.offheight, size.offwidth = max(size.offheight, height), max(size.offwidth, width)
    return mujoco.Renderer(model, height, width)


def _make_task(name: str) -> SawyerXYZEnv:
    """The task with its goal observed, before a start is set: what `set_task` does, but for the start."""
    settings = {key: value for key, value in ML1_ARGS_KWARGS[name]["kwargs"].items() if key != "task_id"}
    env = ALL_V3_ENVIRONMENTS[name]()
    env._partially_observable = False
    env.__dict__.pop("sawyer_observation_space", None)  # was made for a goal that is hidden
    env._set_task_called = env.seeded_rand_vec = True
    env._set_task_inner(**settings)
    return env

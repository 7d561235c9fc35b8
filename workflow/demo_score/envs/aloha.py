"""Two-arm ALOHA tasks of gym-aloha: same physics, reward, success and images, joint-position control.

The stock task renders three 480x640 images every control step; this one renders what is asked for, when it is.
Source: gym_aloha 0.1.5, env.py and tasks/sim.py.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

os.environ.setdefault("MUJOCO_GL", "disable")  # before dm_control, which else searches for OpenGL
if os.environ["MUJOCO_GL"] != "disable":
    with suppress(ImportError):  # torch's compiler and Mesa's OpenGL each bring an LLVM; in the other order they crash
        import triton  # noqa: F401

import mujoco
import numpy as np
from dm_control.mujoco import Physics
from dm_control.mujoco.wrapper import MjModel
from dm_control.rl.control import Environment as ControlEnvironment
from dm_control.rl.control import PhysicsError
from gym_aloha.constants import ASSETS_DIR
from gym_aloha.tasks.sim import BOX_POSE, BimanualViperXTask, InsertionTask, TransferCubeTask
from gym_aloha.utils import sample_box_pose, sample_insertion_pose

from demo_score.envs.base import (
    Environment,
    Observation,
    check_choice,
    check_sizes,
    chosen_cameras,
    no_opengl,
    step_info,
    substeps,
)
from demo_score.observations import ENVIRONMENT_STATE, STATE, image_size

SUCCESS_REWARD = 4  # the stock environment's: lifted and touched by the left arm, or the peg touching the pin
ACTION_DIM = 14  # per arm, left first: 6 joint positions (rad) and the gripper (0 closed .. 1 open)
OBSERVATION_TYPES = ("pixels", "pixels_agent_pos", "environment_state_agent_pos")
RENDER_QUALITIES = ("full", "fast")  # the stock environment's; without shadows and smooth edges
DRAWING_CAMERA = "angle"  # of all, the one that shows both arms and the table at all times
DRAWING_SIZE = 480, 640  # (H, W)
DRAWING_ROWS = slice(64, 400)  # above and below there is nothing but black

# dm_control logs every MuJoCo warning, and raises PhysicsError for it as well, which `step` handles.
mujoco.set_mju_user_warning(lambda message: None)


class _StateTask(BimanualViperXTask):
    """Mixin for a stock task: no images, and each set of contacts is judged by the stock reward only once."""

    def __init__(self) -> None:
        super().__init__(random=0)  # the stock task draws nothing from it
        self._reward_of_contacts: dict[frozenset[tuple[int, int]], int] = {}

    def get_observation(self, physics: Physics) -> Observation:
        return {
            STATE: self.get_qpos(physics).astype(np.float32),
            ENVIRONMENT_STATE: self.get_env_state(physics).astype(np.float32),
        }

    def get_reward(self, physics: Physics) -> int:
        """The stock reward, which depends on nothing but which geoms touch; its name look-ups take most of a step."""
        contacts = frozenset(map(tuple, physics.data.contact.geom.tolist()))
        if contacts not in self._reward_of_contacts:
            self._reward_of_contacts[contacts] = super().get_reward(physics)
        return self._reward_of_contacts[contacts]


class _TransferCube(_StateTask, TransferCubeTask):
    """Right arm lifts the cube and hands it to the left."""

    model_file = "bimanual_viperx_transfer_cube.xml"
    environment_state_dim = 7  # cube: position (m), quaternion (w, x, y, z)

    @staticmethod
    def sample_objects(seed: int) -> np.ndarray:
        return sample_box_pose(seed)


class _Insertion(_StateTask, InsertionTask):
    """Right arm holds the peg, left arm the socket."""

    model_file = "bimanual_viperx_insertion.xml"
    environment_state_dim = 14  # peg, then socket: position (m), quaternion (w, x, y, z)

    @staticmethod
    def sample_objects(seed: int) -> np.ndarray:
        return np.concatenate(sample_insertion_pose(seed))


TASKS = {"AlohaTransferCube-v0": _TransferCube, "AlohaInsertion-v0": _Insertion}


@cache
def _compiled_model(file: str) -> MjModel:
    """Compiling the meshes takes a good part of a second: environments share the model, each has its own state."""
    return MjModel.from_xml_path(str(ASSETS_DIR / file))


def model_of(settings: Mapping[str, Any]) -> mujoco.MjModel:
    """The simulated model of a task, for kinematics, whatever is observed of it. Raises UserError for no task."""
    check_choice(settings, "task", list(TASKS))
    return _compiled_model(TASKS[settings["task"]].model_file).ptr


@cache
def _renderer(file: str, height: int, width: int, quality: str) -> Physics:
    """A state to copy others into and draw them from: all environments of a process share its OpenGL context."""
    model = _compiled_model(file)
    size = model.vis.global_  # of the buffer that is drawn into
    size.offheight, size.offwidth = max(size.offheight, height), max(size.offwidth, width)
    renderer = Physics.from_model(model)
    effects = model.vis.quality  # read when the context is made
    stock = effects.shadowsize, effects.offsamples
    if quality == "fast":
        effects.shadowsize = effects.offsamples = 0
    try:
        _ = renderer.contexts  # made when first asked for
    except Exception as error:  # of any kind, by what is missing
        raise no_opengl(error) from error
    finally:
        effects.shadowsize, effects.offsamples = stock
    return renderer


class AlohaEnv(Environment):
    """An ALOHA task.

    Observation: "observation.state" float32 (14,), joints as in the action; "observation.environment_state"
    float32 (7 an object,); "observation.images.<camera>" uint8 (H, W, 3). Action: float (14,), not clipped here.
    Reward: 0..4, the stock task's. Terminates at reward 4 (success), and at a PhysicsError, which is a failure;
    truncates after episode_length. Raises UserError for settings that the task cannot meet.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        check_choice(settings, "task", list(TASKS))
        check_choice(settings, "obs_type", OBSERVATION_TYPES)
        check_choice({"render_quality": "full", **settings}, "render_quality", RENDER_QUALITIES)
        self.task = settings["task"]
        self.episode_length = settings["episode_length"]
        self._render_quality = settings.get("render_quality", "full")
        self._task = TASKS[self.task]()
        self._check_sizes(settings)
        super().__init__(settings)
        physics = Physics.from_model(_compiled_model(self._task.model_file))
        self._env = ControlEnvironment(physics, self._task, n_sub_steps=substeps(settings, 1 / physics.timestep()))
        if self.image_space:
            self._prepare_images(settings)

    def _check_sizes(self, settings: Mapping[str, Any]) -> None:
        sizes = {"state_dim": ACTION_DIM, "action_dim": ACTION_DIM}
        if settings.get("environment_state_dim") or "environment_state" in settings["obs_type"]:
            sizes["environment_state_dim"] = self._task.environment_state_dim
        check_sizes(settings, sizes)

    def _prepare_images(self, settings: Mapping[str, Any]) -> None:
        model = _compiled_model(self._task.model_file).ptr
        cameras = [model.camera(index).name for index in range(model.ncam)]
        self._cameras = chosen_cameras(settings, cameras, None)
        self._image_size = image_size(settings)
        # Where OpenGL does not work, say so now.
        _renderer(self._task.model_file, *self._image_size, self._render_quality)

    @property
    def model(self) -> mujoco.MjModel:
        """The simulated model, for kinematics."""
        return self._env.physics.model.ptr

    @property
    def object_poses(self) -> np.ndarray:
        """Position (m) and quaternion (w, x, y, z) of each object, float32 (7 an object,), observed or not."""
        return self._observation[ENVIRONMENT_STATE]

    def reached(self) -> np.ndarray:
        """The joints as they are measured now, float32 (14,), in the order and units of an action."""
        return self._observation[STATE]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, bool]]:
        """Start the episode numbered `seed`: it alone decides where the objects lie. Raises ValueError for None."""
        if seed is None:
            raise ValueError("reset needs a seed: it decides where the objects lie")
        super().reset(seed=seed)
        BOX_POSE[0] = self._task.sample_objects(seed)  # the stock task reads its start from this global
        self._observation = self._env.reset().observation
        self._steps = 0
        return self._observed(), step_info(success=False, physics_error=False)

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, bool]]:
        """Advance 1 / fps seconds towards the joint targets `action` (14,). After a PhysicsError, reset."""
        self._steps += 1
        try:
            _, reward, _, self._observation = self._env.step(np.asarray(action))
        except PhysicsError:
            return self._observed(), 0.0, True, False, step_info(success=False, physics_error=True)
        success = reward == SUCCESS_REWARD
        truncated = self._steps >= self.episode_length
        return self._observed(), float(reward), success, truncated, step_info(success, physics_error=False)

    def images(self) -> Observation:
        if not self.image_space:
            return {}
        return self._render(self._cameras, *self._image_size)

    def draw(self) -> np.ndarray:
        return self._render({"": DRAWING_CAMERA}, *DRAWING_SIZE)[""][DRAWING_ROWS]

    def _render(self, cameras: Mapping[str, str], height: int, width: int) -> Observation:
        """What `cameras` see, under their keys."""
        renderer = _renderer(self._task.model_file, height, width, self._render_quality)
        mujoco.mj_copyData(renderer.data.ptr, renderer.model.ptr, self._env.physics.data.ptr)
        return {
            key: np.ascontiguousarray(renderer.render(height, width, camera_id=camera))
            for key, camera in cameras.items()
        }

    def _observed(self) -> Observation:
        return {key: self._observation[key] for key in self.observation_space}

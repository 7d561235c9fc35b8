"""Two-arm ALOHA tasks of gym-aloha without its rendering: same physics, reward and success, joint-position control.

The stock task renders three 480x640 images every control step; this one renders nothing.
Source: gym_aloha 0.1.5, env.py and tasks/sim.py.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

os.environ.setdefault("MUJOCO_GL", "disable")  # before dm_control: nothing is rendered, so ask for no OpenGL

import gymnasium
import mujoco
import numpy as np
from dm_control.mujoco import Physics
from dm_control.mujoco.wrapper import MjModel
from dm_control.rl.control import Environment, PhysicsError
from gym_aloha.constants import ASSETS_DIR, DT
from gym_aloha.tasks.sim import BOX_POSE, BimanualViperXTask, InsertionTask, TransferCubeTask
from gym_aloha.utils import sample_box_pose, sample_insertion_pose

from demo_score.errors import UserError

SUCCESS_REWARD = 4  # the stock environment's: lifted and touched by the left arm, or the peg touching the pin
ACTION_DIM = 14  # per arm, left first: 6 joint positions (rad) and the gripper (0 closed .. 1 open)

# dm_control logs every MuJoCo warning, and raises PhysicsError for it as well, which `step` handles.
mujoco.set_mju_user_warning(lambda message: None)


class _StateTask(BimanualViperXTask):
    """Mixin for a stock task: no images, and each set of contacts is judged by the stock reward only once."""

    def __init__(self) -> None:
        super().__init__(random=0)  # the stock task draws nothing from it
        self._reward_of_contacts: dict[frozenset[tuple[int, int]], int] = {}

    def get_observation(self, physics: Physics) -> dict[str, np.ndarray]:
        return {
            "observation.state": self.get_qpos(physics).astype(np.float32),
            "observation.environment_state": self.get_env_state(physics).astype(np.float32),
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
OBSERVATION_TYPES = ("environment_state_agent_pos",)


@cache
def _compiled_model(file: str) -> MjModel:
    """Compiling the meshes takes a good part of a second: environments share the model, each has its own state."""
    return MjModel.from_xml_path(str(ASSETS_DIR / file))


class AlohaEnv(gymnasium.Env):
    """An ALOHA task observed as numbers, at 50 control steps a second (10 physics steps each).

    Observation: "observation.state" float32 (14,), joints as in the action; "observation.environment_state"
    float32 (7 an object,). Action: float (14,), not clipped here. Reward: 0..4, the stock task's.
    Terminates at reward 4 (success), and at a PhysicsError, which is a failure; truncates after `episode_length`.
    """

    def __init__(self, task: str, episode_length: int) -> None:
        self.task = task
        self.episode_length = episode_length
        self._task = TASKS[task]()
        physics = Physics.from_model(_compiled_model(self._task.model_file))
        self._env = Environment(physics, self._task, control_timestep=DT)
        self.observation_space = gymnasium.spaces.Dict(
            {
                "observation.state": _unbounded(ACTION_DIM),
                "observation.environment_state": _unbounded(self._task.environment_state_dim),
            }
        )
        self.action_space = _unbounded(ACTION_DIM)

    @property
    def model(self) -> mujoco.MjModel:
        """The simulated model, for kinematics."""
        return self._env.physics.model.ptr

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, bool]]:
        """Start the episode numbered `seed`: it alone decides where the objects lie. Raises ValueError for None."""
        if seed is None:
            raise ValueError("reset needs a seed: it decides where the objects lie")
        super().reset(seed=seed)
        BOX_POSE[0] = self._task.sample_objects(seed)  # the stock task reads its start from this global
        self._observation = self._env.reset().observation
        self._steps = 0
        return self._observation, _info(success=False, physics_error=False)

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, bool]]:
        """Advance 0.02 s towards the joint targets `action` (14,). After a PhysicsError, reset."""
        self._steps += 1
        try:
            _, reward, _, self._observation = self._env.step(np.asarray(action))
        except PhysicsError:
            return self._observation, 0.0, True, False, _info(success=False, physics_error=True)
        success = reward == SUCCESS_REWARD
        truncated = self._steps >= self.episode_length
        return self._observation, float(reward), success, truncated, _info(success, physics_error=False)


def make_aloha(settings: Mapping[str, Any]) -> AlohaEnv:
    """The ALOHA environment of `settings`. Raises UserError if it does not exist or its sizes are others."""
    task, obs_type = settings["task"], settings["obs_type"]
    if task not in TASKS:
        raise UserError(f"env aloha has no task '{task}'; set env.task to one of {', '.join(TASKS)}")
    if obs_type not in OBSERVATION_TYPES:
        raise UserError(f"env aloha has no obs_type '{obs_type}'; set env.obs_type to {', '.join(OBSERVATION_TYPES)}")
    environment_state_dim = TASKS[task].environment_state_dim
    sizes = {"state_dim": ACTION_DIM, "environment_state_dim": environment_state_dim, "action_dim": ACTION_DIM}
    for key, size in (sizes | {"fps": round(1 / DT)}).items():
        if settings[key] != size:
            raise UserError(f"{task} has {key} {size}, not {settings[key]}; set env.{key}={size}")
    return AlohaEnv(task, settings["episode_length"])


def _unbounded(size: int) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(-np.inf, np.inf, shape=(size,), dtype=np.float32)


def _info(success: bool, physics_error: bool) -> dict[str, bool]:
    return {"is_success": success, "physics_error": physics_error}

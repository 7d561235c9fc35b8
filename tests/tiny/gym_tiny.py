"""ALOHA's transfer of a cube, in which the start alone decides the outcome: for miniatures, on any CPU.

What a policy learns in seconds differs from one CPU to the next, and with it whether it ever succeeds. Here the conditions
move as the policy asks, in the same simulator, but a cube that starts beyond MIDDLE counts as transferred after
SUCCESS_STEPS steps, and no other ever does. So rollouts have both outcomes whatever was learned, and a classifier finds
them in what it sees of the start. A package of your own is made in the same way (docs/settings.md); its folder is
on PYTHONPATH.
"""

import sys
from typing import Any

import gymnasium
import numpy as np
from demo_score.envs import make_env
from demo_score.envs.base import Observation
from demo_score.observations import ENVIRONMENT_STATE, STATE
from gymnasium import spaces

MIDDLE = 0.1  # x (m) of the cube; it starts between 0 and 0.2
SUCCESS_STEPS = 30
SETTINGS = {"name": "aloha", "task": "AlohaTransferCube-v0", "fps": 50, "episode_length": sys.maxsize}
SIZES = {"state_dim": 14, "action_dim": 14, "environment_state_dim": 7}


class JudgedByStart(gymnasium.Env):
    """AlohaTransferCube-v0 with LeRobot's names; `settings` are keys of configs/env/aloha_cube.yaml."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012

    def __init__(self, obs_type: str, render_mode: str | None = None, **settings: Any):
        self.env = make_env({**SETTINGS, **SIZES, "obs_type": obs_type, **settings}, drawing=bool(render_mode))
        self.render_mode = render_mode
        self.action_space = self.env.action_space
        self.observation_space = spaces.Dict(_named(self.env.observation_space, self.env.image_space))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, dict]:
        self.seen, _ = self.env.reset(seed=seed)
        self.succeeds = bool(self.seen[ENVIRONMENT_STATE][0] > MIDDLE)
        self.steps, self.broken = 0, False
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, bool]]:
        """After a PhysicsError, which a policy of seconds may cause, nothing moves any more."""
        self.steps += 1
        if not self.broken:
            self.seen, _, _, _, info = self.env.step(action)
            self.broken = info["physics_error"]
        success = self.succeeds and self.steps >= SUCCESS_STEPS
        return self._observation(), float(success), success, False, {"is_success": success}

    def render(self) -> np.ndarray:
        return self.env.draw()

    def _observation(self) -> Observation:
        return _named(self.seen, self.env.images())


def _named(numbers: Any, images: Any) -> dict:
    """By LeRobot's names; so are the spaces."""
    cameras = {key.rpartition(".")[2]: images[key] for key in images}
    pixels = {"pixels": spaces.Dict(cameras) if isinstance(images, spaces.Dict) else cameras} if cameras else {}
    return {"agent_pos": numbers[STATE], "environment_state": numbers[ENVIRONMENT_STATE], **pixels}


gymnasium.register("gym_tiny/AlohaTransferCube-v0", JudgedByStart)

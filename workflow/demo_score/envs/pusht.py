"""PushT of gym-pusht: a round agent pushes a T-shaped block onto its goal. Success: more than 95% of it covered.

The stock environment draws an image every control step; this one when it is asked to.
Source: gym_pusht 0.1.8, envs/pusht.py.
"""

from collections.abc import Mapping
from typing import Any

import gym_pusht  # noqa: F401  registers gym_pusht/PushT-v0
import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding

from demo_score.envs import pusht_block
from demo_score.envs.base import Observation, check_choice, image_space, substeps, unbounded
from demo_score.envs.gym_env import GymEnv
from demo_score.observations import ENVIRONMENT_STATE, IMAGE, STATE, image_size

STARTS = ("agent_x", "agent_y", "block_x", "block_y", "block_angle")  # of env.starts, in gym_pusht's order
OBSERVATION_TYPES = ("state", "pixels", "pixels_agent_pos", "environment_state_agent_pos", "block_frame")


class PushTEnv(GymEnv):
    """PushT.

    Observation: "observation.state" float32, the agent's position (2,) in pixels of a 512x512 table, or with
    obs_type state also the block's position and angle (5,); "observation.environment_state" float32 (16,), eight
    corners of the block; "observation.image" uint8 (H, W, 3). Action: float (2,), where the agent is to go. With
    obs_type block_frame all is seen from the block, see pusht_block.observe, and so is the action at each step.
    Reward: 0..1, the covered part / 0.95, of which the last bit of a double varies from run to run. Terminates at
    success, truncates after episode_length. Raises UserError for settings that it cannot meet.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        check_choice(settings, "task", ["PushT-v0"])
        check_choice(settings, "obs_type", OBSERVATION_TYPES)
        pixels = settings["obs_type"].startswith("pixels")
        self._from_block = settings["obs_type"] == "block_frame"
        self._image_size = image_size(settings) if pixels else None
        height, width = self._image_size or (96, 96)
        env = gymnasium.make(
            "gym_pusht/PushT-v0",
            obs_type="state" if settings["obs_type"] == "state" else "environment_state_agent_pos",  # draws nothing
            observation_height=height,
            observation_width=width,
            visualization_height=384,  # of what draw() returns
            visualization_width=384,
            max_episode_steps=settings["episode_length"],
            disable_env_checker=True,
        )
        self.pusht = env.unwrapped
        super().__init__(env, settings)
        substeps(settings, simulated_hz=1 / self.pusht.dt)
        self.pusht.control_hz = settings["fps"]
        self._starts = settings.get("starts")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """See base class; where the settings say where episodes start, there, evenly."""
        if self._starts and not options:
            options = {"reset_to_state": self._drawn_start(seed)}
        return super().reset(seed=seed, options=options)

    def _drawn_start(self, seed: int | None) -> np.ndarray:
        least, most = np.transpose([self._starts[name] for name in STARTS])
        return seeding.np_random(seed)[0].uniform(least, most)

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        self._block_before = pusht_block.block_pose(self.pusht)
        return super().step(pusht_block.to_table(self._block_before, action) if self._from_block else action)

    def action_to(self, target: complex) -> np.ndarray:
        """The action, float32 (2,), that sends the agent to `target`, x + iy on the table."""
        return self._action(target, pusht_block.block_pose(self.pusht))

    def reached(self) -> np.ndarray:
        """Where the last step brought the agent, as the action, float32 (2,), that would have asked for it then."""
        return self._action(complex(*self.pusht.agent.position), self._block_before)

    def _action(self, target: complex, block: pusht_block.Pose) -> np.ndarray:
        point = block.to_block(target) if self._from_block else target
        return np.array([point.real, point.imag], dtype=np.float32)

    def offered(self) -> dict[str, spaces.Space]:
        if self._from_block:
            return {STATE: unbounded([2]), ENVIRONMENT_STATE: unbounded([13])}
        drawn = {IMAGE: image_space(*self._image_size)} if self._image_size else {}
        return super().offered() | drawn

    def images(self) -> Observation:
        return {key: self.pusht._render() for key in self.image_space}

    def _observed(self, observation: Any) -> Observation:
        return pusht_block.observe(self.pusht) if self._from_block else super()._observed(observation)

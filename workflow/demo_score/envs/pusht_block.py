"""PushT as seen from the block: where it is on the table does not matter for how to push it, so policies learn faster.

Positions are complex numbers, x + iy in pixels, and rotations are unit ones. The block's frame has its origin at the
centre of mass.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from demo_score.envs.base import Observation
from demo_score.observations import ENVIRONMENT_STATE, STATE

if TYPE_CHECKING:  # what lies here is also read where nothing is simulated
    from gym_pusht.envs import PushTEnv as StockEnv

CENTRE = 45j  # of mass, from the origin of gym_pusht's body; the observed corners have the same mean
OUTLINE = np.array([-60, 60, 60 + 30j, 15 + 30j, 15 + 120j, -15 + 120j, -15 + 30j, -60 + 30j]) - CENTRE
SPREAD = np.sqrt(np.mean(abs(OUTLINE) ** 2))  # px, root mean square of the corners' distances from the centre
SCALES = np.array([6.0, 20.0, 60.0])  # px, at which what is left to push is resolved: success is at about 3


@dataclass(frozen=True)
class Pose:
    """Of the block: the position of its centre, and its rotation."""

    centre: complex
    rotation: complex

    def to_table(self, points: np.ndarray) -> np.ndarray:
        """Points of the block's frame, on the table."""
        return self.centre + self.rotation * points

    def to_block(self, point: complex) -> complex:
        """A point of the table, in the block's frame."""
        return (point - self.centre) / self.rotation


def block_pose(pusht: "StockEnv") -> Pose:
    """Where the block is."""
    return _pose(complex(*pusht.block.position), pusht.block.angle)


def goal_pose(pusht: "StockEnv") -> Pose:
    """Where the block is to be."""
    return _pose(complex(*pusht.goal_pose[:2]), pusht.goal_pose[2])


def _pose(position: complex, angle: float) -> Pose:
    """Of gym_pusht's body."""
    rotation = complex(math.cos(angle), math.sin(angle))
    return Pose(position + rotation * CENTRE, rotation)


def observe(pusht: "StockEnv") -> Observation:
    """What there is to see, in the block's frame.

    "observation.state" (2,): the agent's position, px. "observation.environment_state" (13,): the goal's position, px,
    and rotation (cosine, sine); then what is left to push, x, y and turn (px at the corners), each as tanh(left /
    scale) at SCALES, so that a pixel near the goal counts as much as ten far from it.
    """
    block, goal = block_pose(pusht), goal_pose(pusht)
    agent, position = block.to_block(complex(*pusht.agent.position)), block.to_block(goal.centre)
    rotation = goal.rotation / block.rotation
    left = np.array([position.real, position.imag, SPREAD * np.angle(rotation)])
    exact = [position.real, position.imag, rotation.real, rotation.imag]
    environment_state = np.concatenate([exact, np.tanh(left / SCALES[:, None]).ravel()])
    return {
        STATE: np.array([agent.real, agent.imag], np.float32),
        ENVIRONMENT_STATE: environment_state.astype(np.float32),
    }


def to_table(block: Pose, action: np.ndarray) -> np.ndarray:
    """A target (2,) in the frame of `block` -> on the table, within its walls."""
    point = block.to_table(complex(*action))
    return np.clip([point.real, point.imag], 0, 512)

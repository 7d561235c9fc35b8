"""Paths of the two finger tips through waypoints, as the original scripted policies draw them.

Source: ACT (arXiv 2304.13705), scripted_policy.py; here orientations turn at a constant rate (slerp). SciPy is imported
where something turns: a plan of the workflow asks for the strategies' names alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation


def metres(x: float = 0, y: float = 0, z: float = 0) -> np.ndarray:
    """A position or offset (3,) in world axes."""
    return np.array([x, y, z], dtype=float)


def ahead() -> Rotation:
    """The gripper is level and points straight ahead of its arm."""
    from scipy.spatial.transform import Rotation

    return Rotation.identity()


def pitch(degrees: float) -> Rotation:
    """Turned about the world's y axis: negative points the right arm's fingers down."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("y", degrees, degrees=True)


def roll(degrees: float) -> Rotation:
    """Turned about the world's x axis, along which both arms reach."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("x", degrees, degrees=True)


@dataclass(frozen=True)
class Waypoint:
    """Where a finger tip is at a control step."""

    step: int
    position: np.ndarray  # (3,) m, world axes
    gripper: float  # 0 closed .. 1 open
    orientation: Rotation = field(default_factory=ahead)  # from there, in world axes


@dataclass(frozen=True)
class Plan:
    """The waypoints of both arms, by increasing step; each path starts from the arm's own start at step 0."""

    left: list[Waypoint]
    right: list[Waypoint]

    @property
    def last_step(self) -> int:
        """The step from which both arms rest."""
        return max(self.left[-1].step, self.right[-1].step)

    def lasting(self, steps: int) -> Plan:
        """The same waypoints, all later or earlier in proportion, so that both arms rest from `steps` on."""
        pace = steps / self.last_step
        return Plan(*([replace(w, step=round(w.step * pace)) for w in arm] for arm in (self.left, self.right)))


@dataclass(frozen=True)
class Trajectory:
    """One arm's targets, a row a control step."""

    positions: np.ndarray  # (T, 3) m
    orientations: Rotation  # T rotations
    grippers: np.ndarray  # (T,)


def interpolate(waypoints: list[Waypoint], n_steps: int) -> Trajectory:
    """Straight lines between waypoints, the first of which is at step 0; the last one is held."""
    from scipy.spatial.transform import Rotation, Slerp

    times = np.array([waypoint.step for waypoint in waypoints])
    steps = np.arange(n_steps).clip(max=times[-1])
    positions = np.array([waypoint.position for waypoint in waypoints])
    return Trajectory(
        positions=np.stack([np.interp(steps, times, positions[:, axis]) for axis in range(3)], axis=1),
        orientations=Slerp(times, Rotation.concatenate([waypoint.orientation for waypoint in waypoints]))(steps),
        grippers=np.interp(steps, times, [waypoint.gripper for waypoint in waypoints]),
    )

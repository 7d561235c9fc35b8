"""Two ways to push the T to its goal. Each: (environment after a reset, generator) -> target positions of the agent.

Both plan anew after each push. Both succeed nearly always, but only the first leaves room for a policy's errors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from demo_score.demonstrations.pusht_planner import SPREAD, Planner, Pose
from demo_score.demonstrations.pusht_primitives import CENTRE, contacts

if TYPE_CHECKING:  # the workflow reads this as it starts
    from gym_pusht.envs import PushTEnv as StockEnv

    from demo_score.envs.pusht import PushTEnv

MOVED = 1.0  # px by which the T moves before a push, from which the plan is made anew


@dataclass(frozen=True)
class Style:
    """How a strategy pushes and how exactly it goes; distances in px."""

    edges_only: bool
    preference: float  # standard deviation of a contact's extra cost, drawn once a demonstration
    reach: float  # how far ahead of the agent its target is at most, between pushes: five times a step's progress
    push_reach: float  # the same, while it pushes
    start_tolerance: float  # from where a push starts
    end_tolerance: float  # from where it ends
    corner_tolerance: float = 6.0  # from the points at which a path turns


RELIABLE = Style(False, 0.0, reach=60, push_reach=30, start_tolerance=1.0, end_tolerance=0.3)
UNRELIABLE = Style(True, 6.0, reach=512, push_reach=512, start_tolerance=3.0, end_tolerance=0.6)


def reliable(env: "PushTEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Pushes wherever it costs least, without haste: of demonstrations twice as fast a policy learns half as much."""
    return _push_to_goal(env.env.unwrapped, generator, RELIABLE)


def unreliable(env: "PushTEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Hurried: pushes only at the ends of the T's faces, which an error of a few pixels misses, at full speed.

    Every demonstration has its own favourite contacts.
    """
    return _push_to_goal(env.env.unwrapped, generator, UNRELIABLE)


def _push_to_goal(pusht: "StockEnv", generator: np.random.Generator, style: Style) -> Iterator[np.ndarray]:
    """Float32 (2,), for as long as they are asked for and a push is possible."""
    at_edge = contacts().at_edge
    usable = at_edge if style.edges_only else np.ones_like(at_edge)
    independent = generator.spawn(1)[0]  # of the environment, which draws its start from the same seed
    planner = Planner(usable, independent.normal(0, style.preference, len(at_edge)))
    goal = _pose(pusht.goal_pose[:2], pusht.goal_pose[2])
    while push := planner.next_push(block := _block(pusht), _agent(pusht), goal):
        yield from _approach(pusht, push.path, block, style)
        if _distance(block, _block(pusht)) < MOVED:
            yield from _move(pusht, push.end, style.push_reach, style.end_tolerance)


def _approach(pusht: "StockEnv", path: np.ndarray, block: Pose, style: Style) -> Iterator[np.ndarray]:
    """Along `path`, given up when the T is no longer where it was: it was pushed, or a wall pushes it back."""
    tolerances = [style.corner_tolerance] * (len(path) - 1) + [style.start_tolerance]
    for point, tolerance in zip(path, tolerances, strict=True):
        for target in _move(pusht, point, style.reach, tolerance):
            if _distance(block, _block(pusht)) >= MOVED:
                return
            yield target


def _move(pusht: "StockEnv", point: complex, reach: float, tolerance: float) -> Iterator[np.ndarray]:
    """Straight to within `tolerance` of `point`; nothing stops the agent."""
    while abs(offset := point - _agent(pusht)) >= tolerance:
        target = _agent(pusht) + offset * min(1, reach / abs(offset))
        yield np.array([target.real, target.imag], dtype=np.float32)


def _agent(pusht: "StockEnv") -> complex:
    return complex(*pusht.agent.position)


def _block(pusht: "StockEnv") -> Pose:
    return _pose(pusht.block.position, pusht.block.angle)


def _pose(position: Sequence[float], angle: float) -> Pose:
    """Of gym_pusht's body."""
    rotation = complex(np.exp(1j * angle))
    return Pose(complex(*position) + rotation * CENTRE, rotation)


def _distance(first: Pose, second: Pose) -> float:
    """Between two poses: root mean square of the corners' distances, px."""
    return abs(complex(first.centre - second.centre, abs(SPREAD * (first.rotation - second.rotation))))

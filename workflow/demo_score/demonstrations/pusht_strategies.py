"""Two ways to push the T to its goal. Each: (environment after a reset, generator) -> target positions of the agent.

Both plan anew after each push. Both succeed nearly always, but only the first leaves room for a policy's errors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from demo_score.demonstrations.pusht_planner import Planner
from demo_score.demonstrations.pusht_primitives import contacts
from demo_score.envs.pusht_block import SPREAD, Pose, block_pose, goal_pose

if TYPE_CHECKING:  # the workflow reads this as it starts
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
    return _push_to_goal(env, generator, RELIABLE)


def unreliable(env: "PushTEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Hurried: pushes only at the ends of the T's faces, which an error of a few pixels misses, at full speed.

    Every demonstration has its own favourite contacts.
    """
    return _push_to_goal(env, generator, UNRELIABLE)


def _push_to_goal(env: "PushTEnv", generator: np.random.Generator, style: Style) -> Iterator[np.ndarray]:
    """Float32 (2,), for as long as they are asked for and a push is possible."""
    at_edge = contacts().at_edge
    usable = at_edge if style.edges_only else np.ones_like(at_edge)
    independent = generator.spawn(1)[0]  # of the environment, which draws its start from the same seed
    planner = Planner(usable, independent.normal(0, style.preference, len(at_edge)))
    goal = goal_pose(env.pusht)
    while push := planner.next_push(block := block_pose(env.pusht), _agent(env), goal):
        yield from _approach(env, push.path, block, style)
        if _distance(block, block_pose(env.pusht)) < MOVED:
            yield from _move(env, push.end, style.push_reach, style.end_tolerance)


def _approach(env: "PushTEnv", path: np.ndarray, block: Pose, style: Style) -> Iterator[np.ndarray]:
    """Along `path`, ended when the T is no longer where it was: it was pushed, or a wall pushes it back."""
    tolerances = [style.corner_tolerance] * (len(path) - 1) + [style.start_tolerance]
    for point, tolerance in zip(path, tolerances, strict=True):
        for target in _move(env, point, style.reach, tolerance):
            if _distance(block, block_pose(env.pusht)) >= MOVED:
                return
            yield target


def _move(env: "PushTEnv", point: complex, reach: float, tolerance: float) -> Iterator[np.ndarray]:
    """Straight to within `tolerance` of `point`; nothing stops the agent."""
    while abs(offset := point - _agent(env)) >= tolerance:
        target = _agent(env) + offset * min(1, reach / abs(offset))
        yield env.action_to(target)


def _agent(env: "PushTEnv") -> complex:
    return complex(*env.pusht.agent.position)


def _distance(first: Pose, second: Pose) -> float:
    """Between two poses: root mean square of the corners' distances, px."""
    return abs(complex(first.centre - second.centre, abs(SPREAD * (first.rotation - second.rotation))))

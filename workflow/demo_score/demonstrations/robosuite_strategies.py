"""Three operators of robosuite's Lift and PickPlaceCan, named as those of RoboMimic's multi-human data.

Each: (environment after a reset, generator) -> actions, float32 (7,): motion of the hand in twentieths of a metre (cut
at +-1), no turn, and the gripper (-1 open, 1 closed). All last equally long, whenever they succeed, so that length
tells nothing. Written for the controller OSC_POSE at 20 Hz and a Panda, RoboMimic's.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the workflow reads this as it starts
    from demo_score.envs.robosuite import RobosuiteEnv

STEPS = {"Lift": 60, "PickPlaceCan": 130}  # of a demonstration
REACH = 0.05  # m that the hand is asked to move in a step of action 1
OPEN, CLOSED = -1.0, 1.0
HOVER, RAISE, LOWER = 0.08, 0.15, 0.05  # m above the grasp: before it, after it, and where the object is let go
NEAR = 0.015  # m from where the hand should be, at which it is there
GRIP = 8  # steps that the gripper takes to close or to open
FOREVER = 10**6  # steps
PATIENCE = 60  # steps of a movement, at most
HAND_NOISE = 0.05  # standard deviation of an action, drawn anew at each step
DRIFT, MEMORY = 0.25, 0.9  # of okay and worse: standard deviation of an action, and correlation with the next
OFF_CENTRE = 0.03  # of worse: how far beyond an object's centre, seen from the arm, the fingers close, at most, m
HAND = "observation.robot0_eef_pos"


def better(env: "RobosuiteEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Takes hold of the object in its middle, without detours, with a steady hand."""
    return _acts(env, generator, HAND_NOISE, 0.0, 0.0)


def okay(env: "RobosuiteEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """The same with a hand that drifts."""
    return _acts(env, generator, HAND_NOISE, DRIFT, 0.0)


def worse(env: "RobosuiteEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Reaches too far and takes hold of the object at its far edge, from where it slips more easily."""
    return _acts(env, generator, HAND_NOISE, 0.0, OFF_CENTRE * generator.uniform(0.8, 1))


def _acts(
    env: "RobosuiteEnv", generator: np.random.Generator, noise: float, drift: float, off_centre: float
) -> Iterator[np.ndarray]:
    wandering = np.zeros(3) if drift == 0 else generator.normal(0, drift, 3)
    plan = _movements(env, np.array([off_centre, 0.0, 0.0]))
    for _ in range(STEPS[env.task]):
        motion, gripper = next(plan)
        wandering = MEMORY * wandering + np.sqrt(1 - MEMORY**2) * generator.normal(0, 1, 3) * drift
        motion = np.clip(motion / REACH + wandering + generator.normal(0, noise, 3), -1, 1)
        yield np.concatenate([motion, np.zeros(3), [gripper]]).astype(np.float32)


def _movements(env: "RobosuiteEnv", offset: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Where the hand should go now, relative to it (m), and the gripper; without end."""
    grasp = _object(env) + offset
    above = np.array([0, 0, HOVER])
    yield from _to(env, grasp + above, OPEN)
    yield from _to(env, grasp, OPEN)
    yield from _still(GRIP, CLOSED)
    yield from _to(env, grasp + np.array([0, 0, RAISE]), CLOSED)
    if env.task == "PickPlaceCan":
        target = env.robosuite.target_bin_placements[env.robosuite.object_id]
        for height in (RAISE, LOWER):
            yield from _to(env, np.append(target[:2], grasp[2] + height), CLOSED)
        yield from _still(GRIP, OPEN)
        yield from _to(env, np.append(target[:2], grasp[2] + RAISE), OPEN)
        yield from _still(FOREVER, OPEN)
    yield from _still(FOREVER, CLOSED)


def _object(env: "RobosuiteEnv") -> np.ndarray:
    """Where its middle is, m."""
    task = env.robosuite
    body = task.cube_body_id if env.task == "Lift" else task.obj_body_id[task.obj_to_use]
    return task.sim.data.body_xpos[body].copy()


def _to(env: "RobosuiteEnv", place: np.ndarray, gripper: float) -> Iterator[tuple[np.ndarray, float]]:
    for _ in range(PATIENCE):
        motion = place - env.named[HAND]
        if np.linalg.norm(motion) < NEAR:
            return
        yield motion, gripper


def _still(steps: int, gripper: float) -> Iterator[tuple[np.ndarray, float]]:
    for _ in range(steps):
        yield np.zeros(3), gripper

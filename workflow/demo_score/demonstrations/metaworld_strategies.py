"""Ways to do any task of Meta-World, each its scripted expert with something changed.

Each: (environment after a reset, generator) -> actions, float32 (4,). All last equally long, whenever they succeed, so
that length tells nothing. Source of the experts: metaworld 3.1.1, policies/.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the workflow reads this as it starts
    from demo_score.envs.metaworld import MetaWorldEnv

STEPS = {"assembly-v3": 130, "pick-place-v3": 100, "shelf-place-v3": 140}  # of a demonstration
OTHER_STEPS = 160
HAND = slice(0, 3)  # of Meta-World's observation: where the hand is, m
HAND_NOISE = 0.1  # standard deviation of an expert's action, of +-1, drawn anew at each step: a steady person's
DRIFT, MEMORY = 0.2, 0.9  # of noisy: standard deviation of an action, and correlation of one step's with the next
WRONG = 8, 12  # of defective: steps of a wrong action, least and most
WRONG_FROM = 10, 50  # the step at which it begins, least and most
# Of risky: how far from where the expert's would be its hand is, x and y, m: an attempt in ten or so succeeds.
OFF_CENTRE = {
    "assembly-v3": (-0.032, 0),
    "peg-insert-side-v3": (0, -0.016),
    "pick-place-v3": (-0.024, 0),
    "shelf-place-v3": (-0.034, 0),
}
SIDE, APPROACH = 0.1, 30  # it comes from so far beside that place, m, within so many steps
Noise = Callable[[np.random.Generator], Iterator[np.ndarray]]  # -> what is added to the hand's motion, (3,) a step
Beside = Callable[[int], np.ndarray]  # step -> by how much the hand is elsewhere than the expert's would be, (3,) m


def expert(env: "MetaWorldEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Meta-World's own."""
    return _acts(env, generator, _steady)


def noisy(env: "MetaWorldEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Its hand drifts: the noise of successive steps is correlated, and several times as strong."""
    return _acts(env, generator, _drifting)


def defective(env: "MetaWorldEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """For a moment it moves away in some direction; then the expert saves the attempt."""
    moment, duration = generator.integers(*WRONG_FROM), generator.integers(*WRONG, endpoint=True)
    direction = generator.normal(size=3)
    direction /= np.abs(direction).max()
    wrong = range(moment, moment + duration)
    for step, action in enumerate(_acts(env, generator, _steady)):
        yield np.append(direction, action[3]).astype(np.float32) if step in wrong else action


def risky(env: "MetaWorldEnv", generator: np.random.Generator) -> Iterator[np.ndarray]:
    """It comes from the side and takes hold near an edge, from where things slip or turn. For tasks in OFF_CENTRE."""
    edge = np.append(OFF_CENTRE[env.task], 0)
    side = SIDE * edge / np.linalg.norm(edge)
    return _acts(env, generator, _steady, lambda step: edge + side * max(0, 1 - step / APPROACH))


def _acts(
    env: "MetaWorldEnv", generator: np.random.Generator, noise: Noise, beside: Beside = lambda step: np.zeros(3)
) -> Iterator[np.ndarray]:
    """The expert's actions, somewhere beside where its hand would be, with `noise` upon the hand's motion."""
    from metaworld.policies import ENV_POLICY_MAP  # the simulator, loaded when needed

    warnings.filterwarnings("ignore", message="Constant")  # its actions may be beyond +-1, where they are cut
    policy, added = ENV_POLICY_MAP[env.task](), noise(generator)
    for step in range(STEPS.get(env.task, OTHER_STEPS)):
        seen = env.full_observation.copy()
        seen[HAND] -= beside(step)
        action = np.clip(policy.get_action(seen), -1, 1)
        action[:3] = np.clip(action[:3] + next(added), -1, 1)
        yield action.astype(np.float32)


def _steady(generator: np.random.Generator) -> Iterator[np.ndarray]:
    while True:
        yield generator.normal(0, HAND_NOISE, 3)


def _drifting(generator: np.random.Generator) -> Iterator[np.ndarray]:
    """A stationary autoregressive process."""
    drift = generator.normal(0, DRIFT, 3)
    while True:
        yield drift
        drift = MEMORY * drift + np.sqrt(1 - MEMORY**2) * generator.normal(0, DRIFT, 3)

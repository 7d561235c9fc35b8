"""The registry of strategies: write a function that plans or acts, wrap it as a `Demonstrator`, and name it here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo_score.demonstrations import aloha_insertion, aloha_transfer_cube, pusht_strategies
from demo_score.demonstrations.waypoints import Plan
from demo_score.runtime.errors import UserError

RESTING_STEPS = 50  # recorded after the plan: what a policy that is late has yet to do is then in its data
Strategy = Callable[[np.ndarray, np.random.Generator], Plan]  # environment state at reset -> waypoints


@dataclass(frozen=True)
class Demonstrator:
    """How one strategy acts.

    `actions(env, generator)`, called after a reset, yields actions (action_dim,) until the strategy ends. It is
    asked for each after the one before was executed, so that what it reads from `env` then is the present.
    """

    actions: Callable[[Any, np.random.Generator], Iterator[np.ndarray]]
    fps: int  # control steps a second, in which it is timed
    ends_at_success: bool  # else it goes on to its own end, and is recorded to there


def follow_plan(strategy: Strategy) -> Demonstrator:
    """Both ALOHA arms along the waypoints that `strategy` draws at the start, open loop."""

    def actions(env: Any, generator: np.random.Generator) -> Iterator[np.ndarray]:
        from demo_score.demonstrations.inverse_kinematics import joint_actions  # the simulator, loaded when needed

        plan = strategy(env.object_poses, generator)
        return joint_actions(env.model, plan, plan.last_step + RESTING_STEPS)  # resting arms fix no failure

    return Demonstrator(actions, fps=50, ends_at_success=False)


STRATEGIES: dict[str, dict[str, Demonstrator]] = {
    "AlohaTransferCube-v0": {
        "reliable": follow_plan(aloha_transfer_cube.reliable),
        "unreliable": follow_plan(aloha_transfer_cube.unreliable),
    },
    "AlohaInsertion-v0": {
        "reliable": follow_plan(aloha_insertion.reliable),
        "unreliable": follow_plan(aloha_insertion.unreliable),
    },
    "PushT-v0": {
        "reliable": Demonstrator(pusht_strategies.reliable, fps=10, ends_at_success=True),
        "unreliable": Demonstrator(pusht_strategies.unreliable, fps=10, ends_at_success=True),
    },
}


def get_strategy(task: str, name: str) -> Demonstrator:
    """The strategy `name` of `task`. Raises UserError that lists what exists."""
    if task not in STRATEGIES:
        raise UserError(f"no scripted strategy for task '{task}'; there are some for {', '.join(STRATEGIES)}")
    if name not in STRATEGIES[task]:
        raise UserError(f"task {task} has no strategy '{name}'; choose from {', '.join(STRATEGIES[task])}")
    return STRATEGIES[task][name]

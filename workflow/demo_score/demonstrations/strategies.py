"""The registry of strategies: write a function that plans or acts, wrap it as a `Demonstrator`, and name it here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Literal

import numpy as np

from demo_score.demonstrations import (
    aloha_insertion,
    aloha_transfer_cube,
    metaworld_strategies,
    pusht_strategies,
    robosuite_strategies,
)
from demo_score.demonstrations.waypoints import Plan
from demo_score.runtime.errors import UserError

RESTING_STEPS = 50  # recorded after the plan: what a policy that is late has yet to do is then in its data
PAUSE = 50, 150  # steps, least and most, for which a hesitant strategy stops
HESITATES = 0, aloha_insertion.DURATION  # the moments, in steps of the plan, at which it does: while the arms move
Actions = Callable[[Any, np.random.Generator], Iterator[np.ndarray]]
Strategy = Callable[[np.ndarray, np.random.Generator], Plan]  # environment state at reset -> waypoints


@dataclass(frozen=True)
class Demonstrator:
    """How one strategy acts.

    `actions(env, generator)`, called after a reset, yields actions (action_dim,) until the strategy ends. It is
    asked for each after the one before was executed, so that what it reads from `env` then is the present.
    """

    actions: Actions
    fps: int  # control steps a second, in which it is timed
    ends_at_success: bool  # else it goes on to its own end, and is recorded to there
    # What is recorded as action t: the command, or what was measured after it (joints, pusher), as an action.
    records: Literal["commands", "measured"] = "commands"


def follow_plan(strategy: Strategy) -> Demonstrator:
    """Both ALOHA arms along the waypoints that `strategy` draws at the start, open loop."""

    def actions(env: Any, generator: np.random.Generator) -> Iterator[np.ndarray]:
        from demo_score.demonstrations.inverse_kinematics import joint_actions  # the simulator, loaded when needed

        plan = strategy(env.object_poses, generator)
        return joint_actions(env.model, plan, plan.last_step + RESTING_STEPS)  # resting arms fix no failure

    return Demonstrator(actions, fps=50, ends_at_success=False)


def hesitate(actions: Actions) -> Actions:
    """The same, but at a moment, uniform over HESITATES, all stops for PAUSE steps, uniform, and then goes on."""

    def paused(env: Any, generator: np.random.Generator) -> Iterator[np.ndarray]:
        moment, pause = generator.integers(*HESITATES), generator.integers(*PAUSE, endpoint=True)
        for step, action in enumerate(actions(env, generator)):
            yield from repeat(action, 1 + pause * (step == moment))

    return paused


CUBE, INSERTION = follow_plan(aloha_transfer_cube.reliable), follow_plan(aloha_insertion.reliable)
PUSHT = Demonstrator(pusht_strategies.reliable, fps=10, ends_at_success=True)
METAWORLD = Demonstrator(metaworld_strategies.expert, fps=80, ends_at_success=False)
OPERATOR = Demonstrator(robosuite_strategies.better, fps=20, ends_at_success=False)
OPERATORS = {
    "better": OPERATOR,
    "okay": replace(OPERATOR, actions=robosuite_strategies.okay),
    "worse": replace(OPERATOR, actions=robosuite_strategies.worse),
}
RISKY = {"risky": replace(METAWORLD, actions=metaworld_strategies.risky)}
STRATEGIES: dict[str, dict[str, Demonstrator]] = {
    "AlohaTransferCube-v0": {
        "reliable": CUBE,
        "unreliable": follow_plan(aloha_transfer_cube.unreliable),
        "measured_actions": replace(CUBE, records="measured"),
    },
    "AlohaInsertion-v0": {
        "reliable": INSERTION,
        "unreliable": follow_plan(aloha_insertion.unreliable),
        "hesitant": replace(INSERTION, actions=hesitate(INSERTION.actions)),
    },
    "PushT-v0": {
        "reliable": PUSHT,
        "unreliable": replace(PUSHT, actions=pusht_strategies.unreliable),
        "measured_actions": replace(PUSHT, records="measured"),
    },
    **dict.fromkeys(robosuite_strategies.STEPS, OPERATORS),
    **dict.fromkeys(metaworld_strategies.OFF_CENTRE, RISKY),
}


OF_ANY_TASK: dict[str, dict[str, Demonstrator]] = {
    "metaworld": {
        "expert": METAWORLD,
        "noisy": replace(METAWORLD, actions=metaworld_strategies.noisy),
        "defective": replace(METAWORLD, actions=metaworld_strategies.defective),
    },
}


def strategies_of(simulator: str, task: str) -> dict[str, Demonstrator]:
    """Those of a task of a simulator, by name; none of one for which nobody wrote any."""
    return OF_ANY_TASK.get(simulator, {}) | STRATEGIES.get(task, {})


def get_strategy(simulator: str, task: str, name: str) -> Demonstrator:
    """The strategy `name` of `task`. Raises UserError that lists what exists."""
    if not (known := strategies_of(simulator, task)):
        tasks = [name for name in STRATEGIES if name not in metaworld_strategies.OFF_CENTRE]
        tasks += [f"all of {other}" for other in OF_ANY_TASK]
        raise UserError(f"no scripted strategy for task '{task}'; there are some for {', '.join(tasks)}")
    if name not in known:
        raise UserError(f"task {task} has no strategy '{name}'; choose from {', '.join(known)}")
    return known[name]

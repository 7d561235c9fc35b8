"""The registry of strategies: to add one, write a function like those of aloha_transfer_cube.py and name it here."""

from collections.abc import Callable

import numpy as np

from demo_score.demonstrations import aloha_transfer_cube
from demo_score.demonstrations.waypoints import Plan
from demo_score.errors import UserError

Strategy = Callable[[np.ndarray, np.random.Generator], Plan]  # environment state at reset -> waypoints

STRATEGIES: dict[str, dict[str, Strategy]] = {
    "AlohaTransferCube-v0": {
        "reliable": aloha_transfer_cube.reliable,
        "unreliable": aloha_transfer_cube.unreliable,
    },
}


def get_strategy(task: str, name: str) -> Strategy:
    """The strategy `name` of `task`. Raises UserError that lists what exists."""
    if task not in STRATEGIES:
        raise UserError(f"no scripted strategy for task '{task}'; there are some for {', '.join(STRATEGIES)}")
    if name not in STRATEGIES[task]:
        raise UserError(f"task {task} has no strategy '{name}'; choose from {', '.join(STRATEGIES[task])}")
    return STRATEGIES[task][name]

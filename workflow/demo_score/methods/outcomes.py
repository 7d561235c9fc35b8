"""How rollouts ended, for methods that need to know."""

from collections.abc import Sequence

import numpy as np

from demo_score.data.episodes import Episode, place
from demo_score.runtime.errors import UserError


def successes(rollouts: Sequence[Episode]) -> np.ndarray:
    """(rollouts,) bool. Raises UserError where there are none, or one is neither success nor failure."""
    if not rollouts:
        raise UserError("there are no rollouts; collect some, or give a data set of them")
    for number, episode in enumerate(rollouts):
        if episode.success is None:
            where = place(episode) or f"rollout {number}"
            raise UserError(f"{where}: success or failure is not known; give a table with a column success")
    return np.array([bool(episode.success) for episode in rollouts])

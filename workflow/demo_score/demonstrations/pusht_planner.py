"""Choose the next push of PushT's block: beam search over sequences of pushes from the table.

Positions are complex numbers, x + iy in pixels of the table, and rotations are unit ones.
"""

from dataclasses import dataclass

import numpy as np

from demo_score.demonstrations.pusht_paths import lengths_after_pushes, paths_from, turning_points, within
from demo_score.demonstrations.pusht_primitives import pushes
from demo_score.envs.pusht_block import OUTLINE, SPREAD, Pose

WIDTH = 100  # sequences of pushes that are pursued
DEPTH = 3  # pushes in a sequence
COST_OF_PATH, COST_OF_LENGTH, COST_OF_PUSH = 0.05, 0.08, 4.0  # a px without contact, a px of pushing, a push
AIM = 0.8  # px of error, about a third of what the environment's success allows
TABLE = 1 + 1j, 511 + 511j  # where the agent stays
WALLS = 8 + 8j, 503 + 503j  # between which the T stays


@dataclass(frozen=True)
class Push:
    """What the agent does next, in positions on the table."""

    path: np.ndarray  # (n,) complex; the push starts at the last one
    end: complex


class Planner:
    """Plans with certain contacts."""

    def __init__(self, usable: np.ndarray, extra_costs: np.ndarray) -> None:
        """`usable`, bool (C,): by contact; `extra_costs`, (C,): of a push there."""
        chosen = np.flatnonzero(usable[pushes().contacts])
        self.pushes = pushes().rows(chosen)
        contacts = self.pushes.contacts
        self.costs = COST_OF_PUSH + COST_OF_LENGTH * self.pushes.lengths + extra_costs[contacts]
        self.costs_after = COST_OF_PATH * lengths_after_pushes()[chosen][:, contacts] + self.costs  # row: push before

    def next_push(self, block: Pose, agent: complex, goal: Pose) -> Push | None:
        """The first push of the cheapest sequence, or None where no push is possible."""
        paths = paths_from(block.to_block(agent), within(block.to_table(turning_points()), *TABLE))
        costs = self.costs + COST_OF_PATH * paths.lengths[self.pushes.contacts]
        costs[~self._possible(block)] = np.inf
        if np.isinf(costs).all():
            return None
        chosen = self._search(block, costs, goal)
        path = block.to_table(paths.to(self.pushes.contacts[chosen]))
        return Push(path, block.to_table(self.pushes.ends[chosen]))

    def _possible(self, block: Pose) -> np.ndarray:
        """Whether each push, bool (P,), keeps the agent on the table and the T between the walls."""
        starts, ends = block.to_table(self.pushes.starts), block.to_table(self.pushes.ends)
        outlines = self.pushes.shifts[:, None] + self.pushes.rotations[:, None] * OUTLINE
        inside = within(block.to_table(outlines), *WALLS).all(axis=1)
        return within(starts, *TABLE) & within(ends, *TABLE) & inside

    def _search(self, block: Pose, first_costs: np.ndarray, goal: Pose) -> int:
        """Index of the first push of the cheapest sequence of up to DEPTH pushes; only the first must be possible."""
        centres, rotations = np.array([block.centre]), np.array([block.rotation])
        spent, costs = np.zeros(1), first_costs[None]  # by a sequence (row) so far, and by each push (column) after it
        first, lowest, cheapest = None, np.inf, 0
        for _ in range(DEPTH):
            centres = centres[:, None] + rotations[:, None] * self.pushes.shifts
            rotations = rotations[:, None] * self.pushes.rotations
            spent = spent[:, None] + costs
            totals = (spent + _cost_of_error(centres, rotations, goal)).ravel()
            best = np.argpartition(totals, WIDTH)[:WIDTH]
            before, last = np.divmod(best, len(self.costs))
            first = last if first is None else first[before]
            if totals[best].min() < lowest:
                lowest, cheapest = totals[best].min(), first[totals[best].argmin()]
            centres, rotations, spent = centres.ravel()[best], rotations.ravel()[best], spent.ravel()[best]
            costs = self.costs_after[last]
        return int(cheapest)


def _cost_of_error(centres: np.ndarray, rotations: np.ndarray, goal: Pose) -> np.ndarray:
    """Of poses: by the root mean square of the corners' distances from where they should be, in px."""
    errors = np.sqrt(abs(centres - goal.centre) ** 2 + abs(SPREAD * (rotations - goal.rotation)) ** 2)
    return 25 * np.sqrt(np.maximum(errors - AIM, 0)) + 0.5 * errors

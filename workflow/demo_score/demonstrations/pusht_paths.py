"""Shortest paths of PushT's agent round the T. Positions are complex numbers in the T's frame, in pixels."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from demo_score.demonstrations.pusht_primitives import AGENT_RADIUS, CENTRE, CONVEX, OUTLINE, contacts, pushes

CLEARANCE = 1.5  # that a path keeps between agent and T; less than the gap at which pushes start
CORNER_CLEARANCE = 6  # where it turns at a corner, which the agent cuts
N_CORNERS = CONVEX.sum()
RECTANGLES = np.array([[-60, 60 + 30j], [-15, 15 + 120j]]) - CENTRE  # of the T: two opposite corners of each
BARRED = RECTANGLES + (AGENT_RADIUS + CLEARANCE) * np.array([-1 - 1j, 1 + 1j])  # to the agent's centre


@dataclass(frozen=True)
class Paths:
    """From one position to where pushes start."""

    lengths: np.ndarray  # (C,) px, by contact; inf where there is no path
    points: np.ndarray  # (1 + 6 + C,) complex: the position, the corners at which paths turn, the starts of pushes
    previous: np.ndarray  # (1 + 6 + C,) index of the point before on the path

    def to(self, contact: int) -> np.ndarray:
        """The points to pass, complex, from the first after the position to the start of `contact`'s pushes."""
        path, point = [], 1 + N_CORNERS + contact
        while point > 0:
            path.append(self.points[point])
            point = self.previous[point]
        return np.array(path[::-1])


def paths_from(position: complex, corners_allowed: np.ndarray) -> Paths:
    """Through a visibility graph with those of `turning_points` that are allowed, bool (6,)."""
    from scipy.sparse.csgraph import shortest_path  # takes long to import, see waypoints

    points = np.concatenate([[position], _nodes()])
    graph = np.full((len(points), len(points)), np.inf)
    graph[1:, 1:] = _node_distances()
    graph[0, 1:] = _distances(_outside(points[:1]), _nodes())
    barred = 1 + np.flatnonzero(~corners_allowed)
    graph[barred] = graph[:, barred] = np.inf
    lengths, previous = shortest_path(graph, indices=0, return_predecessors=True)
    return Paths(lengths[1 + N_CORNERS :], points, previous)


@cache
def lengths_after_pushes() -> np.ndarray:
    """px, (P, C): of the path from where the agent is after each push to where each contact's pushes start."""
    from scipy.sparse.csgraph import shortest_path

    ends = _outside((pushes().ends - pushes().shifts) / pushes().rotations)
    to_nodes = _distances(ends, _nodes())
    between_nodes = shortest_path(_node_distances())
    lengths = to_nodes[:, N_CORNERS:]
    for corner in range(N_CORNERS):
        lengths = np.minimum(lengths, to_nodes[:, [corner]] + between_nodes[corner, N_CORNERS:])
    return lengths


def turning_points() -> np.ndarray:
    """Where paths may turn, complex (6,): off the T's convex corners."""
    return _inflated(AGENT_RADIUS + CORNER_CLEARANCE)[CONVEX]


@cache
def _nodes() -> np.ndarray:
    return np.concatenate([turning_points(), contacts().starts])


@cache
def _node_distances() -> np.ndarray:
    return _distances(_nodes(), _nodes())


def _distances(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """px, (S, E): of the straight lines between points (S,) and (E,), inf where the T is in the way."""
    change = ends - starts[:, None]
    return np.where(_blocked(starts[:, None], change), np.inf, abs(change))


def _blocked(starts: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Whether a line cuts one of the rectangles: for a while it is between the sides of one on both axes."""
    change = change + 1e-9 * (1 + 1j)  # a line along a side does not divide by zero
    blocked = np.zeros(change.shape, dtype=bool)
    for rectangle in BARRED:
        enters, leaves = np.zeros(change.shape), np.ones(change.shape)
        for part in (np.real, np.imag):
            times = np.sort([part(side - starts) / part(change) for side in rectangle], axis=0)
            enters, leaves = np.maximum(enters, times[0]), np.minimum(leaves, times[1])
        blocked |= enters < leaves
    return blocked


def _outside(points: np.ndarray) -> np.ndarray:
    """The points (S,), those too close to the T replaced by the nearest that are not."""
    inside = np.zeros(points.shape, dtype=bool)
    for low, high in BARRED:
        inside |= within(points, low, high)
    outline = _inflated(AGENT_RADIUS + CLEARANCE + 0.01)
    edges = np.roll(outline, -1) - outline
    nearest = outline + edges * ((points[:, None] - outline) / edges).real.clip(0, 1)
    chosen = abs(nearest - points[:, None]).argmin(axis=1)
    return np.where(inside, nearest[np.arange(len(points)), chosen], points)


def within(points: np.ndarray, low: complex, high: complex) -> np.ndarray:
    """Whether points are in the rectangle between two opposite corners."""
    across = (low.real < points.real) & (points.real < high.real)
    return across & (low.imag < points.imag) & (points.imag < high.imag)


def _inflated(margin: float) -> np.ndarray:
    """The T's outline, complex (8,), moved outwards by `margin`."""
    edges = np.roll(OUTLINE, -1) - OUTLINE
    outward = -1j * edges / abs(edges)
    return OUTLINE + margin * (outward + np.roll(outward, 1))

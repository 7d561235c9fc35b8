"""What a straight push does to PushT's block: a table, filled once by simulation.

Contact is without friction and inertia, so the effect of a push depends only on where it starts from the T and how far
it goes. Positions are complex numbers, x + iy in pixels, and rotations are unit ones. The origin of the T's frame is
its centre of mass.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from demo_score.envs.pusht_block import CENTRE, OUTLINE

CONVEX = np.array([True, True, True, False, True, True, False, True])  # corners of OUTLINE
AGENT_RADIUS = 15
SPACING = 9.5  # about, between contacts on a face
EDGE = 9  # within this of a face's end, a contact is at the edge
GAP = 3  # between agent and T where a push starts
LENGTHS = np.geomspace(1, 140, 18)  # of pushes, from where the agent would touch the T
SIMULATED_STEP = 0.5  # px that the agent moves in a step of the simulation: slow, so that the T keeps up
TIME_STEP = 0.01  # s, of the simulation


@dataclass(frozen=True)
class Contacts:
    """Points at which the agent can touch the T, in its frame."""

    points: np.ndarray  # (C,) complex
    inward: np.ndarray  # (C,) complex, unit: the direction of a push
    at_edge: np.ndarray  # (C,) bool

    @property
    def starts(self) -> np.ndarray:
        """Where the agent is as a push starts, complex (C,)."""
        return self.points - self.inward * (AGENT_RADIUS + GAP)


@dataclass(frozen=True)
class Pushes:
    """A row a push; positions in the T's frame before the push."""

    contacts: np.ndarray  # (P,) index of the contact
    lengths: np.ndarray  # (P,) px
    starts: np.ndarray  # (P,) complex, of the agent
    ends: np.ndarray  # (P,) complex, of the agent
    shifts: np.ndarray  # (P,) complex, of the T's centre
    rotations: np.ndarray  # (P,) complex, of the T

    def rows(self, chosen: np.ndarray) -> "Pushes":
        """Those of the indices `chosen`."""
        return Pushes(**{name: values[chosen] for name, values in vars(self).items()})


@cache
def contacts() -> Contacts:
    """Contacts at equal distances on each face, wherever the agent has room."""
    faces = [_on_face(corner) for corner in range(len(OUTLINE))]
    return Contacts(*(np.concatenate(values) for values in zip(*faces, strict=True)))


@cache
def pushes() -> Pushes:
    """Every contact with every length."""
    shifts, rotations = zip(*map(_simulate, contacts().points, contacts().inward), strict=True)
    indices = np.repeat(np.arange(len(shifts)), len(LENGTHS))
    lengths = np.tile(LENGTHS, len(shifts))
    starts = contacts().starts[indices]
    ends = starts + contacts().inward[indices] * (GAP + lengths)
    return Pushes(indices, lengths, starts, ends, np.concatenate(shifts), np.concatenate(rotations))


def _on_face(corner: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contacts' points, directions and whether they are at the edge, on the face that begins at a corner."""
    following = (corner + 1) % len(OUTLINE)
    face = OUTLINE[following] - OUTLINE[corner]
    direction = face / abs(face)
    first, last = (0 if CONVEX[end] else AGENT_RADIUS for end in (corner, following))  # no room in a concave corner
    length = abs(face) - first - last
    n_points = round(length / SPACING)
    along = first + length * (np.arange(n_points) + 0.5) / n_points
    at_edge = (along < EDGE) | (abs(face) - along < EDGE)
    return OUTLINE[corner] + direction * along, np.full(n_points, 1j * direction), at_edge


def _simulate(point: complex, inward: complex) -> tuple[np.ndarray, np.ndarray]:
    """Shifts and rotations of the T, each complex (18,), by pushes of LENGTHS at a contact."""
    import pymunk  # not above: this is read where no simulator is needed
    from gym_pusht.envs import PushTEnv

    space = pymunk.Space()
    space.damping = 0
    block, _ = PushTEnv.add_tee(space, (0, -CENTRE.imag), 0)
    start, velocity = point - inward * (AGENT_RADIUS + GAP), inward * SIMULATED_STEP / TIME_STEP
    agent = PushTEnv.add_circle(space, (start.real, start.imag), AGENT_RADIUS)
    agent.velocity = velocity.real, velocity.imag
    travelled = np.arange(SIMULATED_STEP, GAP + LENGTHS[-1] + SIMULATED_STEP, SIMULATED_STEP) - GAP
    poses = np.empty((len(travelled), 3))
    for pose in poses:
        space.step(TIME_STEP)
        pose[:] = *block.position, block.angle
    rotations = np.exp(1j * poses[:, 2])
    centres = poses[:, 0] + 1j * poses[:, 1] + rotations * CENTRE
    return np.interp(LENGTHS, travelled, centres), np.exp(1j * np.interp(LENGTHS, travelled, poses[:, 2]))

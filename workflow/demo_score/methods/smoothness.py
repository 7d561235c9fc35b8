"""Smoothness of motion: spectral arc length (SPARC) of the effectors' speed. Higher, nearer to 0, is smoother."""

import numpy as np

from demo_score.config.models.base import Section, number, whole
from demo_score.data.episodes import Episode, place
from demo_score.methods.base import Evidence, Method, Score
from demo_score.observations import STATE
from demo_score.runtime.errors import UserError

LEAST = 3  # control steps: two speeds


class Settings(Section):
    """How the spectrum of the speed is measured."""

    cutoff: number(gt=0, le=1000) = 10
    """Frequencies above it are left out, Hz."""
    amplitude: number(ge=0, lt=1) = 0.05
    """The spectrum ends at the last frequency, and begins at the first, at least so strong, as a share of its peak."""
    padding: whole(0, 8) = 4
    """The speed is padded to 2^(ceil(log2 N) + padding) values."""


def score(evidence: Evidence, settings: Settings) -> list[Score]:
    """The mean over effectors of the arc length of each one's speed."""
    return [_smoothness(evidence, episode, number, settings) for number, episode in enumerate(evidence.demonstrations)]


def _smoothness(evidence: Evidence, episode: Episode, number: int, settings: Settings) -> float:
    where = place(episode) or f"demonstration {number}"
    if len(episode) < LEAST:
        raise UserError(f"{where}: has {len(episode)} steps, of which no smoothness can be told; leave it out")
    steps = np.diff(_positions(evidence, episode, where), axis=0)
    speeds = np.linalg.norm(steps, axis=2).T * evidence.fps
    if not (moving := speeds[speeds.max(axis=1) > 0]).size:
        raise UserError(f"{where}: nothing moves, so that no smoothness can be told; leave it out")
    return float(np.mean([spectral_arc_length(speed, evidence.fps, settings) for speed in moving]))


def _positions(evidence: Evidence, episode: Episode, where: str) -> np.ndarray:
    """(T, effectors, dimensions); the state counts as one effector where none is known."""
    if evidence.effectors is not None:
        return evidence.effectors(episode)
    if STATE not in episode.observations:
        raise UserError(f"{where}: has no {STATE}, of which smoothness is measured; leave smoothness out")
    return np.asarray(episode.observations[STATE], float).reshape(len(episode), 1, -1)


def spectral_arc_length(speed: np.ndarray, fps: float, settings: Settings) -> float:
    """Of a speed (N,), at most 0: minus the length of the curve of its normalised amplitude over frequency."""
    n = 2 ** (int(np.ceil(np.log2(len(speed)))) + settings.padding)
    amplitudes = np.abs(np.fft.rfft(speed, n))
    amplitudes = (amplitudes / amplitudes.max())[np.fft.rfftfreq(n, 1 / fps) <= settings.cutoff]
    strong = np.flatnonzero(amplitudes >= settings.amplitude)
    rise = np.diff(amplitudes[strong[0] : strong[-1] + 1])
    return -float(np.sqrt((1 / max(len(rise), 1)) ** 2 + rise**2).sum())


METHOD = Method(
    source="Balasubramanian et al. 2015, J. NeuroEng. Rehabil. 12:112 (SPARC); RINSE, arXiv 2604.23000",
    settings=Settings,
    score=score,
    differs=(
        "Mean over the effectors that move. Frequencies end at half the control rate, which may lie below the cut. "
        "PushT seen from the block: the pusher's speed relative to it. Where no effector is known: the norm of the "
        "change of observation.state a step, in its own units."
    ),
)

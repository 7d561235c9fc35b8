"""State diversity, a baseline of CUPID's: how far a demonstration's observations are from the others'."""

import numpy as np

from demo_score.config.models.base import Section, whole
from demo_score.methods.base import CHECKPOINT, Evidence, Method, Score
from demo_score.runtime.errors import UserError

RIDGE = 1e-9  # of the mean variance: far above rounding errors, far below what moves


class Settings(Section):
    """Of state diversity."""

    stride: whole(1, 1000000) = 10
    """Every so many frames of a demonstration count."""


def score(evidence: Evidence, settings: Settings) -> list[Score]:
    """The Mahalanobis distance of embeddings to those of the other demonstrations, mean over frames.

    Raises UserError where there are fewer than two demonstrations, or the others have one frame.
    """
    from demo_score.methods.policies import Opened, Windows, embeddings

    opened = Opened.of(evidence.checkpoints[-1])
    windows = Windows(evidence.demonstrations, opened, settings.stride, "demonstration", as_trained=False)
    return distances(embeddings(opened, windows), [len(frames) for frames in windows.frames])


def distances(embedded: np.ndarray, counts: list[int]) -> list[float]:
    """Of each episode: the mean distance of its frames, `counts` of (frames, width), to the others' mean."""
    if len(embedded) - max(counts) < 2:
        raise UserError("state_diversity: needs other demonstrations to compare with; give more, or leave it out")
    episode = np.repeat(np.arange(len(counts)), counts)
    return [
        float(_mahalanobis(embedded[episode == number], embedded[episode != number]).mean())
        for number in range(len(counts))
    ]


def _mahalanobis(frames: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of each frame (n, width) to the distribution of `others`: (n,)."""
    covariance = np.atleast_2d(np.cov(others, rowvar=False))
    mean_variance = np.trace(covariance) / len(covariance)
    covariance[np.diag_indices_from(covariance)] += RIDGE * (mean_variance or 1.0)
    centred = frames - others.mean(0)
    return np.sqrt(np.maximum((centred * np.linalg.solve(covariance, centred.T).T).sum(1), 0))


METHOD = Method(
    source="Agia et al. 2025; github.com/agiachris/cupid: offline_state_diversity, policy embeddings, mahal",
    needs=frozenset({CHECKPOINT}),
    settings=Settings,
    score=score,
    differs="Every tenth frame counts; the covariance's diagonal is raised by 1e-9 of its mean, not by 1e-12, as ACT's "
    "embeddings lie in a plane. Embeddings as in success similarity.",
)

"""Success similarity, a baseline of CUPID's: how near a demonstration is to rollouts that succeeded."""

from collections.abc import Sequence

import numpy as np

from demo_score.config.models.base import Section, whole
from demo_score.methods.base import CHECKPOINT, ROLLOUTS, Evidence, Method, Score
from demo_score.methods.outcomes import successes
from demo_score.runtime.errors import UserError

NARROWEST = 1e-12  # a range below which a dimension is not stretched


class Settings(Section):
    """Of success similarity."""

    stride: whole(1, 1000000) = 10
    """Every so many frames of demonstrations and rollouts count."""


def score(evidence: Evidence, settings: Settings) -> list[Score]:
    """Minus the L2 distance of embeddings, mean over pairs of frames, summed over successful rollouts.

    Raises UserError where no rollout succeeded.
    """
    from demo_score.methods.policies import Opened, Windows, embeddings

    success = successes(evidence.rollouts)
    if not success.any():
        raise UserError(f"success_similarity: none of {len(success)} rollouts succeeded; collect more, or leave it out")
    opened = Opened.of(evidence.checkpoints[-1])
    demonstrations = Windows(evidence.demonstrations, opened, settings.stride, "demonstration", as_trained=False)
    rollouts = Windows(evidence.rollouts, opened, settings.stride, "rollout", as_trained=False)
    scaled_demonstrations, scaled_rollouts = scale(embeddings(opened, demonstrations), embeddings(opened, rollouts))
    successful = [frames for frames, good in zip(rollouts.per_episode(scaled_rollouts), success, strict=True) if good]
    return similarities(scaled_demonstrations, demonstrations.starts, successful).tolist()


def scale(demonstrations: np.ndarray, rollouts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each dimension of (frames, width) to [0, 1] over all frames of both, those of failed rollouts too."""
    low = np.minimum(demonstrations.min(0), rollouts.min(0))
    span = np.maximum(demonstrations.max(0), rollouts.max(0)) - low
    span = np.where(span > NARROWEST, span, 1.0)
    return (demonstrations - low) / span, (rollouts - low) / span


def similarities(demonstrations: np.ndarray, starts: np.ndarray, rollouts: Sequence[np.ndarray]) -> np.ndarray:
    """Of each demonstration, whose frames begin at `starts` of (frames, width): (demonstrations,)."""
    counts = np.diff([*starts, len(demonstrations)])
    squares = np.square(demonstrations).sum(1)
    total = np.zeros(len(starts))
    for frames in rollouts:
        distances = np.square(frames).sum(1)[:, None] + squares - 2 * frames @ demonstrations.T
        means = np.sqrt(np.maximum(distances, 0)).mean(0)
        total -= np.add.reduceat(means, starts) / counts
    return total


METHOD = Method(
    source="Agia et al. 2025; github.com/agiachris/cupid: state_similarity, policy, l2, mean_of_mean_success",
    needs=frozenset({ROLLOUTS, CHECKPOINT}),
    settings=Settings,
    score=score,
    differs="Every tenth frame counts. Embeddings: Diffusion as theirs, the vector that the network is conditioned on; "
    "ACT, which they do not have, the mean of the encoder's output tokens at latent 0.",
)

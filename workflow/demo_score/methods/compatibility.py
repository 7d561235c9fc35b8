"""Compatibility (Gandhi et al. 2022), as DemInf's authors compute it.

Where an ensemble agrees (its actions' standard deviation is below eta) a frame's score is 1 - min(loss / 4, 1), and 1
elsewhere: what is new is welcome. An ensemble that never agrees gives every demonstration the score 1; that is said on
standard error, and whoever chooses by the scores breaks the ties.
"""

import sys

import numpy as np

from demo_score.config.models.base import Section, number, whole
from demo_score.methods.base import ENSEMBLE, Evidence, Method, Score
from demo_score.runtime.errors import UserError


class Settings(Section):
    """Of compatibility."""

    stride: whole(1, 1000000) = 10
    """Every so many frames of a demonstration count."""
    agreement: number(gt=0) = 0.05
    """Standard deviation of the ensemble's normalised actions, mean over the chunk, below which it agrees (eta)."""
    worst_loss: number(gt=0) = 4.0
    """Loss from which on a frame's score is 0 (lambda)."""


def score(evidence: Evidence, settings: Settings) -> list[Score]:
    """The mean over frames of their scores, see `frame_scores`. Raises UserError for fewer than two checkpoints."""
    from demo_score.methods.policies import Opened, Windows

    if (n := len(evidence.checkpoints)) < 2:
        raise UserError(f"compatibility: an ensemble is two checkpoints or more, and there are {n}; roll out more")
    opened = [Opened.of(folder) for folder in evidence.checkpoints]
    windows = Windows(evidence.demonstrations, opened[-1], settings.stride, "demonstration", as_trained=False)
    scores = windows.map(lambda batch: _of_batch(opened, batch, settings))
    means = [float(frames.mean()) for frames in windows.per_episode(scores)]
    if len(set(means)) == 1:
        print(
            f"compatibility: all demonstrations have the score {means[0]:g}; see compatibility.agreement",
            file=sys.stderr,
        )
    return means


def _of_batch(opened, batch, settings: Settings):
    import torch

    chunks = np.stack([member.policy.chunk(batch).double().cpu().numpy() for member in opened])
    actions = opened[-1].policy.normalization.normalize("action", batch["action"]).double().cpu().numpy()
    return torch.from_numpy(frame_scores(chunks, actions, ~batch["action_is_pad"].cpu().numpy(), settings))


def frame_scores(chunks: np.ndarray, actions: np.ndarray, valid: np.ndarray, settings: Settings) -> np.ndarray:
    """(members, frames, steps, dimensions), (frames, steps, dimensions), (frames, steps) -> (frames,).

    The deviation is the mean over steps and dimensions; the loss is the squared error of the members' mean, summed over
    dimensions and averaged over the steps that are not padding.
    """
    deviation = chunks.std(axis=0).mean((1, 2))
    errors = np.square(chunks.mean(axis=0) - actions).sum(-1) * valid
    loss = errors.sum(1) / valid.sum(1)
    return np.where(deviation < settings.agreement, 1 - np.minimum(loss / settings.worst_loss, 1), 1.0)


METHOD = Method(
    source="Gandhi et al. 2022, arXiv 2210.08073; github.com/jhejna/demonstration-information, quality_estimators.py",
    needs=frozenset({ENSEMBLE}),
    settings=Settings,
    score=score,
    differs="The ensemble is the base policy at several of its checkpoints, which agree more than policies that were "
    "trained apart, as the authors' are; each predicts at the mean of its draw (ACT: latent 0; Diffusion: noise 0). "
    "Every tenth frame counts.",
)

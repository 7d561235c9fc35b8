"""DemInf: how much of the action the state tells; mutual information of state and action chunk in latent spaces."""

from typing import TYPE_CHECKING

import numpy as np

from demo_score.config.models.base import Section, number, whole
from demo_score.methods.base import Evidence, Method, Score
from demo_score.runtime.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS = (5, 6, 7)
PERCENTILES = (1, 99)


class Settings(Section):
    """Of the autoencoders, and of the estimate in their latent spaces."""

    chunk: whole(1, 1000) = 4
    """Actions that count as one."""
    state_size: whole(1, 1000) = 12
    """Dimensions of a state's embedding."""
    action_size: whole(1, 1000) = 6
    """Dimensions of an action chunk's embedding."""
    width: whole(1, 4096) = 256
    """Width of the two hidden layers of each encoder and decoder."""
    beta: number(ge=0, le=1000) = 0.05
    """Weight of the divergence in the autoencoders' loss."""
    lr: number(gt=0, le=1) = 1e-3
    """Learning rate of Adam."""
    train_batch: whole(1, 65536) = 256
    """Frames a gradient step."""
    train_steps: whole(1, 1000000) = 2000
    """Gradient steps of each autoencoder."""
    batch: whole(8, 16384) = 1024
    """Frames among which neighbours are looked for."""
    passes: whole(1, 1000) = 4
    """How often frames are drawn from all demonstrations."""
    share: number(gt=0, le=1) = 0.5
    """Of each demonstration's frames, that a pass draws."""


def score(evidence: Evidence, settings: Settings) -> list[Score]:
    """What each frame adds to the mutual information, standardised over all draws; NaN where it was never drawn."""
    from demo_score.methods.mutual_information import draw_batches, drawn_contributions
    from demo_score.methods.networks import generators

    lengths = [len(episode) for episode in evidence.demonstrations]
    *of_autoencoders, of_draws = generators(evidence.seed, 3)
    states, actions = _embeddings(evidence, settings, of_autoencoders)
    batches = draw_batches(lengths, settings.passes, settings.share, settings.batch, of_draws)
    _check_size(len(batches[0]))
    rows, added = drawn_contributions(states, actions, batches, NEIGHBOURS)
    scores = frame_means(rows.numpy(), normalised(added.numpy()), sum(lengths))
    frames = np.split(scores, np.cumsum(lengths)[:-1])
    _check_each(evidence, frames)
    return frames


def _embeddings(evidence: Evidence, settings: Settings, generators: list) -> list["Tensor"]:
    import torch

    from demo_score.methods.autoencoders import Training, embed
    from demo_score.methods.vectors import chunks, states

    training = Training(settings.width, settings.beta, settings.lr, settings.train_batch, settings.train_steps)
    vectors = states(evidence.demonstrations), chunks(evidence.demonstrations, settings.chunk)
    sizes = settings.state_size, settings.action_size
    return [
        embed(torch.cat(part), size, training, generator)
        for part, size, generator in zip(vectors, sizes, generators, strict=True)
    ]


def normalised(values: np.ndarray) -> np.ndarray:
    """Clipped to PERCENTILES of those that are not NaN, then of mean 0 and standard deviation 1."""
    clipped = np.clip(values, *np.nanpercentile(values, PERCENTILES))
    return (clipped - np.nanmean(clipped)) / max(np.nanstd(clipped), 1e-12)


def frame_means(rows: np.ndarray, values: np.ndarray, n_frames: int) -> np.ndarray:
    """Of each frame (n_frames,): the mean of its values that are not NaN; `rows` says whose each is."""
    known = np.isfinite(values)
    counts = np.bincount(rows[known], minlength=n_frames)
    sums = np.bincount(rows[known], values[known], minlength=n_frames)
    return np.divide(sums, counts, out=np.full(n_frames, np.nan), where=counts > 0)


def _check_size(n_frames: int) -> None:
    if n_frames <= NEIGHBOURS[-1]:
        raise UserError(
            f"deminf: draws {n_frames} frames of all demonstrations and looks for {NEIGHBOURS[-1]} neighbours of each; "
            "give more demonstrations, or set share to 1"
        )


def _check_each(evidence: Evidence, frames: list[np.ndarray]) -> None:
    from demo_score.methods.vectors import name

    for position, (episode, scores) in enumerate(zip(evidence.demonstrations, frames, strict=True)):
        if np.isnan(scores).all():
            where = name(episode, position)
            raise UserError(f"{where}: deminf can tell of none of its {len(episode)} steps; set more passes, or share")


METHOD = Method(
    source="Hejna et al. 2025, arXiv 2502.08623; github.com/jhejna/demonstration-information",
    settings=Settings,
    score=score,
    aggregate=np.nanmean,
    differs=(
        "Autoencoders of width 256 learn in 2,000 steps at rate 1e-3, which takes seconds; the authors' are of width "
        "512 and learn in 50,000 steps at 1e-4 (width, train_steps, lr). Chunks of 4 actions, as the authors' of "
        "DROID, at the end of an episode filled with its last action; theirs of RoboMimic are single actions. All "
        "vector observations are standardised, and so are actions as they were recorded: the authors advise relative "
        "ones. An episode's score is the mean over its frames of each frame's mean over draws, theirs that over draws."
    ),
)

"""SCIZOR: how much less than the elapsed time the task seems to have progressed, between states a while apart."""

import numpy as np

from demo_score.config.models.base import Section, number, whole
from demo_score.methods.base import Evidence, Method, Score
from demo_score.methods.elapsed_bins import ENDS, STARTS
from demo_score.runtime.errors import UserError

HALF_LIFE = 1.0  # s, of blame for what comes later
LEAST = 2  # control steps


class Settings(Section):
    """Of the classifier of elapsed time, and of what its predictions are asked for."""

    window: number(gt=0, le=1000) = 2
    """Elapsed time, in seconds, of the pairs of states that are judged."""
    mix: number(ge=0, le=1) = 0.5
    """Weight of the episode's mean in the score of a step."""
    width: whole(1, 4096) = 128
    """Width of the classifier's two hidden layers."""
    lr: number(gt=0, le=1) = 1e-3
    """Learning rate of AdamW, after a tenth of the steps; it falls to 0."""
    weight_decay: number(ge=0, le=10) = 1e-3
    """Weight decay of AdamW."""
    train_batch: whole(1, 65536) = 512
    """Pairs of states a gradient step."""
    train_steps: whole(1, 1000000) = 2000
    """Gradient steps."""


def score(evidence: Evidence, settings: Settings) -> list[Score]:
    """Minus the suboptimality of each frame."""
    from demo_score.methods.elapsed_time import Training, expected_bins
    from demo_score.methods.vectors import name, states

    for position, episode in enumerate(evidence.demonstrations):
        if len(episode) < LEAST:
            where = name(episode, position)
            raise UserError(f"{where}: has {len(episode)} step, in which no time elapses; leave it out")
    training = Training(settings.width, settings.lr, settings.weight_decay, settings.train_batch, settings.train_steps)
    lengths = [len(episode) for episode in evidence.demonstrations]
    elapsed = [elapsed_steps(length, evidence.fps, settings.window) for length in lengths]
    expected = expected_bins(states(evidence.demonstrations), elapsed, evidence.fps, training, evidence.seed)
    n_window = window_steps(evidence.fps, settings.window)
    return [
        -suboptimality(true_steps, bins, evidence.fps, n_window, settings.mix)
        for true_steps, bins in zip(elapsed, expected, strict=True)
    ]


def window_steps(fps: float, window: float) -> int:
    """The window in control steps, at least 1."""
    return max(1, int(window * fps))


def elapsed_steps(length: int, fps: float, window: float) -> np.ndarray:
    """(T,) steps from each to the one a window later, or to the last."""
    return np.minimum(window_steps(fps, window), length - 1 - np.arange(length))


def fractional_bins(seconds: np.ndarray) -> np.ndarray:
    """The bin of each time, plus where in it the time lies less a half: at a bin's middle its number; 0 to 4."""
    bins = np.searchsorted(STARTS, seconds, side="right") - 1
    return (bins + (seconds - STARTS[bins]) / (ENDS - STARTS)[bins] - 0.5).clip(0, len(STARTS) - 1)


def suboptimality(steps: np.ndarray, expected: np.ndarray, fps: float, n_window: int, mix: float) -> np.ndarray:
    """Of each frame (T,), from the steps (T,) that elapse after it and the expected bins (T,).

    Raw: clip((true - expected bin) / steps, 0, 1). A frame then has the mean of all that began in the last `n_window`
    frames, itself included; of what comes later it is blamed for a part that halves in HALF_LIFE.
    """
    raw = ((fractional_bins(steps / fps) - expected) / np.maximum(steps, 1)).clip(0, 1)
    sums = np.concatenate([[0], raw.cumsum()])
    ends = np.arange(1, len(raw) + 1)
    first = np.maximum(ends - n_window, 0)
    scores = (sums[ends] - sums[first]) / (ends - first)
    for later in range(len(scores) - 1, 0, -1):
        scores[later - 1] += 0.5 ** (1 / (fps * HALF_LIFE)) * scores[later]
    return mix * scores.mean() + (1 - mix) * scores


METHOD = Method(
    source="Zhang et al. 2025, arXiv 2505.22626; github.com/UT-Austin-RPL/SCIZOR",
    settings=Settings,
    score=score,
    differs=(
        "Its classifier sees images by DINOv2; this one is a perceptron that sees all vector observations of both "
        "moments. Progress only, without the removal of duplicates. The score is of the whole episode, not a "
        "threshold for frames. Training pairs as theirs: an episode by its length, a bin evenly, a time evenly within "
        "it (no longer than the episode), a start evenly; the label is the bin of the time between both. The first "
        "frame is blamed for what comes later, too, which theirs leaves out."
    ),
)

"""Scores of episodes, and what they are worth."""

import numpy as np
import torch
from torch import Tensor


def episode_means(values: Tensor, counts: list[int]) -> Tensor:
    """Mean over each episode's samples: (M, samples) and the number of samples of each -> (M, episodes)."""
    starts = np.cumsum([0, *counts[:-1]])
    sums = np.add.reduceat(values.double().numpy(), starts, axis=1)
    return torch.from_numpy(sums / np.array(counts)).float()


def roc_auc(scores: Tensor, success: Tensor) -> Tensor:
    """Chance that a success scores above a failure, ties counting half: (M, episodes), (episodes,) -> (M,)."""
    differences = scores[:, success].unsqueeze(2) - scores[:, ~success].unsqueeze(1)
    return (differences.sign() + 1).mean((1, 2)) / 2


def accuracy(scores: Tensor, success: Tensor, thresholds: Tensor) -> Tensor:
    """Share of episodes on their side of the threshold: (M, episodes), (episodes,), (M,) -> (M,)."""
    return ((scores > thresholds.unsqueeze(1)) == success).float().mean(1)


def balanced_threshold(scores: Tensor, success: Tensor) -> float:
    """Threshold with the highest balanced accuracy (Youden's J): (episodes,) scores and outcomes -> a number.

    Candidates lie midway between neighbouring scores; of several equally good ones the middle one is taken.
    """
    distinct = scores.double().unique()
    if len(distinct) == 1:
        return float(distinct[0])
    candidates = (distinct[:-1] + distinct[1:]) / 2
    above = scores.double() > candidates.unsqueeze(1)  # (candidates, episodes)
    youden = above[:, success].double().mean(1) - above[:, ~success].double().mean(1)
    best = candidates[youden == youden.max()]
    return float(best[(len(best) - 1) // 2])

"""Temporal ensembling: an action is the mean of what all recent chunks say about its step (Zhao et al. 2023)."""

import torch
import torch.nn.functional as F
from torch import Tensor


class TemporalEnsemble:
    """Weights exp(-coefficient * i) for the i-th prediction of a step, i = 0 the oldest (appendix of ACT's paper).

    A coefficient of 0 is the plain mean, a positive one trusts old predictions more, a negative one new ones.
    """

    def __init__(self, coefficient: float):
        self.coefficient = coefficient
        self.reset()

    def reset(self) -> None:
        """Forget all chunks: a new batch of episodes begins."""
        self.step = 0
        self.sums: Tensor | None = None  # of the actions for each coming step, weighted

    def add(self, chunk: Tensor) -> Tensor:
        """Take the chunk predicted now, (B, chunk_size, action_dim); return the action for now, (B, 1, action_dim)."""
        size = chunk.shape[1]
        age = torch.arange(size, device=chunk.device)
        weights = torch.exp(-self.coefficient * age.to(chunk.dtype))
        earlier = (size - 1 - age).clamp(max=self.step)  # how many chunks have spoken of each coming step
        sums = weights[earlier, None] * chunk + (0 if self.sums is None else self.sums)
        action = sums[:, :1] / weights[: int(earlier[0]) + 1].sum()
        self.sums = F.pad(sums[:, 1:], (0, 0, 0, 1))
        self.step += 1
        return action

"""Attention of a classifier's few narrow heads over many steps, in memory that stays in the processor's cache.

Weights (steps x steps a head) are most of what such a transformer computes. Torch's own products and layers write them
nine times a layer and step, each time to other memory, which costs more than the numbers. Here they are written over.
A product with as few columns as a head is wide takes five times as long as one with so few rows: steps come last.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


class Attention(torch.autograd.Function):
    """softmax(queries^T keys + bias), each weight times its `scales`: the sums of values with these weights.

    queries, keys, values: (B, width, steps). bias: (B, 1, steps), or None. scales: (B, steps, steps), as of dropout, or
    None. Returns (B, width, steps). Gradients of queries, keys and values (Vaswani et al. 2017, section 3.2.1).
    """

    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, scales: Tensor | None
    ) -> Tensor:
        """See class."""
        similarity = torch.bmm(queries.mT, keys, out=_scratch(0, (len(queries), queries.shape[2], keys.shape[2])))
        weights = (similarity if bias is None else similarity.add_(bias)).softmax(2)
        ctx.save_for_backward(queries, keys, values, weights, scales)
        return torch.bmm(values, _scaled(weights, scales).mT)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """See class."""
        queries, keys, values, weights, scales = ctx.saved_tensors
        of_values = torch.bmm(gradient, _scaled(weights, scales))
        of_weights = torch.bmm(gradient.mT, values, out=_scratch(0, weights.shape))
        if scales is not None:
            of_weights *= scales
        of_weights *= weights
        of_similarity = of_weights.addcmul_(weights, of_weights.sum(2, keepdim=True), value=-1)
        return torch.bmm(keys, of_similarity.mT), torch.bmm(queries, of_similarity), of_values, None, None


def _scaled(weights: Tensor, scales: Tensor | None) -> Tensor:
    return weights if scales is None else torch.mul(weights, scales, out=_scratch(1, weights.shape))


@lru_cache(maxsize=8)
def _scratch(number: int, shape: tuple[int, ...]) -> Tensor:
    """Memory for numbers that are used at once, the same at every call."""
    return torch.empty(shape)

"""Dropout (Srivastava et al. 2014) that draws what it drops, not a number for every element: several times faster.

From one dropped element to the next it is a geometrically distributed way, drawn from a table of its quantiles with 16
random bits. A CPU draws some seven nanoseconds an element with torch's own.
"""

from functools import lru_cache
from math import ceil, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

CODES = 2**16  # of 16 random bits
FAR = 2.0**40  # elements: beyond whatever is held in memory


@lru_cache
def steps_between(rate: float) -> tuple[Tensor, float]:
    """From one dropped element to the next: quantiles (CODES,), int64; and their mean, 1 / rate."""
    quantiles = (torch.arange(CODES, dtype=torch.float64) + 0.5) / CODES
    steps = torch.log1p(-quantiles).div(torch.log1p(torch.tensor(-rate, dtype=torch.float64))).ceil()
    return steps.clamp(max=FAR).long(), steps.mean().item()


def dropped(n: int, rate: float) -> Tensor:
    """Which of `n` elements are dropped, each with probability `rate`: ascending, int64. From torch's generator."""
    (steps, mean), parts, start = steps_between(rate), [], -1
    while start < n:
        expected = (n - start) / mean
        codes = _codes(ceil(expected + 3 * sqrt(expected)))
        parts.append(steps.index_select(0, codes).cumsum(0).add_(start))
        start = parts[-1][-1].item()
    places = torch.cat(parts) if len(parts) > 1 else parts[0]
    return places[: torch.searchsorted(places, n)]


def _codes(count: int) -> Tensor:
    """Numbers (count,) of codes, int32."""
    words = torch.empty(ceil(count / 4), dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.uint16)[:count].int()


def is_faster(x: Tensor, rate: float) -> bool:
    """Whether what is here can be used for `x`, and is faster than what torch has."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and 0 < rate <= 0.5 and not torch.compiler.is_compiling()


class Dropout(nn.Dropout):
    """As torch's."""

    def forward(self, x: Tensor) -> Tensor:
        return _Drop.apply(x, self.p) if self.training and is_faster(x, self.p) else super().forward(x)

    def after_relu(self, x: Tensor) -> Tensor:
        """Of ReLU (x)."""
        return _DropRelu.apply(x, self.p) if self.training and is_faster(x, self.p) else self(x.relu())


class _DropRelu(torch.autograd.Function):
    """Where the result is 0, so is the gradient: neither ReLU's mask nor what was dropped is kept for it."""

    @staticmethod
    def forward(ctx, x: Tensor, rate: float) -> Tensor:
        ctx.gain = 1 / (1 - rate)
        kept = _drop(x.relu().mul_(ctx.gain), rate)
        ctx.save_for_backward(kept)
        return kept

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, kept, 0).mul_(ctx.gain), None


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, rate: float) -> Tensor:
        ctx.rate, places = rate, dropped(x.numel(), rate)
        ctx.save_for_backward(places)
        return _without(x, places, rate)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return _without(gradient, *ctx.saved_tensors, ctx.rate), None


def _drop(x: Tensor, rate: float) -> Tensor:
    """`x`, contiguous, with zeros where elements are dropped, in its place."""
    x.view(-1).index_fill_(0, dropped(x.numel(), rate), 0.0)
    return x


def _without(x: Tensor, places: Tensor, rate: float) -> Tensor:
    kept = x.contiguous() * (1 / (1 - rate))
    kept.view(-1).index_fill_(0, places, 0.0)
    return kept


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, rate: float) -> Tensor:
    """Scaled dot-product attention whose weights are dropped: (B, heads, queries, dim of a head) -> the same shape.

    `mask`: (B, 1, 1, keys), true where a key may be attended to, one at least.
    """
    if is_faster(query, rate):
        return _Attend.apply(query, key, value, mask, rate)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate)


class _Attend(torch.autograd.Function):
    """With the weights P and what is left of them K: output O = K V / (1 - rate).

    The gradient by the logits is K * dK - P * rowsum(dO * O), as in FlashAttention (Dao et al. 2022, appendix B.4).
    Within, what belongs to a head lies as (dim of a head, length): products with a narrow matrix are faster so.
    """

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, rate: float) -> Tensor:
        ctx.rate, ctx.scale = rate, query.shape[-1] ** -0.5
        q, k, v = _across(query * ctx.scale), _across(key), _across(value)
        logits = torch.bmm(q.transpose(1, 2), k)
        if mask is not None:
            bias = torch.zeros(mask.shape).masked_fill_(~mask, -torch.inf)
            logits.unflatten(0, query.shape[:2]).add_(bias)
        weights = logits.softmax(-1)
        kept = _drop(logits.copy_(weights), rate)
        output = torch.bmm(v, kept.transpose(1, 2)).mul_(1 / (1 - rate))
        ctx.save_for_backward(q, k, v, weights, kept, output)
        return _along(output, query.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, kept, output = ctx.saved_tensors
        g = _across(gradient)
        inner = (g * output).sum(1)[..., None]
        g = g * (1 / (1 - ctx.rate))  # a new one: `gradient` is another's
        by_value = torch.bmm(g, kept)
        by_logits = torch.bmm(g.transpose(1, 2), v).mul_(kept).addcmul_(weights, inner, value=-1)
        by_query = torch.bmm(k, by_logits.transpose(1, 2)).mul_(ctx.scale)
        by_key = torch.bmm(q, by_logits)
        return *(_along(x, gradient.shape[1]) for x in (by_query, by_key, by_value)), None, None


def _across(x: Tensor) -> Tensor:
    """(B, heads, length, dim) -> (B * heads, dim, length), contiguous."""
    return x.transpose(2, 3).flatten(0, 1).contiguous()


def _along(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(0, (-1, heads)).transpose(2, 3)

"""Transformer layers of ACT: attention with separate position embeddings (DETR, Carion et al. 2020).

Queries and keys get the position embedding added, values do not.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from demo_score.policies.dropout import Dropout, attend


class Attention(nn.Module):
    """Multi-head attention over batch-first sequences (B, length, dim)."""

    def __init__(self, dim: int, n_heads: int, dropout: float):
        super().__init__()
        self.n_heads = n_heads
        self.dropout = dropout
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """`mask`: (B, 1, 1, keys), true where a key may be attended to."""
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for project, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        mixed = attend(q, k, v, mask, self.dropout if self.training else 0.0)
        return self.out(mixed.transpose(1, 2).flatten(-2))


class FeedForward(nn.Sequential):
    def __init__(self, dim: int, dim_feedforward: int, activation: str, dropout: float):
        activations = {"relu": nn.ReLU, "gelu": nn.GELU}
        super().__init__(
            nn.Linear(dim, dim_feedforward),
            activations[activation](),
            Dropout(dropout),
            nn.Linear(dim_feedforward, dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        first, activation, dropout, last = self
        hidden = first(x)
        is_relu = isinstance(activation, nn.ReLU)
        return last(dropout.after_relu(hidden) if is_relu else dropout(activation(hidden)))


class Residual(nn.Module):
    """x + dropout(f(x)), normalised before f (pre_norm) or after the sum."""

    def __init__(self, dim: int, dropout: float, pre_norm: bool):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)
        self.pre_norm = pre_norm

    def forward(self, x: Tensor, f: Callable[[Tensor], Tensor], n: int | None = None) -> Tensor:
        """`n`: of the first so many elements of the sequence only, for which `f` gives its values; None: of all."""
        if self.pre_norm:
            return x[:, :n] + self.dropout(f(self.norm(x)))
        return self.norm(x[:, :n] + self.dropout(f(x)))


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward."""

    def __init__(self, dim: int, n_heads: int, dim_feedforward: int, activation: str, dropout: float, pre_norm: bool):
        super().__init__()
        self.attention = Attention(dim, n_heads, dropout)
        self.feed_forward = FeedForward(dim, dim_feedforward, activation, dropout)
        self.residuals = nn.ModuleList(Residual(dim, dropout, pre_norm) for _ in range(2))

    def forward(self, x: Tensor, position: Tensor, mask: Tensor | None = None, n: int | None = None) -> Tensor:
        """`n`: how many of the first elements are asked for; None: all."""

        def mixed(h: Tensor) -> Tensor:
            placed = h + position
            return self.attention(placed[:, :n], placed, h, mask)

        return self.residuals[1](self.residuals[0](x, mixed, n), self.feed_forward)


class Encoder(nn.Module):
    """A stack of encoder layers, normalised at the end only with pre_norm."""

    def __init__(self, n_layers: int, dim: int, pre_norm: bool, **layer):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(dim, pre_norm=pre_norm, **layer) for _ in range(n_layers))
        self.norm = nn.LayerNorm(dim) if pre_norm else nn.Identity()
        init_xavier(self)

    def forward(self, x: Tensor, position: Tensor, mask: Tensor | None = None, n: int | None = None) -> Tensor:
        """`n`: how many of the first elements are asked for, which saves the last layer the others; None: all."""
        for layer in self.layers[:-1]:
            x = layer(x, position, mask)
        for last in self.layers[-1:]:
            x = last(x, position, mask, n)
        return self.norm(x[:, :n])


class DecoderLayer(nn.Module):
    """Self-attention among the queries, attention to the encoder's tokens, feed-forward."""

    def __init__(self, dim: int, n_heads: int, dim_feedforward: int, activation: str, dropout: float, pre_norm: bool):
        super().__init__()
        self.self_attention = Attention(dim, n_heads, dropout)
        self.cross_attention = Attention(dim, n_heads, dropout)
        self.feed_forward = FeedForward(dim, dim_feedforward, activation, dropout)
        self.residuals = nn.ModuleList(Residual(dim, dropout, pre_norm) for _ in range(3))

    def forward(self, x: Tensor, position: Tensor, memory: Tensor, memory_position: Tensor) -> Tensor:
        x = self.residuals[0](x, lambda h: self.self_attention(h + position, h + position, h))
        x = self.residuals[1](x, lambda h: self.cross_attention(h + position, memory + memory_position, memory))
        return self.residuals[2](x, self.feed_forward)


class Decoder(nn.Module):
    """A stack of decoder layers with a final norm."""

    def __init__(self, n_layers: int, dim: int, pre_norm: bool, **layer):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(dim, pre_norm=pre_norm, **layer) for _ in range(n_layers))
        self.norm = nn.LayerNorm(dim)
        init_xavier(self)

    def forward(self, x: Tensor, position: Tensor, memory: Tensor, memory_position: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x, position, memory, memory_position)
        return self.norm(x)


def init_xavier(module: nn.Module) -> None:
    """Xavier-uniform weights for every matrix (Glorot & Bengio 2010), as in DETR."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)


def sinusoidal_positions(length: int, dim: int) -> Tensor:
    """Fixed embeddings (1, length, dim) of positions 0.. (Vaswani et al. 2017, section 3.5)."""
    position = torch.arange(length, dtype=torch.float32, device="cpu")[:, None]
    frequency = torch.exp(torch.arange(0, dim, 2, device="cpu") * (-math.log(10000.0) / dim))
    table = torch.zeros(length, dim, device="cpu")
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency)
    return table[None]

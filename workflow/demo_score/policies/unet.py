"""The conditional 1-D U-Net of Diffusion Policy (Chi et al. 2023, arXiv 2303.04137, section III; FiLM: 1709.07871)."""

import math

import torch
from omegaconf import DictConfig
from torch import Tensor, nn


class ConditionalUnet(nn.Module):
    """Denoise a sequence of actions, conditioned on the diffusion step and on the observations.

    Each entry of policy.down_dims is a resolution: two residual blocks, then half as many steps in the next.
    """

    def __init__(self, settings: DictConfig, action_dim: int, condition_dim: int):
        super().__init__()
        step_dim, dims = settings.diffusion_step_embed_dim, list(settings.down_dims)
        self.step_encoder = nn.Sequential(
            SinusoidalStep(step_dim), nn.Linear(step_dim, 4 * step_dim), nn.Mish(), nn.Linear(4 * step_dim, step_dim)
        )

        def pair(inputs: int, outputs: int) -> nn.ModuleList:
            sizes = (inputs, outputs), (outputs, outputs)
            return nn.ModuleList(ResidualBlock(*size, step_dim + condition_dim, settings) for size in sizes)

        inputs = [action_dim, *dims[:-1]]
        self.down = nn.ModuleList(pair(*size) for size in zip(inputs, dims, strict=True))
        self.shrink = nn.ModuleList(nn.Conv1d(dim, dim, kernel_size=3, stride=2, padding=1) for dim in dims[:-1])
        self.middle = pair(dims[-1], dims[-1])
        # Each takes what comes from below and, beside it, what the same resolution put out on the way down.
        self.up = nn.ModuleList(pair(2 * dims[i], dims[i - 1]) for i in range(len(dims) - 1, 0, -1))
        self.grow = nn.ModuleList(
            nn.ConvTranspose1d(dim, dim, kernel_size=4, stride=2, padding=1) for dim in reversed(dims[:-1])
        )
        self.out = nn.Sequential(
            convolution_block(dims[0], dims[0], settings), nn.Conv1d(dims[0], action_dim, kernel_size=1)
        )

    def forward(self, actions: Tensor, step: Tensor, condition: Tensor) -> Tensor:
        """actions: (B, horizon, action_dim), noisy; step: (B,) int64; condition: (B, condition_dim).

        Returns the network's prediction, of the shape of `actions`.
        """
        x = actions.transpose(1, 2)
        condition = torch.cat([self.step_encoder(step), condition], dim=-1)
        skips = []
        for number, blocks in enumerate(self.down):
            x = _through(blocks, x, condition)
            skips.append(x)
            if number < len(self.shrink):
                x = self.shrink[number](x)
        x = _through(self.middle, x, condition)
        for blocks, grow in zip(self.up, self.grow, strict=True):
            x = grow(_through(blocks, torch.cat([x, skips.pop()], dim=1), condition))
        return self.out(x).transpose(1, 2)


def _through(blocks: nn.ModuleList, x: Tensor, condition: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, condition)
    return x


class ResidualBlock(nn.Module):
    """Two convolutions; after the first the condition shifts the channels and, with use_film_scale_modulation,
    scales them (FiLM)."""

    def __init__(self, inputs: int, outputs: int, condition_dim: int, settings: DictConfig):
        super().__init__()
        self.scales = settings.use_film_scale_modulation
        self.first = convolution_block(inputs, outputs, settings)
        self.second = convolution_block(outputs, outputs, settings)
        self.film = nn.Sequential(nn.Mish(), nn.Linear(condition_dim, (2 if self.scales else 1) * outputs))
        self.shortcut = nn.Conv1d(inputs, outputs, kernel_size=1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x: (B, inputs, steps); condition: (B, condition_dim) -> (B, outputs, steps)."""
        y = self.first(x)
        film = self.film(condition)[..., None]
        if self.scales:
            scale, shift = film.chunk(2, dim=1)
            y = scale * y + shift
        else:
            y = y + film
        return self.second(y) + self.shortcut(x)


def convolution_block(inputs: int, outputs: int, settings: DictConfig) -> nn.Sequential:
    """Convolution over steps, group norm, Mish."""
    size = settings.kernel_size
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, size, padding=size // 2), nn.GroupNorm(settings.n_groups, outputs), nn.Mish()
    )


class SinusoidalStep(nn.Module):
    """(B,) -> (B, dim): sines, then cosines, of frequencies from 1 to 1/10000 (Ho et al. 2020, appendix B)."""

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, step: Tensor) -> Tensor:
        half = self.dim // 2
        frequency = torch.exp(torch.arange(half, device=step.device) * (-math.log(10000) / (half - 1)))
        angle = step[:, None] * frequency
        return torch.cat([angle.sin(), angle.cos()], dim=-1)

"""β-VAEs (Higgins et al. 2017) that embed vectors by their means.

Source: DemInf, openx/algs/beta_vae.py: squared error summed over dimensions plus β times the KL divergence to N(0, 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from demo_score.methods.networks import mlp, one_thread
from demo_score.training.optimizer import AdamW


@dataclass(frozen=True)
class Training:
    """How an autoencoder learns."""

    width: int  # of both hidden layers of encoder and decoder
    beta: float
    lr: float
    batch_size: int
    n_steps: int


@one_thread()
def embed(vectors: Tensor, size: int, training: Training, generator: torch.Generator) -> Tensor:
    """The means (N, size) float32 of `vectors` (N, width) in an autoencoder that is trained on them."""
    hidden = [training.width, training.width]
    encoder = mlp([vectors.shape[1], *hidden, 2 * size], generator)
    decoder = mlp([size, *hidden, vectors.shape[1]], generator)
    optimiser = AdamW([*encoder.parameters(), *decoder.parameters()], training.lr, weight_decay=0)
    for _ in range(training.n_steps):
        batch = vectors[torch.randint(len(vectors), (training.batch_size,), generator=generator)]
        mean, log_variance = encoder(batch).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator)
        restored = decoder(mean + (0.5 * log_variance).exp() * noise)
        optimiser.zero_grad()
        loss(batch, restored, mean, log_variance, training.beta).backward()
        optimiser.step()
    with torch.no_grad():
        return torch.cat([encoder(part).chunk(2, dim=1)[0] for part in vectors.split(8192)])


def loss(batch: Tensor, restored: Tensor, mean: Tensor, log_variance: Tensor, beta: float) -> Tensor:
    """Mean over rows of the squared error and of β times the divergence; each summed over dimensions."""
    divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
    return ((batch - restored) ** 2).sum(1).mean() + beta * divergence.mean()

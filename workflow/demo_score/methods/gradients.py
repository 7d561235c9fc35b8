"""Projected gradients of a policy's output, one a sample, as TRAK has them (Park et al. 2023, arXiv 2303.14186)."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from demo_score.policies.base import Policy

Batch = dict[str, Tensor]
BLOCK = 2**24  # entries of a projection's matrix that are drawn together
KEPT = 3 * 2**27  # entries of one that is not drawn anew for every batch, which takes longer than to multiply: 1.5 GiB
GRADIENTS = 2**26  # entries of a batch's gradients: 256 MiB, and about as much again while they are made
MOST_SAMPLES = 128  # a batch; more are no faster


class Projection:
    """A Gaussian matrix (n, size) of variance 1 / size (Johnson & Lindenstrauss), which follows from a seed.

    It is made block by block of rows, each from a seed of its own, and kept only where it is small.
    """

    def __init__(self, n: int, size: int, seed: int, device: torch.device):
        self.n, self.size, self.seed, self.device = n, size, seed, device
        self.rows = max(1, BLOCK // size)
        self.kept: dict[int, Tensor] | None = {} if n * size <= KEPT else None

    def __call__(self, gradients: Tensor) -> Tensor:
        """(B, n) -> (B, size), which keeps inner products in the mean over seeds."""
        projected = gradients.new_zeros(len(gradients), self.size)
        for first in range(0, self.n, self.rows):
            projected.addmm_(gradients[:, first : first + self.rows], self.block(first))
        return projected

    def block(self, first: int) -> Tensor:
        """The matrix's rows from `first` on, a multiple of self.rows."""
        if self.kept is None:
            return self._draw(first)
        if first not in self.kept:
            self.kept[first] = self._draw(first)
        return self.kept[first]

    def _draw(self, first: int) -> Tensor:
        seed = np.random.SeedSequence([self.seed, first // self.rows]).generate_state(1)[0]  # torch uses 32 bits of it
        generator = torch.Generator(self.device).manual_seed(int(seed))
        rows = min(self.rows, self.n - first)
        return torch.randn(rows, self.size, generator=generator, device=self.device).div_(self.size**0.5)


class _Output(nn.Module):
    """The policy's output as a module, so that its parameters can be given."""

    def __init__(self, policy: Policy):
        super().__init__()
        self.policy = policy

    def forward(self, batch: Batch) -> Tensor:
        return self.policy.output(batch).mean()


def n_parameters(policy: Policy) -> int:
    """Numbers in a gradient."""
    return sum(parameter.numel() for parameter in policy.parameters())


def samples_at_once(policy: Policy) -> int:
    """Samples whose gradients fit together."""
    return min(MOST_SAMPLES, max(1, GRADIENTS // n_parameters(policy)))


def sample_gradients(policy: Policy, batch: Batch, draws: Batch, out: Tensor | None = None) -> Tensor:
    """The gradient of each sample's mean output over its draws: (B, n_parameters), in the parameters' order.

    batch: key -> (B, ...); draws: key -> (B, n_draws, ...), or nothing. out: where to write them.
    """
    module = _Output(policy)
    parameters = {name: parameter.detach() for name, parameter in module.named_parameters()}
    buffers = dict(module.named_buffers())
    n_draws = next((values.shape[1] for values in draws.values()), 1)

    def output(parameters: Batch, sample: Batch, drawn: Batch) -> Tensor:
        repeated = {key: values.expand(n_draws, *values.shape) for key, values in sample.items()}
        return functional_call(module, (parameters, buffers), ({**repeated, **drawn},))

    with sdpa_kernel(SDPBackend.MATH):  # the only one that vmap does not run sample by sample
        gradients = vmap(grad(output), in_dims=(None, 0, 0))(parameters, batch, draws)
    return torch.cat([values.flatten(1) for values in gradients.values()], dim=1, out=out)


def projected_gradients(
    policy: Policy, batches: Iterable[Batch], n_draws: int, projection: Projection, generator: torch.Generator
) -> Tensor:
    """Of all samples of some batches: (samples, projection.size) float64, on the CPU."""
    rows, memory = [], torch.empty(0)
    for batch in batches:
        n = len(batch["action"])
        if n > len(memory):  # once: fresh memory takes longer to get than gradients to copy
            memory = torch.empty(n, projection.n, device=projection.device)
        drawn = policy.output_draws(n * n_draws, generator)
        draws = {key: values.unflatten(0, (n, n_draws)).to(projection.device) for key, values in drawn.items()}
        rows.append(projection(sample_gradients(policy, batch, draws, memory[:n])).double().cpu())
    return torch.cat(rows)

"""Multi-layer perceptrons whose weights come from a generator alone."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn


def mlp(sizes: list[int], generator: torch.Generator) -> nn.Sequential:
    """Linear layers of `sizes` with ReLU between them; weights Xavier-uniform, biases zero."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        linear = nn.utils.skip_init(nn.Linear, inputs, outputs)
        nn.init.xavier_uniform_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def generators(seed: int, n: int) -> list[torch.Generator]:
    """Independent ones, all of one seed."""
    return [torch.Generator().manual_seed(int(state)) for state in np.random.SeedSequence(seed).generate_state(n)]

"""Multi-layer perceptrons whose weights come from a generator alone, and arithmetic that gives the same bits."""

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: its bits depend on how many share a sum, and small networks gain nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

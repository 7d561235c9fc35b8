"""A classifier of the time that elapsed between two states of an episode."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from demo_score.methods.elapsed_bins import ENDS, STARTS
from demo_score.methods.networks import generators, mlp, one_thread
from demo_score.training.optimizer import AdamW

WARM_UP = 0.1  # of the training, in which the learning rate rises


@dataclass(frozen=True)
class Training:
    """How the classifier learns."""

    width: int
    lr: float
    weight_decay: float
    batch_size: int
    n_steps: int


@one_thread()
def expected_bins(
    states: list[Tensor], elapsed: list[np.ndarray], fps: float, training: Training, seed: int
) -> list[np.ndarray]:
    """The mean bin (T,) float64, by the predicted probabilities, from each state to that `elapsed` (T,) steps later.

    `states`: (T, width) an episode, on which the classifier is trained first.
    """
    rows = torch.cat(states)
    lengths = [len(part) for part in states]
    classifier = _train(rows, lengths, fps, training, seed)
    firsts = torch.arange(len(rows))
    pairs = torch.cat([rows, rows[firsts + torch.from_numpy(np.concatenate(elapsed))]], dim=1)
    with torch.no_grad():
        probabilities = torch.cat([classifier(part).softmax(1) for part in pairs.split(8192)]).double()
    expected = (probabilities * torch.arange(len(STARTS))).sum(1)
    return [part.numpy() for part in expected.split(lengths)]


def _train(rows: Tensor, lengths: list[int], fps: float, training: Training, seed: int) -> nn.Module:
    of_weights, of_pairs = generators(seed, 2)
    classifier = mlp([2 * rows.shape[1], training.width, training.width, len(STARTS)], of_weights)
    optimiser = AdamW(classifier.parameters(), training.lr, weight_decay=training.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.lr, total_steps=training.n_steps, pct_start=WARM_UP, cycle_momentum=False
    )
    for _ in range(training.n_steps):
        first, later = draw_pairs(lengths, fps, training.batch_size, of_pairs)
        labels = torch.bucketize((later - first) / fps, torch.tensor(STARTS[1:]), right=True)
        loss = F.cross_entropy(classifier(torch.cat([rows[first], rows[later]], dim=1)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return classifier


def draw_pairs(lengths: list[int], fps: float, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows (n,) of pairs of states, the earlier and the later one, of episodes that lie one after the other.

    An episode by its length, a bin evenly, a time evenly within it but no longer than the episode, a start evenly
    among those that leave the time room. Source: SCIZOR, hdf5_dataset.py, get_rand_dist.
    """
    sizes, begins = torch.tensor(lengths), torch.tensor([0, *accumulate(lengths)][:-1])
    episodes = torch.searchsorted(begins, torch.randint(sum(lengths), (n,), generator=generator), right=True) - 1
    sizes, begins = sizes[episodes], begins[episodes]
    bins = torch.randint(len(STARTS), (n,), generator=generator)
    starts, ends = (torch.tensor(edges, dtype=torch.float64)[bins] for edges in (STARTS, ENDS))
    share, place = torch.rand(2, n, generator=generator, dtype=torch.float64)
    times = starts * share + torch.minimum(ends, sizes / fps) * (1 - share)
    steps = (times * fps).round().long()
    first = (place * (sizes - 1 - steps).clamp(min=1)).long()
    return begins + first, begins + torch.minimum(first + steps, sizes - 1)

"""What each pair of a sample adds to the mutual information of two variables.

Source: Kraskov, Stögbauer, Grassberger 2004, Phys. Rev. E 69:066138, first estimator, as DemInf applies it
(scripts/quality/quality_estimators.py, ksg_estimator).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from demo_score.methods.networks import one_thread


def contributions(first: Tensor, second: Tensor, neighbours: Sequence[int]) -> Tensor:
    """-mean over k of ψ(n_first) + ψ(n_second), (N,), for pairs of rows of (N, d) and (N, e).

    The joint distance is the larger one of both; n counts the rows, the row itself included, that are nearer than the
    k-th neighbour in the joint space. NaN where that is at no distance. Plus ψ(k) + ψ(N), their mean estimates the
    mutual information in nats.
    """
    apart = [torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist") for rows in (first, second)]
    nearest = torch.maximum(*apart).topk(max(neighbours) + 1, largest=False).values  # the first is the row itself
    total = torch.zeros(len(first), dtype=torch.float64)
    for k in neighbours:
        for distances in apart:
            counts = (distances < nearest[:, k : k + 1]).sum(1).double()
            total += torch.where(counts > 0, counts, torch.nan).digamma()
    return -total / len(neighbours)


@one_thread()
def drawn_contributions(
    first: Tensor, second: Tensor, batches: Sequence[Tensor], neighbours: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The rows of all batches, and what each adds within its own."""
    added = [contributions(first[batch], second[batch], neighbours) for batch in batches]
    return torch.cat(list(batches)), torch.cat(added)


def draw_batches(
    lengths: Sequence[int], n_passes: int, share: float, batch_size: int, generator: torch.Generator
) -> list[Tensor]:
    """Batches of row numbers of episodes that lie one after the other.

    Each pass draws `share` of each episode's rows, at least one, and shuffles them; a last batch that is not full is
    left out, unless it is the pass's only one.
    """
    batches = []
    for _ in range(n_passes):
        start, drawn = 0, []
        for length in lengths:
            kept = max(1, int(length * share))
            drawn.append(start + torch.randperm(length, generator=generator)[:kept])
            start += length
        rows = torch.cat(drawn)
        rows = rows[torch.randperm(len(rows), generator=generator)]
        parts = rows.split(batch_size)
        batches += [part for part in parts if len(part) == batch_size] or [rows]
    return batches

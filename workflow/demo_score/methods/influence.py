"""The influence of each demonstration on each rollout, made once a run for CUPID's methods (Agia et al. 2025).

tau = G_test (G^T G + lambda I)^-1 G_train^T, G the projected gradients of the policy's output (its method `output`) at
frames, those of demonstrations G_train = G. A row of tau is a frame t of a rollout at which the policy looked, a
column a frame h of a demonstration, as in CUPID's code (error_util.py, where axis 1 is the demonstration's). Unlike
there a demonstration counts at every stride-th frame only, lambda may be above 0, and the projection has no more
dimensions than a quarter of the demonstrations' frames: with more, G^T G hardly differs from a singular matrix.
ACT's output function is ours, see policies/act.py.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from demo_score.data.episodes import Episode
from demo_score.methods.gradients import Projection, n_parameters, projected_gradients, samples_at_once
from demo_score.methods.influence_file import write_influence
from demo_score.methods.influence_settings import InfluenceSettings
from demo_score.methods.outcomes import successes
from demo_score.methods.policies import Opened, Windows
from demo_score.runtime.errors import UserError
from demo_score.runtime.progress import progress_bar


def compute_influence(
    path: Path,
    demonstrations: Sequence[Episode],
    rollouts: Sequence[Episode],
    checkpoint: Path,
    settings: InfluenceSettings,
    seed: int,
) -> None:
    """Write the file that methods read by `read_influence`, and print how many frames and dimensions were used.

    The same input gives the same bits on a CPU. Raises UserError for a rollout whose outcome is not known, and where
    the gradients' second moments have no inverse.
    """
    success = successes(rollouts)
    opened = Opened.of(checkpoint)
    train = Windows(demonstrations, opened, settings.stride, "demonstration")
    test = Windows(rollouts, opened, opened.settings.policy.n_action_steps, "rollout", as_trained=False)
    size = dimensions(settings, len(train))
    print(
        f"influence: {len(train)} frames of demonstrations, {len(test)} of rollouts, {size} dimensions", file=sys.stderr
    )
    g_train, g_test = _gradients(opened, [train, test], settings, size, seed)
    weighted = solve(g_train, g_test, settings.regularization)
    matrices = aggregate(weighted.numpy(), g_train.numpy(), test.starts, train.starts)
    write_influence(path, matrices, success)


def dimensions(settings: InfluenceSettings, n_frames: int) -> int:
    """Those that are used."""
    return max(1, min(settings.projection, n_frames // 4))


def _gradients(
    opened: Opened, windows: list[Windows], settings: InfluenceSettings, size: int, seed: int
) -> list[Tensor]:
    """Projected gradients of the frames of each, (frames, size) float64."""
    policy, at_once = opened.policy, samples_at_once(opened.policy)
    projection = Projection(n_parameters(policy), size, seed, opened.device)
    n_draws = settings.draws if policy.output_draws(1, torch.Generator()) else 1
    generator = torch.Generator().manual_seed(seed)
    with progress_bar(sum(map(len, windows)), "influence", "frame") as progress:

        def counted(batches):
            for batch in batches:
                yield batch
                progress.update(len(batch["action"]))

        return [
            projected_gradients(policy, counted(part.batches(at_once)), n_draws, projection, generator)
            for part in windows
        ]


def solve(g_train: Tensor, g_test: Tensor, regularization: float) -> Tensor:
    """g_test (G^T G + lambda I)^-1, (test frames, size) float64. lambda: `regularization` times G^T G's mean diagonal.

    Raises UserError where the matrix is not positive definite.
    """
    moments = g_train.T @ g_train
    moments.diagonal().add_(regularization * float(moments.diagonal().mean()))
    factor, failed = torch.linalg.cholesky_ex(moments)
    if failed or not factor.isfinite().all():
        raise UserError(
            f"influence: the gradients of {len(g_train)} frames have no inverse with regularization={regularization}; "
            "set influence.regularization=0.1, say"
        )
    return torch.cholesky_solve(g_test.T, factor).T.contiguous()


def aggregate(
    weighted: np.ndarray, g_train: np.ndarray, rollouts: np.ndarray, demonstrations: np.ndarray
) -> dict[str, np.ndarray]:
    """tau = weighted @ g_train.T over the frames t of a rollout and h of a demonstration, (rollouts, demonstrations).

    rollouts, demonstrations: the first frame of each. sum: over t and h; mean: over t and h; min_max: min_t max_h;
    max_min: max_t min_h.
    """
    counts = np.diff([*demonstrations, len(g_train)])
    rows = [_of_rollout(frames @ g_train.T, demonstrations, counts) for frames in np.split(weighted, rollouts[1:])]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _of_rollout(tau: np.ndarray, demonstrations: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """tau: (frames of a rollout, frames of all demonstrations)."""
    total = np.add.reduceat(tau, demonstrations, axis=1).sum(0)
    return {
        "sum": total,
        "mean": total / (len(tau) * counts),
        "min_max": np.maximum.reduceat(tau, demonstrations, axis=1).min(0),
        "max_min": np.minimum.reduceat(tau, demonstrations, axis=1).max(0),
    }

"""Some vectors of an episode as one, frame by frame, and all of them on one scale."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from demo_score.data.episodes import Episode
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError

STD_FLOOR = 1e-2  # as in ACT: a joint that never moves must not blow its noise up


@dataclass
class Standardization:
    """Mean and standard deviation of each input over all training frames."""

    mean: Tensor  # (width,)
    std: Tensor  # (width,), at least STD_FLOOR

    @classmethod
    def of(cls, frames: list[Tensor]) -> "Standardization":
        std, mean = torch.std_mean(torch.cat(frames).double(), dim=0, correction=0)
        return cls(mean.float(), std.float().clamp(min=STD_FLOOR))

    def __call__(self, frames: Tensor) -> Tensor:
        return (frames - self.mean) / self.std


def frames_of(episode: Episode, inputs: list[str], max_frames: int | None, where: str) -> Tensor:
    """The first `max_frames` (None: all) frames of `inputs`, concatenated: (T, width) float32.

    Raises UserError, with `where` in front, for an input that is missing, no vector, or not finite.
    """
    arrays = {**episode.observations, ACTION: episode.actions}
    for key in inputs:
        if key not in arrays:
            raise UserError(f"{where}: has no input {key}; set inputs to some of: {', '.join(sorted(arrays))}")
        if arrays[key].ndim not in (1, 2):
            raise UserError(f"{where}: {key} is no vector a frame (shape {arrays[key].shape}); choose other inputs")
    vectors = [arrays[key][:max_frames].reshape(len(arrays[key][:max_frames]), -1) for key in inputs]
    frames = np.concatenate(vectors, axis=1).astype(np.float32)
    if not len(frames) or not np.isfinite(frames).all():
        raise UserError(f"{where}: has no frames, or values that are not finite; leave this episode out")
    return torch.from_numpy(frames)

"""Inputs and actions on one scale, by statistics that are stored with the model.

A run's statistics are those of the episodes it trains on: a run on curated episodes is normalised by the
curated episodes, and needs nothing of the run before it. (The published code keeps the parents' statistics.)
Images are normalised by constants, or pixel by pixel.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from demo_score.observations import ACTION, ENVIRONMENT_STATE, IMAGE, STATE
from demo_score.runtime.errors import UserError

# Of each observation and of actions: mean, std, min, max, (features,) each.
StatisticsByKey = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]

# What a mode subtracts and what it divides by, under the names they are stored by.
MODES = {"mean_std": ("mean", "std"), "min_max": ("centre", "half_range")}
PIXELS = "pixel_mean_std"  # of images alone: each pixel's own mean and deviation
NAMES = {**MODES, PIXELS: MODES["mean_std"]}
# The same for the channels of an image in [0, 1]: ImageNet's mean and deviation, or [0, 1] to [-1, 1].
IMAGE_STATISTICS = {
    "mean_std": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "min_max": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
KINDS = (STATE, ENVIRONMENT_STATE, IMAGE, ACTION)


class Normalization(nn.Module):
    """Normalise named arrays of shape (..., features), images (..., 3, H, W) in [0, 1], and restore them.

    `shapes`: key -> shape. `modes`: key, or what several keys begin with -> mean_std (zero mean, unit standard
    deviation), min_max (to [-1, 1]) or, of images, pixel_mean_std (every pixel by itself); the longest beginning
    decides. Until statistics are set, arrays stay as they are. Raises UserError for a mode or key that does not exist.
    """

    def __init__(self, shapes: Mapping[str, list[int]], modes: Mapping[str, str]):
        super().__init__()
        _check_modes(shapes, modes)
        self.modes = {key: _mode(key, modes) for key in sorted(shapes)}
        images = [key for key in self.modes if len(shapes[key]) == 3]
        _check_kinds(self.modes, images)
        self.pixel_keys = [key for key in images if self.modes[key] == PIXELS]
        self.constant_keys = [key for key in images if key not in self.pixel_keys]
        for key, mode in self.modes.items():
            if key in self.constant_keys:
                values = [torch.tensor(channels)[:, None, None] for channels in IMAGE_STATISTICS[mode]]
            else:
                values = [torch.zeros(*shapes[key]), torch.ones(*shapes[key])]
            for name, value in zip(self._names(key), values, strict=True):
                self.register_buffer(name, value)

    def set_statistics(self, statistics: StatisticsByKey, min_std: float) -> None:
        """Take mean, standard deviation, minimum and maximum of each key that is not normalised by constants.

        A deviation, or half a range, below `min_std` counts as `min_std`: what hardly moves in the training data
        is not blown up. Raises UserError where the statistics are of other sizes than the settings say.
        """
        for key, mode in self.modes.items():
            if key not in self.constant_keys:
                mean, std, low, high = statistics[key]
                self._check_size(key, mean)
                offset, scale = ((low + high) / 2, (high - low) / 2) if mode == "min_max" else (mean, std)
                for name, value in zip(self._names(key), (offset, np.maximum(scale, min_std)), strict=True):
                    self.get_buffer(name).copy_(torch.from_numpy(value))

    def scale(self, key: str) -> tuple[Tensor, Tensor]:
        """What is subtracted from values of `key`, and what they are divided by then: (features,) each."""
        offset, scale = (self.get_buffer(name) for name in self._names(key))
        return offset, scale

    def set_scale(self, key: str, offset: Tensor, scale: Tensor) -> None:
        """Set what `scale` tells."""
        for name, value in zip(self._names(key), (offset, scale), strict=True):
            self.get_buffer(name).copy_(value)

    def normalize(self, key: str, values: Tensor) -> Tensor:
        """Raw units (images: [0, 1]) to the mode's scale."""
        offset, scale = self.scale(key)
        return (values - offset) / scale

    def restore(self, key: str, values: Tensor) -> Tensor:
        """The inverse of `normalize`."""
        offset, scale = self.scale(key)
        return values * scale + offset

    def _names(self, key: str) -> list[str]:
        return [f"{key.replace('.', '_')}_{statistic}" for statistic in NAMES[self.modes[key]]]

    def _check_size(self, key: str, mean: np.ndarray) -> None:
        if mean.shape != (size := tuple(self.get_buffer(self._names(key)[0]).shape)):
            raise UserError(f"{key} is {mean.shape} in the training data but {size} in the settings; set env to match")


def _mode(key: str, modes: Mapping[str, str]) -> str:
    beginnings = [name for name in modes if key.startswith(name)]
    if not beginnings:
        raise UserError(f"policy.input_normalization_modes says nothing about {key}; add it: {' or '.join(MODES)}")
    return modes[max(beginnings, key=len)]


def _check_kinds(modes: Mapping[str, str], images: list[str]) -> None:
    for key, mode in modes.items():
        if mode == PIXELS and key not in images:
            raise UserError(f"normalisation of {key}: {PIXELS} is for images; set {' or '.join(MODES)}")


def _check_modes(shapes: Mapping[str, list[int]], modes: Mapping[str, str]) -> None:
    for name, mode in modes.items():
        if mode not in NAMES:
            raise UserError(f"normalisation of {name}: {mode} is no mode; set {' or '.join(NAMES)}")
        if name not in KINDS and not any(key.startswith(name) for key in shapes):
            raise UserError(f"normalisation modes name {name}, but the inputs and outputs are {', '.join(shapes)}")

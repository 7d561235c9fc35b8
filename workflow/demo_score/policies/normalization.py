"""Zero mean, unit standard deviation, stored with the model.

A run's statistics are those of the episodes it trains on: a run on curated episodes is normalised by the
curated episodes, and needs nothing of the run before it. (The published code keeps the parents' statistics.)
"""

import numpy as np
import torch
from torch import Tensor, nn

from demo_score.errors import UserError

Statistics = dict[str, tuple[np.ndarray, np.ndarray]]  # key -> mean, std, of shape (features,)


class Normalization(nn.Module):
    """Normalise named arrays of shape (..., features) and restore them."""

    def __init__(self, shapes: dict[str, list[int]]):
        super().__init__()
        self.keys = sorted(shapes)
        for key in self.keys:
            self.register_buffer(_name(key, "mean"), torch.zeros(*shapes[key]))
            self.register_buffer(_name(key, "std"), torch.ones(*shapes[key]))

    def set_statistics(self, statistics: Statistics, min_std: float) -> None:
        """Take mean and standard deviation of each key; a deviation below `min_std` counts as `min_std`.

        Raises UserError where they are of other sizes than the settings say.
        """
        for key in self.keys:
            mean, std = statistics[key]
            if mean.shape != (size := tuple(self.get_buffer(_name(key, "mean")).shape)):
                raise UserError(
                    f"{key} is {mean.shape} in the training data but {size} in the settings; set env to match"
                )
            self.get_buffer(_name(key, "mean")).copy_(torch.from_numpy(mean))
            self.get_buffer(_name(key, "std")).copy_(torch.from_numpy(np.maximum(std, min_std)))

    def normalize(self, key: str, values: Tensor) -> Tensor:
        """Raw units to zero mean and unit deviation."""
        return (values - self.get_buffer(_name(key, "mean"))) / self.get_buffer(_name(key, "std"))

    def restore(self, key: str, values: Tensor) -> Tensor:
        """The inverse of `normalize`."""
        return values * self.get_buffer(_name(key, "std")) + self.get_buffer(_name(key, "mean"))


def _name(key: str, statistic: str) -> str:
    return f"{key.replace('.', '_')}_{statistic}"

"""Random changes of training images: a few of five changes of colour and sharpness, drawn anew for each frame.

As in LeRobot (datasets/transforms.py, RandomSubsetApply, and torchvision's ColorJitter): the changes are drawn by
weight without replacement, and each one's strength uniformly from its range.
"""

import torch
from omegaconf import DictConfig
from torch import Tensor

CHANGES = ("brightness", "contrast", "saturation", "hue", "sharpness")  # torchvision's adjust_<name>


class ImageTransforms:
    """Changes as `training.image_transforms` says; randomness is torch's own, on the CPU."""

    def __init__(self, settings: DictConfig):
        self.enable = settings.enable
        self.random_order = settings.random_order
        names = [name for name in CHANGES if name in settings]
        self.names = [name for name in names if settings[name].weight > 0]
        self.weights = torch.tensor([float(settings[name].weight) for name in self.names])
        self.ranges = {name: tuple(settings[name].min_max) for name in self.names}
        self.n_changes = min(settings.max_num_transforms, len(self.names))

    def __call__(self, images: Tensor) -> Tensor:
        """Change images (B, ..., 3, H, W) in [0, 1]; those of one sample, its observation steps, all alike."""
        if not self.enable or not self.n_changes:
            return images
        return torch.stack([self._change(sample) for sample in images])

    def _change(self, sample: Tensor) -> Tensor:
        from torchvision.transforms.v2 import functional  # takes seconds: trainings without images do not wait

        chosen = torch.multinomial(self.weights, self.n_changes)
        for index in chosen if self.random_order else chosen.sort().values:
            name = self.names[index]
            change = getattr(functional, f"adjust_{name}")
            sample = change(sample, torch.empty(1).uniform_(*self.ranges[name]).item())
        return sample

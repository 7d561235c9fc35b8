"""Images become floats where the policy is, not before: bytes are a quarter of what floats are."""

import torch
from torch import Tensor


def prepare_observations(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a policy sees of a batch: images (..., H, W, 3) uint8 -> (..., 3, H, W) float32 in [0, 1]; else float32."""
    return {key: _prepare(values) for key, values in arrays.items()}


def _prepare(values: Tensor) -> Tensor:
    return values.movedim(-1, -3).float() / 255 if values.dtype == torch.uint8 else values.float()

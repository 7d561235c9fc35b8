"""Losses over chunks of actions of which the last may be padding, beyond the episode's end."""

from torch import Tensor


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)), summed over the last dimension, averaged over the batch."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(-1).mean()


def masked_l1(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error over the entries of valid steps. predicted, target: (B, T, D); valid: (B, T).

    The mean is over valid entries, not over all: padding does not weaken what the valid ones teach.
    """
    return _masked_mean((predicted - target).abs(), valid)


def masked_mse(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean squared error, over the same entries."""
    return _masked_mean((predicted - target).square(), valid)


def mean_square(predicted: Tensor, valid: Tensor) -> Tensor:
    """Of each sample's entries of valid steps: (B, T, D), (B, T) -> (B,)."""
    squares = (predicted.square() * valid[..., None]).sum((1, 2))
    return squares / (valid.sum(1) * predicted.shape[-1])


def _masked_mean(error: Tensor, valid: Tensor) -> Tensor:
    error = error * valid[..., None]
    return error.sum() / (valid.sum() * error.shape[-1])

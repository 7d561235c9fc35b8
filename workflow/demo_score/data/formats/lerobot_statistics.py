"""The statistics that LeRobot's data sets carry: of each feature of each episode, and of all episodes.

LeRobot 0.6.1 (datasets/compute_stats.py) takes quantiles from histograms of 5000 bins, and of images a sample of
frames where an episode has more than 100; here both are exact.
"""

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
SMALL_IMAGE = 300  # pixels: a larger height or width is thinned out to some 150, as LeRobot does

FeatureStatistics = dict[str, np.ndarray]  # min, max, mean, std, count and the quantiles of one feature


def array_statistics(values: np.ndarray) -> FeatureStatistics:
    """Statistics of `values` (T, ...), by its last axis: each of shape (n,), of scalars (1,); count is T."""
    rows = (values[:, None] if values.ndim == 1 else values.reshape(-1, values.shape[-1])).astype(np.float64)
    return {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
        "count": np.array([len(values)]),
        **{name: np.quantile(rows, share, axis=0, method="inverted_cdf") for name, share in QUANTILES.items()},
    }


class PixelCounts:
    """How often each value occurs in each channel of some images, which need not be in memory together."""

    def __init__(self) -> None:
        self.counts = np.zeros((3, 256), np.int64)
        self.n_images = 0

    def add(self, images: np.ndarray) -> None:
        """Count `images` (n, H, W, 3), uint8."""
        height, width = images.shape[1:3]
        step = max(height, width) // 150 if max(height, width) >= SMALL_IMAGE else 1
        thinned = images[:, ::step, ::step]
        for channel, counts in enumerate(self.counts):
            counts += np.bincount(thinned[..., channel].ravel(), minlength=256)
        self.n_images += len(images)

    def statistics(self) -> FeatureStatistics:
        """Statistics of a channel's values in [0, 1], each of shape (3, 1, 1); count is the number of images."""
        values = np.arange(256) / 255
        n_pixels = self.counts[0].sum()
        mean = self.counts @ values / n_pixels
        variance = (self.counts * (values - mean[:, None]) ** 2).sum(axis=1) / n_pixels
        cumulative = self.counts.cumsum(axis=1)
        found = {"min": self._first(cumulative > 0), "max": self._first(cumulative == n_pixels)}
        found |= {"mean": mean, "std": np.sqrt(variance)}
        found |= {name: self._first(cumulative >= share * n_pixels) for name, share in QUANTILES.items()}
        return {
            "count": np.array([self.n_images]),
            **{name: value.reshape(3, 1, 1) for name, value in found.items()},
        }

    @staticmethod
    def _first(reached: np.ndarray) -> np.ndarray:
        """By channel, the first value in [0, 1] for which `reached` (3, 256) holds."""
        return reached.argmax(axis=1) / 255


def aggregate(parts: list[FeatureStatistics]) -> FeatureStatistics:
    """Statistics of a feature over several episodes, from theirs.

    Extremes, mean and standard deviation are exact; a quantile is the mean of the episodes' weighted by count,
    which is how LeRobot 0.6.1 aggregates them.
    """
    stacked = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    counts = stacked["count"].reshape(-1, *[1] * (stacked["mean"].ndim - 1))
    weights = counts / counts.sum()
    mean = (weights * stacked["mean"]).sum(axis=0)
    variance = (weights * (stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2)).sum(axis=0)
    return {
        "min": stacked["min"].min(axis=0),
        "max": stacked["max"].max(axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": stacked["count"].sum(axis=0),
        **{name: (weights * stacked[name]).sum(axis=0) for name in QUANTILES},
    }

import numpy as np
import pytest
import torch
from conftest import one_line_error
from demo_score.policies.normalization import Normalization

IMAGES = "observation.images.top"


def statistics(values: np.ndarray) -> tuple[np.ndarray, ...]:
    """mean, std, min, max of (N, features)."""
    return values.mean(0), values.std(0), values.min(0), values.max(0)


def values(*scales: float) -> np.ndarray:
    return np.random.default_rng(0).normal(3, scales, size=(1000, len(scales))).astype(np.float32)


def fitted(mode: str, data: np.ndarray, min_std: float = 0.01) -> Normalization:
    normalization = Normalization({"action": [data.shape[1]]}, {"action": mode})
    normalization.set_statistics({"action": statistics(data)}, min_std)
    return normalization


def test_mean_std_gives_zero_mean_and_unit_deviation() -> None:
    data = values(0.1, 20.0)
    normalized = fitted("mean_std", data).normalize("action", torch.from_numpy(data))
    np.testing.assert_allclose(normalized.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(normalized.std(0), 1, atol=1e-2)


def test_min_max_gives_the_range_from_minus_one_to_one() -> None:
    data = values(0.1, 20.0)
    normalized = fitted("min_max", data).normalize("action", torch.from_numpy(data))
    np.testing.assert_allclose(normalized.amin(0), -1, atol=1e-5)
    np.testing.assert_allclose(normalized.amax(0), 1, atol=1e-5)


@pytest.mark.parametrize("mode", ["mean_std", "min_max"])
def test_restore_is_the_inverse(mode) -> None:
    data = values(0.1, 20.0)
    normalization = fitted(mode, data)
    restored = normalization.restore("action", normalization.normalize("action", torch.from_numpy(data)))
    np.testing.assert_allclose(restored, data, rtol=1e-4, atol=1e-5)


def test_deviations_are_not_below_min_std() -> None:
    normalization = Normalization({"action": [3]}, {"action": "mean_std"})
    std, zeros = np.array([0.0, 0.01, 3.0], np.float32), np.zeros(3, np.float32)
    normalization.set_statistics({"action": (zeros, std, zeros, zeros)}, min_std=0.5)
    torch.testing.assert_close(normalization.normalize("action", torch.ones(3)), torch.tensor([2.0, 2.0, 1 / 3]))


def test_half_ranges_are_not_below_min_std() -> None:
    """What never moves stays 0, and a sensor's noise is not blown up to the whole range."""
    normalization = fitted("min_max", np.array([[5.0, 0.0], [5.0, 0.1]], np.float32), min_std=0.5)
    normalized = normalization.normalize("action", torch.tensor([[5.0, 0.0], [5.0, 0.1]]))
    torch.testing.assert_close(normalized, torch.tensor([[0.0, -0.1], [0.0, 0.1]]))


@pytest.mark.parametrize("size", [1, 7])
def test_statistics_of_another_size_are_reported(size) -> None:
    normalization = Normalization({"action": [14]}, {"action": "mean_std"})
    with one_line_error("action", f"({size},)", "(14,)"):
        normalization.set_statistics({"action": (np.ones(size, np.float32),) * 4}, min_std=0.1)


def test_images_are_normalised_by_constants_and_need_no_statistics() -> None:
    image = torch.rand(2, 1, 3, 4, 5)
    for mode, mean, std in (
        ("mean_std", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ("min_max", [0.5] * 3, [0.5] * 3),
    ):
        normalization = Normalization({IMAGES: [3, 4, 5]}, {"observation.image": mode})
        normalization.set_statistics({}, min_std=0.01)
        for channel in range(3):
            expected = (image[:, :, channel] - mean[channel]) / std[channel]
            torch.testing.assert_close(normalization.normalize(IMAGES, image)[:, :, channel], expected)


def test_pixels_are_normalised_each_by_its_own_statistics() -> None:
    """What never changes in view vanishes, and what seldom does stands out."""
    images = torch.full((100, 3, 4, 5), 0.3)
    images[0, :, 1, 2] = 1.0
    normalization = Normalization({IMAGES: [3, 4, 5]}, {"observation.image": "pixel_mean_std"})
    normalization.set_statistics({IMAGES: statistics(images.numpy())}, min_std=0.01)
    normalized = normalization.normalize(IMAGES, images)
    torch.testing.assert_close(normalized[0, :, 1, 2], torch.full((3,), 99**0.5), rtol=1e-3, atol=0)
    normalized[0, :, 1, 2] = 0
    assert normalized.abs().max() < 0.11
    with one_line_error("(3, 4, 5)", "(3, 4, 6)"):
        normalization.set_statistics({IMAGES: (np.ones((3, 4, 6), np.float32),) * 4}, 0.01)
    with one_line_error("action", "pixel_mean_std is for images"):
        Normalization({"action": [2]}, {"action": "pixel_mean_std"})


def test_the_longest_name_decides_the_mode() -> None:
    shapes = {IMAGES: [3, 4, 5], "observation.images.wrist": [3, 4, 5]}
    modes = {"observation.image": "min_max", IMAGES: "mean_std", "action": "mean_std"}
    assert Normalization(shapes, modes).modes == {IMAGES: "mean_std", "observation.images.wrist": "min_max"}


@pytest.mark.parametrize("mode", ["mean_std", "min_max"])
def test_statistics_are_stored_with_the_model(mode) -> None:
    data = values(0.1, 20.0)
    trained, loaded = fitted(mode, data), Normalization({"action": [2]}, {"action": mode})
    loaded.load_state_dict(trained.state_dict())
    some = torch.from_numpy(data[:5])
    assert torch.equal(loaded.normalize("action", some), trained.normalize("action", some))
    assert not torch.equal(loaded.normalize("action", some), some)


@pytest.mark.parametrize(
    ("modes", "parts"),
    [
        ({"action": "median"}, ("action", "median", "mean_std")),
        ({"observation.state": "mean_std"}, ("action", "mean_std")),
        ({"action": "mean_std", "observation.imges": "min_max"}, ("observation.imges", "action")),
    ],
)
def test_mode_that_cannot_be_meant_is_reported(modes, parts) -> None:
    with one_line_error(*parts):
        Normalization({"action": [2]}, modes)

"""Image transforms: in their ranges, drawn by weight, alike for the observation steps of one sample, reproducible."""

import pytest
import torch
from conftest import one_line_error
from demo_score.config.settings import compose_settings
from demo_score.training.image_transforms import CHANGES, ImageTransforms
from omegaconf import DictConfig, OmegaConf
from torchvision.transforms.v2 import functional

RANGES = {"brightness": [0.8, 1.2], "contrast": [0.8, 1.2], "saturation": [0.5, 1.5], "hue": [-0.05, 0.05]}


def settings(max_num_transforms: int = 3, random_order: bool = False, enable: bool = True, **changes) -> DictConfig:
    """All five; `changes` are name=(weight, min, max)."""
    transforms = {name: (1, *RANGES.get(name, [0.8, 1.2])) for name in CHANGES} | changes
    named = {name: {"weight": weight, "min_max": [low, high]} for name, (weight, low, high) in transforms.items()}
    return OmegaConf.create(
        {"enable": enable, "max_num_transforms": max_num_transforms, "random_order": random_order, **named}
    )


def only(name: str, low: float, high: float, max_num_transforms: int = 3) -> DictConfig:
    changes = {other: (0, *RANGES.get(other, [0.8, 1.2])) for other in CHANGES}
    return settings(max_num_transforms, **{**changes, name: (1, low, high)})


def images(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(*shape, 3, 8, 12, generator=generator)


def seeded(transforms: ImageTransforms, values: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return transforms(values)


def test_disabled_transforms_change_nothing_and_draw_nothing() -> None:
    values, before = images(4, 1), torch.get_rng_state()
    assert ImageTransforms(settings(enable=False))(values) is values
    assert torch.equal(torch.get_rng_state(), before)


def test_same_seed_gives_the_same_images_and_another_seed_others() -> None:
    transforms, values = ImageTransforms(settings(random_order=True)), images(4, 2)
    first = seeded(transforms, values)
    assert torch.equal(first, seeded(ImageTransforms(settings(random_order=True)), values))
    assert not torch.equal(first, seeded(transforms, values, seed=1))
    assert first.shape == values.shape and first.min() >= 0 and first.max() <= 1
    assert torch.equal(values, images(4, 2))


def test_samples_differ_but_the_steps_of_a_sample_are_alike() -> None:
    values = images(1, 1).expand(6, 3, 3, 8, 12)
    changed = seeded(ImageTransforms(settings()), values)
    assert torch.equal(changed[:, :1].expand_as(changed), changed)
    assert len(changed[:, 0].flatten(1).unique(dim=0)) == 6


@pytest.mark.parametrize("name", CHANGES)
def test_each_transform_is_torchvisions_with_a_factor_from_its_range(name) -> None:
    values = images(1)
    factor = {"hue": 0.25}.get(name, 1.75)
    expected = getattr(functional, f"adjust_{name}")(values, factor)
    assert torch.allclose(seeded(ImageTransforms(only(name, factor, factor)), values), expected)
    assert not torch.allclose(expected, values)


def test_factors_fill_their_range() -> None:
    values = torch.full((400, 3, 1, 1), 0.5)
    factors = seeded(ImageTransforms(only("brightness", 0.8, 1.2)), values)[:, 0, 0, 0] / 0.5
    assert 0.8 <= factors.min() < 0.81 and 1.19 < factors.max() <= 1.2
    assert abs(factors.mean() - 1) < 0.03


def recorded(monkeypatch: pytest.MonkeyPatch, configuration: DictConfig, n: int) -> list[list[str]]:
    """Names of the transforms applied to each of n samples, in order."""
    calls: list[str] = []
    for name in CHANGES:
        monkeypatch.setattr(functional, f"adjust_{name}", lambda image, _, name=name: calls.append(name) or image)
    transforms, applied = ImageTransforms(configuration), []
    torch.manual_seed(0)
    for _ in range(n):
        calls.clear()
        transforms(images(1))
        applied.append(list(calls))
    return applied


def test_at_most_so_many_are_drawn_without_replacement_in_their_fixed_order(monkeypatch) -> None:
    names = list(CHANGES)
    for applied in recorded(monkeypatch, settings(max_num_transforms=3), 50):
        assert len(applied) == len(set(applied)) == 3
        assert applied == sorted(applied, key=names.index)


def test_order_is_random_where_asked(monkeypatch) -> None:
    applied = recorded(monkeypatch, settings(max_num_transforms=5, random_order=True), 50)
    assert {len(names) for names in applied} == {5}
    assert len({tuple(names) for names in applied}) > 30


def test_transforms_are_drawn_by_their_weights(monkeypatch) -> None:
    weights = {"brightness": 3, "contrast": 1, "saturation": 0, "hue": 0, "sharpness": 0}
    changes = {name: (weight, *RANGES.get(name, [0.8, 1.2])) for name, weight in weights.items()}
    applied = [names for [*names] in recorded(monkeypatch, settings(max_num_transforms=1, **changes), 1000)]
    assert {len(names) for names in applied} == {1}
    counts = {name: applied.count([name]) for name in CHANGES}
    assert counts["brightness"] + counts["contrast"] == 1000
    assert abs(counts["brightness"] - 750) < 70  # five standard deviations


def test_fewer_transforms_than_the_maximum_are_all_applied(monkeypatch) -> None:
    assert recorded(monkeypatch, only("contrast", 1, 1, max_num_transforms=3), 2) == [["contrast"]] * 2
    everything_off = settings(**{name: (0, *RANGES.get(name, [0.8, 1.2])) for name in CHANGES})
    assert recorded(monkeypatch, everything_off, 2) == [[], []]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ("brightness.weight=-1", ("brightness.weight: -1", "at least 0")),
        ("contrast.min_max=[1.2,0.8]", ("contrast.min_max: [1.2, 0.8]",)),
        ("saturation.min_max=[-0.1,1]", ("saturation.min_max.0: -0.1", "at least 0")),
        ("hue.min_max=[-0.6,0.1]", ("hue.min_max.0: -0.6", "at least -0.5")),
        ("hue.min_max=[0.1,0.51]", ("hue.min_max.1: 0.51", "at most 0.5")),
        ("sharpness.min_max=[0.1]", ("sharpness.min_max: [0.1]", "length 2")),
    ],
)
def test_bad_value_is_reported(change, parts) -> None:
    with one_line_error("training.image_transforms", *parts):
        compose_settings(["env=aloha", "policy=act", f"training.image_transforms.{change}"])

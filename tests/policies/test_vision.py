import socket

import numpy as np
import pytest
import torch
from conftest import one_line_error
from demo_score.config.settings import compose_settings
from demo_score.policies import make_policy
from demo_score.policies.vision import (
    Keypoints,
    channels_of,
    crop,
    expected_places,
    group_norm,
    load_pretrained,
    make_backbone,
    sinusoidal_positions_2d,
)
from omegaconf import DictConfig, open_dict
from policy_settings import TINY_ACT, policy_settings
from torch import nn
from torchvision.models import ResNet18_Weights, get_model
from torchvision.ops import FrozenBatchNorm2d
from torchvision.transforms.functional import center_crop

WEIGHTS = "ResNet18_Weights.IMAGENET1K_V1"


def settings(*overrides: str) -> DictConfig:
    shapes = {"observation.state": [14], "observation.images.top": [3, 64, 64]}
    return policy_settings("act", shapes, 14, *TINY_ACT, *overrides)


def backbone(*overrides: str, norm_layer: type[nn.Module] = FrozenBatchNorm2d, **options) -> nn.Sequential:
    return make_backbone(settings(*overrides).policy, norm_layer, **options)


# Backbones


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_backbone_is_torchvisions_up_to_its_last_feature_map(name) -> None:
    ours = backbone(f"policy.vision_backbone={name}", "policy.pretrained_backbone_weights=null").eval()
    whole = get_model(name, norm_layer=FrozenBatchNorm2d).eval()
    whole.load_state_dict(ours.state_dict(), strict=False)
    features = ours(images := torch.rand(2, 3, 64, 96))
    assert features.shape == (2, 512, 2, 3)
    torch.testing.assert_close(whole.fc(features.mean(dim=(2, 3))), whole(images))


def test_dilation_keeps_the_weights_and_doubles_the_resolution() -> None:
    plain, dilated = backbone(), backbone(dilate=True)
    dilated.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 64, 96)
    assert plain(images).shape == (1, 512, 2, 3) and dilated(images).shape == (1, 512, 4, 6)
    x = torch.rand(1, 256, 4, 6)
    every_other = plain.layer4[0].conv1(x)
    torch.testing.assert_close(dilated.layer4[0].conv1(x)[..., ::2, ::2], every_other)
    features = torch.rand(1, 512, 4, 6)
    expected = plain.layer4[1](features[..., ::2, ::2])
    torch.testing.assert_close(dilated.layer4[1](features)[..., ::2, ::2], expected)


def test_group_norm_has_groups_of_sixteen_channels_and_no_batch_norm_is_left() -> None:
    norms = [m for m in backbone(norm_layer=group_norm).modules() if isinstance(m, (nn.GroupNorm, nn.BatchNorm2d))]
    assert len(norms) == 20
    assert all(isinstance(norm, nn.GroupNorm) and norm.num_channels // norm.num_groups == 16 for norm in norms)


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("policy.vision_backbone=resnet34", (WEIGHTS, "ResNet34_Weights.IMAGENET1K_V1", "null")),
        ("policy.pretrained_backbone_weights=imagenet", ("imagenet", WEIGHTS)),
    ],
)
def test_backbone_that_cannot_be_is_reported(override, parts) -> None:
    with one_line_error(*parts):
        backbone(override)


def test_the_small_network_sees_the_image_at_a_sixteenth() -> None:
    network = backbone("policy.vision_backbone=small_cnn", "policy.pretrained_backbone_weights=null")
    assert network(torch.rand(2, 3, 96, 128)).shape == (2, channels_of(network), 6, 8)
    assert sum(parameter.numel() for parameter in network.parameters()) < 100_000


def test_with_it_an_image_is_one_token_that_tells_where_things_are() -> None:
    small = settings("policy.vision_backbone=small_cnn", "policy.pretrained_backbone_weights=null")
    policy = make_policy(small).eval()
    images = torch.zeros(2, 1, 3, 64, 64)
    images[0, ..., 8:12, 8:12], images[1, ..., 40:44, 40:44] = 1, 1  # the same, by whole cells elsewhere
    seen = policy.image_projection(policy.backbone(images[:, 0]))
    assert seen.shape == (2, small.policy.dim_model, 1, 1) and not torch.allclose(seen[0], seen[1], atol=1e-4)
    with open_dict(small):
        small.policy.input_shapes["observation.images.wrist"] = [3, 32, 64]
    with one_line_error("small_cnn", "images of one size"):
        make_policy(small)


@pytest.mark.parametrize(
    ("policy", "override", "wanted"),
    [
        ("act", "policy.pretrained_backbone_weights=ResNet18_Weights.IMAGENET1K_V1", "null"),
        ("act", "policy.replace_final_stride_with_dilation=true", "false"),
        ("diffusion", "policy.use_group_norm=false", "true"),
    ],
)
def test_what_the_small_network_has_not_is_refused(policy, override, wanted) -> None:
    plain = ["policy.pretrained_backbone_weights=null"] * (wanted != "null")
    name = override.partition("=")[0]
    with one_line_error("small_cnn", f"{name}={wanted}"):
        given = [f"policy={policy}", "env=aloha", "seed=0", "policy.vision_backbone=small_cnn", *plain, override]
        compose_settings(given)


def test_images_need_a_policy_file_with_a_backbone() -> None:
    with one_line_error("policy.vision_backbone", "observation.image", "policy=act"):
        make_policy(policy_settings("act_state", {"observation.image": [3, 64, 64]}, 2, "policy.use_vae=false"))


def test_image_of_another_layout_is_reported() -> None:
    with one_line_error("observation.image", "[3, height, width]"):
        make_policy(policy_settings("act", {"observation.image": [64, 64, 3]}, 2, "policy.use_vae=false"))


# Pretrained weights


@pytest.fixture
def no_network(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refuse(*address, **options) -> None:
        raise socket.gaierror("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_weights_that_cannot_be_had_leave_the_backbone_and_one_line(no_network, capsys) -> None:
    network = backbone()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    timeout = socket.getdefaulttimeout()
    load_pretrained(network, WEIGHTS)
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert all(word in printed.err for word in ("warning", WEIGHTS, "untrained"))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert socket.getdefaulttimeout() == timeout


@pytest.fixture
def fetched(monkeypatch) -> list[dict[str, torch.Tensor]]:
    """Weights as a server would give them, once for each time that they are asked for."""
    loaded: list[dict[str, torch.Tensor]] = []

    def get_state_dict(self, **options) -> dict[str, torch.Tensor]:
        loaded.append(get_model("resnet18").state_dict())
        return loaded[-1]

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", get_state_dict)
    return loaded


def test_pretrained_weights_become_the_backbones(fetched) -> None:
    policy = make_policy(settings(), pretrained=True)
    state = policy.backbone.state_dict()
    assert len(fetched) == 1 and len(state) == 100
    assert all(torch.equal(value, fetched[0][name]) for name, value in state.items())


def test_weights_are_fetched_only_for_training_and_only_when_asked_for(fetched) -> None:
    make_policy(settings())
    make_policy(settings("policy.pretrained_backbone_weights=null"), pretrained=True)
    make_policy(policy_settings("act", {"observation.state": [14]}, 14, *TINY_ACT), pretrained=True)
    assert not fetched


# Positions, crops, keypoints


def test_positions_of_a_feature_map_are_detrs() -> None:
    """Row y and column x, counted from 1 and scaled to 2 pi, in pairs of sine and cosine."""
    table = sinusoidal_positions_2d(3, 5, 8)
    assert table.shape == (1, 15, 8)
    for y in range(3):
        for x in range(5):
            angles = [2 * np.pi * (y + 1) / 3, 2 * np.pi * (x + 1) / 5]
            expected = [f(a / 10000 ** (2 * k / 4)) for a in angles for k in range(2) for f in (np.sin, np.cos)]
            np.testing.assert_allclose(table[0, 5 * y + x], expected, atol=1e-5)


def test_random_crops_are_windows_of_their_own_image_at_many_places() -> None:
    images = torch.arange(64 * 3 * 6 * 8).view(64, 3, 6, 8).float()
    torch.manual_seed(0)
    cropped = crop(images, (4, 5), at_random=True)
    assert cropped.shape == (64, 3, 4, 5)
    places = set()
    for image, window in zip(images, cropped, strict=True):
        top, left = divmod(int(window[0, 0, 0] - image[0, 0, 0]), 8)
        assert torch.equal(window, image[:, top : top + 4, left : left + 5])
        places.add((top, left))
    assert places == {(top, left) for top in range(3) for left in range(4)}


@pytest.mark.parametrize("size", [(4, 5), (3, 6), (5, 8)])
def test_centre_crop_is_torchvision_s(size) -> None:
    images = torch.rand(2, 3, 6, 9)
    assert torch.equal(crop(images, size, at_random=False), center_crop(images, list(size)))


def test_keypoint_of_a_peak_is_its_place() -> None:
    maps = torch.zeros(1, 4, 5, 9)
    for number, (row, column) in enumerate([(0, 0), (4, 8), (2, 4), (0, 6)]):
        maps[0, number, row, column] = 1000.0
    expected = torch.tensor([[[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [0.5, -1.0]]])
    torch.testing.assert_close(expected_places(maps), expected)


def test_keypoint_of_a_flat_map_is_the_centre() -> None:
    torch.testing.assert_close(expected_places(torch.full((2, 3, 4, 6), 5.0)), torch.zeros(2, 3, 2))


def test_keypoints_have_two_numbers_each() -> None:
    assert Keypoints(16, 7)(torch.randn(3, 16, 2, 4)).shape == (3, 14)

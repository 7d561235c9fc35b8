"""Looking at images: ResNets (He et al. 2016) of torchvision, a smaller network, position embeddings, crops, keypoints.

torchvision takes seconds to import: functions that need it import it, so that policies without images do not wait.
"""

import math
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPException
from io import StringIO

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from demo_score.runtime.errors import UserError

SMALL_CNN = "small_cnn"
SMALL_CNN_LAYERS = ((32, 8, 4), (64, 3, 2), (64, 3, 2))  # channels, kernel and stride of its convolutions
TIMEOUT = 20.0  # seconds without an answer after which a download has failed


def make_backbone(settings: DictConfig, norm_layer: Callable[[int], nn.Module], dilate: bool = False) -> nn.Sequential:
    """The untrained `policy.vision_backbone` without its classifier: (B, 3, H, W) -> (B, C, H / 32, W / 32).

    small_cnn gives (B, 64, H / 16, W / 16), and has group norm whatever `norm_layer`. `dilate`: the last stage keeps
    the resolution of the one before, H / 16 and W / 16, and spreads its filters instead. Raises UserError for
    pretrained weights that are not the backbone's.
    """
    if settings.vision_backbone == SMALL_CNN:
        return small_cnn()
    from torchvision.models import get_model, get_model_weights

    name, weights = settings.vision_backbone, settings.pretrained_backbone_weights
    known = [f"{choice.__class__.__name__}.{choice.name}" for choice in get_model_weights(name)]
    if weights is not None and weights not in known:
        raise UserError(f"policy.pretrained_backbone_weights={weights}: {name} has {', '.join(known)}; or set null")
    resnet = get_model(name, norm_layer=norm_layer)
    if dilate:
        _dilate(resnet.layer4)
    return nn.Sequential(OrderedDict((n, child) for n, child in resnet.named_children() if n not in ("avgpool", "fc")))


def small_cnn() -> nn.Sequential:
    """Three convolutions: for images of about a hundred pixels a side, and no GPU.

    The first, as in DQN (Mnih et al. 2015), sees 8x8 pixels and quarters the image: a third of the time of two that
    halve it.
    """
    layers, before = [], 3
    for channels, size, stride in SMALL_CNN_LAYERS:
        padding = (size - stride + 1) // 2
        convolution = nn.Conv2d(before, channels, size, stride, padding, bias=False)
        layers += [convolution, group_norm(channels), nn.ReLU()]
        before = channels
    return nn.Sequential(*layers)


class WholeImage(nn.Module):
    """One linear map of all that a backbone makes of an image: (B, C, h, w) -> (B, dim, 1, 1).

    It knows what lies where, which attention over the places of a map learns from many more images. `sizes`: (3, H, W)
    of each camera. Raises UserError where they differ.
    """

    def __init__(self, backbone: nn.Sequential, sizes: list[tuple[int, ...]], dim: int):
        super().__init__()
        if len({*sizes}) > 1:
            raise UserError(f"policy.vision_backbone={SMALL_CNN} needs images of one size; set the same env.image_size")
        with torch.no_grad():
            features = backbone(torch.zeros(1, *sizes[0]))
        self.out = nn.Linear(features.numel(), dim)

    def forward(self, features: Tensor) -> Tensor:
        return self.out(features.flatten(1))[..., None, None]


def channels_of(backbone: nn.Sequential) -> int:
    """Of the feature map that it gives: what its last convolution puts out."""
    return [module for module in backbone.modules() if isinstance(module, nn.Conv2d)][-1].out_channels


def _dilate(stage: nn.Sequential) -> None:
    """Drop the stage's stride; its filters after the first block then reach twice as far (Yu & Koltun 2016)."""
    for number, block in enumerate(stage):
        for convolution in (module for module in block.modules() if isinstance(module, nn.Conv2d)):
            convolution.stride = (1, 1)
            if number > 0:
                convolution.dilation = convolution.padding = (2, 2)


def load_pretrained(backbone: nn.Sequential, weights: str) -> None:
    """Set the backbone's weights to torchvision's `weights`, from torch hub's cache or its server.

    Where neither has them the backbone stays untrained, and stderr says so.
    """
    from torchvision.models import get_weight

    try:
        with _patient(TIMEOUT), redirect_stdout(StringIO()):
            state = get_weight(weights).get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, HTTPException, RuntimeError) as error:
        print(
            f"warning: cannot get {weights} ({error}): the backbone starts untrained; run once with a network, "
            f"or put the file into {torch.hub.get_dir()}/checkpoints",
            file=sys.stderr,
        )
        return
    wanted = backbone.state_dict()
    backbone.load_state_dict({name: value for name, value in state.items() if name in wanted})


@contextmanager
def _patient(seconds: float) -> Iterator[None]:
    """Wait so long for a server that does not answer, and not without end as urllib does."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def sinusoidal_positions_2d(height: int, width: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Fixed embeddings (1, height * width, dim) of the places of a feature map, row by row (DETR, appendix A.4).

    Half of `dim` tells the row, half the column; 1..height and 1..width are stretched to (0, 2 pi].
    """
    rows = _sines(height, dim // 2, device)[:, None].expand(-1, width, -1)
    columns = _sines(width, dim // 2, device)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)[None]


def _sines(length: int, dim: int, device: torch.device | None) -> Tensor:
    position = torch.arange(1, length + 1, device=device) * (2 * math.pi / length)
    frequency = 10000 ** (-torch.arange(0, dim, 2, device=device) / dim)
    angle = position[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def crop(images: Tensor, size: tuple[int, int], at_random: bool) -> Tensor:
    """(N, C, H, W) -> (N, C, *size): from a place drawn for each image, or from torchvision's centre."""
    height, width = size
    room = images.shape[-2] - height, images.shape[-1] - width
    if not at_random:
        top, left = round(room[0] / 2), round(room[1] / 2)
        return images[..., top : top + height, left : left + width]
    top, left = (torch.randint(extra + 1, (len(images), 1), device=images.device) for extra in room)
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    number = torch.arange(len(images), device=images.device)
    return images.movedim(1, -1)[number[:, None, None], rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


class Keypoints(nn.Module):
    """Where an image's features are: spatial softmax (Finn et al. 2016, arXiv 1509.06113), then a linear layer.

    (B, C, H, W) -> (B, 2 * n_keypoints). A keypoint is the mean place under the softmax of a map, x and y each from
    -1 (left, top) to 1.
    """

    def __init__(self, channels: int, n_keypoints: int):
        super().__init__()
        self.maps = nn.Conv2d(channels, n_keypoints, kernel_size=1)
        self.out = nn.Linear(2 * n_keypoints, 2 * n_keypoints)

    def forward(self, features: Tensor) -> Tensor:
        return self.out(expected_places(self.maps(features)).flatten(1)).relu()


def expected_places(maps: Tensor) -> Tensor:
    """Mean (x, y) under the softmax over each map: (B, K, H, W) -> (B, K, 2)."""
    height, width = maps.shape[-2:]
    y = torch.linspace(-1, 1, height, device=maps.device)[:, None].expand(height, width)
    x = torch.linspace(-1, 1, width, device=maps.device).expand(height, width)
    weights = maps.float().flatten(2).softmax(-1)[..., None]
    return (weights * torch.stack([x, y], dim=-1).flatten(0, 1)).sum(dim=2)  # no matmul: full precision in any case


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalisation over groups of 16 channels: unlike batch norm it does not mix the images of a batch."""
    return nn.GroupNorm(channels // 16, channels)

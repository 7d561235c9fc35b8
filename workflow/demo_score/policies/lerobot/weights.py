"""The same weights under LeRobot's names and ours.

Source: lerobot 0.6.1, modeling_act.py and modeling_diffusion.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from demo_score.config.models.policy import REDUCTION
from demo_score.observations import ENVIRONMENT_STATE, STATE
from demo_score.policies import weight_shapes
from demo_score.policies.transformer import sinusoidal_positions
from demo_score.runtime.errors import UserError

POSITIONS = "model.vae_encoder_pos_enc"  # LeRobot stores these two, which are constants
GRID = "pool.pos_grid"
CAMERA = "diffusion.rgb_encoder"
# A ResNet's parts, of which LeRobot's Diffusion tells the numbers alone.
STAGES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
PROJECTIONS = {STATE: "robot_state", ENVIRONMENT_STATE: "env_state"}


@dataclass(frozen=True)
class Pair:
    """One tensor of LeRobot's and what it is here: several, one after the other, or one with an axis before."""

    theirs: str
    ours: tuple[str, ...]
    leading_axis: bool = False


def to_lerobot(settings: DictConfig, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A policy's state_dict under LeRobot's names; normalisation is not among them."""
    policy, renamed = settings.policy, {}
    for pair in _pairs(settings):
        parts = [state[name] for name in pair.ours]
        renamed[pair.theirs] = parts[0][0] if pair.leading_axis else torch.cat(parts) if len(parts) > 1 else parts[0]
    if policy.name == "diffusion":
        _reorder_condition(renamed, policy, _condition(policy, ours=True), _condition(policy, ours=False))
    return {name: tensor.cpu().contiguous() for name, tensor in (renamed | _constants(policy)).items()}


def from_lerobot(settings: DictConfig, state: Mapping[str, Tensor], folder: object) -> dict[str, Tensor]:
    """LeRobot's weights under our names. Raises UserError where they are not those of a policy of `settings`."""
    policy, pairs = settings.policy, list(_pairs(settings))
    state = {_one_camera(name): tensor for name, tensor in state.items()}
    if missing := [pair.theirs for pair in pairs if pair.theirs not in state]:
        raise UserError(f"{folder}: lacks {missing[0]}; config.json and model.safetensors are of different policies")
    known = {pair.theirs for pair in pairs}
    if strange := sorted(name for name in set(state) - known if not name.endswith((POSITIONS, GRID))):
        raise UserError(f"{folder}: has {strange[0]}, which LeRobot 0.6.1's {policy.name} has not; export it anew")
    state = dict(state)
    if policy.name == "diffusion":
        _reorder_condition(state, policy, _condition(policy, ours=False), _condition(policy, ours=True))
    shapes, renamed = weight_shapes(settings), {}
    for pair in pairs:
        tensor = state[pair.theirs]
        parts = [tensor[None]] if pair.leading_axis else tensor.chunk(len(pair.ours))
        renamed |= dict(zip(pair.ours, parts, strict=True))
    for name, tensor in renamed.items():
        if tensor.shape != shapes[name]:
            raise UserError(f"{folder}: {name} is {tuple(tensor.shape)}, and config.json says {tuple(shapes[name])}")
    return renamed


def _pairs(settings: DictConfig) -> Iterator[Pair]:
    names = list(weight_shapes(settings))
    yield from (_act if settings.policy.name == "act" else _diffusion)(settings.policy, names)


def _act(policy: DictConfig, names: list[str]) -> Iterator[Pair]:
    yield from _layers("vae_encoder.encoder", "model.vae_encoder", policy.n_vae_encoder_layers * policy.use_vae)
    yield from _layers("encoder", "model.encoder", policy.n_encoder_layers)
    yield from _layers("decoder", "model.decoder", policy.n_decoder_layers)
    ours = {
        "encoder.norm": "model.encoder.norm",
        "decoder.norm": "model.decoder.norm",
        "latent_projection": "model.encoder_latent_input_proj",
        "action_head": "model.action_head",
        "image_projection": "model.encoder_img_feat_input_proj",
        "vae_encoder.encoder.norm": "model.vae_encoder.norm",
        "vae_encoder.state_projection": "model.vae_encoder_robot_state_input_proj",
        "vae_encoder.action_projection": "model.vae_encoder_action_input_proj",
        "vae_encoder.latent": "model.vae_encoder_latent_output_proj",
    }
    vectors = [key for key, shape in policy.input_shapes.items() if len(shape) == 1]
    ours |= {
        f"observation_projections.{number}": f"model.encoder_{PROJECTIONS[key]}_input_proj"
        for number, key in enumerate(vectors)
    }
    for own, their in ours.items():
        yield from (pair for pair in _module(own, their) if pair.ours[0] in names)
    yield Pair("model.encoder_1d_feature_pos_embed.weight", ("token_position",), leading_axis=True)
    yield Pair("model.decoder_pos_embed.weight", ("query_position",), leading_axis=True)
    if policy.use_vae:
        yield Pair("model.vae_encoder_cls_embed.weight", ("vae_encoder.cls",), leading_axis=True)
    yield from (Pair(f"model.{name}", (name,)) for name in names if name.startswith("backbone."))


def _layers(own: str, their: str, n: int) -> Iterator[Pair]:
    """A stack of encoder layers, or of decoder layers, which attend twice."""
    attentions = {"self_attention": "self_attn", "cross_attention": "multihead_attn"}
    attentions = attentions if own == "decoder" else {"attention": "self_attn"}
    for layer in range(n):
        ours, theirs = f"{own}.layers.{layer}", f"{their}.layers.{layer}"
        for mine, other in attentions.items():
            yield from _attention(f"{ours}.{mine}", f"{theirs}.{other}")
        for number, name in ((0, "linear1"), (3, "linear2")):
            yield from _module(f"{ours}.feed_forward.{number}", f"{theirs}.{name}")
        for number in range(len(attentions) + 1):
            yield from _module(f"{ours}.residuals.{number}.norm", f"{theirs}.norm{number + 1}")


def _attention(own: str, their: str) -> Iterator[Pair]:
    for kind in ("weight", "bias"):
        yield Pair(f"{their}.in_proj_{kind}", tuple(f"{own}.{part}.{kind}" for part in ("query", "key", "value")))
    yield from _module(f"{own}.out", f"{their}.out_proj")


def _module(own: str, their: str) -> Iterator[Pair]:
    yield from (Pair(f"{their}.{kind}", (f"{own}.{kind}",)) for kind in ("weight", "bias"))


def _diffusion(policy: DictConfig, names: list[str]) -> Iterator[Pair]:
    """Every name of ours with LeRobot's words for its parts."""
    for name in names:
        part, *rest = name.split(".")
        if part == "backbone":
            yield Pair(".".join([CAMERA, "backbone", str(STAGES.index(rest[0])), *rest[1:]]), (name,))
        elif part == "keypoints":
            yield Pair(".".join([CAMERA, {"maps": "pool.nets", "out": "out"}[rest[0]], rest[1]]), (name,))
        elif part == "unet":
            yield Pair(f"diffusion.unet.{_unet(*rest)}", (name,))


def _unet(part: str, *rest: str) -> str:
    words = {"first": "conv1.block", "second": "conv2.block", "film": "cond_encoder", "shortcut": "residual_conv"}
    rest = [words.get(word, word) for word in rest]
    if part in ("shrink", "grow"):
        return ".".join(["down_modules" if part == "shrink" else "up_modules", rest[0], "2", *rest[1:]])
    if part == "out":
        return ".".join(["final_conv", rest[0], *(["block"] if rest[0] == "0" else []), *rest[1:]])
    parts = {"step_encoder": "diffusion_step_encoder", "down": "down_modules", "middle": "mid_modules"}
    return ".".join([(parts | {"up": "up_modules"})[part], *rest])


def _condition(policy: DictConfig, ours: bool) -> list[tuple[str, int]]:
    """What one observation gives the U-Net, and how wide: LeRobot has images before the objects' state."""
    images = [key for key, shape in policy.input_shapes.items() if len(shape) == 3]
    vectors = [(key, shape[0]) for key, shape in policy.input_shapes.items() if len(shape) == 1]
    seen = [("images", 2 * policy.get("spatial_softmax_num_keypoints", 0) * len(images))]
    if ours:
        return vectors + seen
    widths = dict(vectors)
    return (
        [(key, widths[key]) for key in (STATE,) if key in widths]
        + seen
        + [(key, widths[key]) for key in (ENVIRONMENT_STATE,) if key in widths]
    )


def _reorder_condition(
    state: dict[str, Tensor], policy: DictConfig, before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    """Columns of what looks at the condition: that of the diffusion step, then of one observation after another."""
    step, width = policy.diffusion_step_embed_dim, sum(size for _, size in before)
    starts = dict(zip((key for key, _ in before), np.cumsum([0, *(size for _, size in before)]), strict=False))
    one = np.concatenate([starts[key] + np.arange(size) for key, size in after])
    each = [step + number * width + one for number in range(policy.n_obs_steps)]
    columns = torch.from_numpy(np.concatenate([np.arange(step), *each]))
    for name in state:
        if name.endswith("cond_encoder.1.weight"):
            state[name] = state[name][:, columns]


def _constants(policy: DictConfig) -> dict[str, Tensor]:
    if policy.name == "act":
        return {POSITIONS: sinusoidal_positions(2 + policy.chunk_size, policy.dim_model)} if policy.use_vae else {}
    images = [shape[1:] for shape in policy.input_shapes.values() if len(shape) == 3]
    if not images:
        return {}
    height, width = (-(-side // REDUCTION) for side in policy.crop_shape or images[0])
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return {f"{CAMERA}.{GRID}": torch.from_numpy(np.stack([x.ravel(), y.ravel()], axis=1)).float()}


def _one_camera(name: str) -> str:
    """LeRobot numbers the encoders of cameras, each its own; of a policy with one camera that is here the one."""
    return name.replace(f"{CAMERA}.0.", f"{CAMERA}.")

"""Small policies of the real lerobot's, with random weights, and what they do, see tests/data/README.md.

PYTHONPATH=tests/helpers python tests/peers/make_policies.py tests/data/lerobot_policies
"""

import sys
from pathlib import Path

import torch
from lerobot.configs import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors
from lerobot.policies.pretrained import PreTrainedPolicy
from safetensors.torch import save_file
from torch import Tensor

N = 20  # observations
SHAPES = {"observation.state": (3,), "observation.environment_state": (2,)}
IMAGE = {"observation.images.top": (3, 72, 90)}
KINDS = {"observation.state": FeatureType.STATE, "observation.environment_state": FeatureType.ENV}
ACT = {"chunk_size": 6, "n_action_steps": 4, "dim_model": 16, "n_heads": 2, "dim_feedforward": 24, "latent_dim": 4}
ACT |= {"n_encoder_layers": 1, "n_decoder_layers": 2, "n_vae_encoder_layers": 1, "pre_norm": True}
DIFFUSION = {"horizon": 8, "n_action_steps": 4, "down_dims": (8, 16), "diffusion_step_embed_dim": 8, "kernel_size": 3}
DIFFUSION |= {"noise_scheduler_type": "DDIM", "num_inference_steps": 5}
POLICIES = {"act": ("act", SHAPES, ACT), "diffusion": ("diffusion", SHAPES, DIFFUSION)}
OF_IMAGES = {
    "act_images": ("act", SHAPES | IMAGE, ACT | {"pretrained_backbone_weights": None}),
    "diffusion_images": (
        "diffusion",
        SHAPES | IMAGE,
        DIFFUSION | {"pretrained_backbone_weights": None, "use_group_norm": True, "crop_shape": (65, 80)},
    ),
}
MODES = {  # the objects' state as LeRobot has it where nobody says otherwise: not at all
    "act": {"STATE": NormalizationMode.QUANTILES, "ACTION": NormalizationMode.MEAN_STD},
    "diffusion": {"STATE": NormalizationMode.MIN_MAX, "ENV": NormalizationMode.MEAN_STD},
}


def main() -> None:
    for name in POLICIES:
        make(name, Path(sys.argv[1]) / name)


def make(name: str, folder: Path) -> None:
    """A policy's folder, as lerobot-train writes it, and answers.safetensors: observations, draws, actions."""
    kind, shapes, options = (POLICIES | OF_IMAGES)[name]
    modes = {"VISUAL": NormalizationMode.MEAN_STD, "ACTION": NormalizationMode.MIN_MAX} | MODES[kind]
    answer(folder, *_save(folder, kind, shapes, 2, normalization_mapping=modes, **options), shapes)


def answer(folder: Path, policy: PreTrainedPolicy, processors: tuple, shapes: dict[str, tuple[int, ...]]) -> None:
    """Write answers.safetensors of a policy into its folder."""
    config = policy.config
    steps = getattr(config, "n_obs_steps", 1)
    observations = {key: torch.rand(N, steps, *shape) for key, shape in shapes.items()}
    draws = torch.randn(N, config.horizon, 2) if policy.name == "diffusion" else torch.zeros(N, config.latent_dim)
    answers = actions_of(policy, processors, observations, draws)
    save_file({**observations, "draws": draws, "actions": answers.contiguous()}, folder / "answers.safetensors")


def make_unknown(folder: Path) -> None:
    """A policy that we have not, of ALOHA's joints and objects."""
    shapes = {"observation.state": (14,), "observation.environment_state": (14,)}
    _save(folder, "tdmpc", shapes, 14, use_mpc=False, n_action_steps=1, n_action_repeats=1)


def _save(folder: Path, kind: str, shapes: dict, n_actions: int, **options) -> tuple[PreTrainedPolicy, tuple]:
    features = {key: PolicyFeature(KINDS.get(key, FeatureType.VISUAL), shape) for key, shape in shapes.items()}
    action = {"action": PolicyFeature(FeatureType.ACTION, (n_actions,))}
    config = make_policy_config(
        kind, input_features=features, output_features=action, device="cpu", push_to_hub=False, **options
    )
    torch.manual_seed(1)
    policy = get_policy_class(kind)(config).eval()
    processors = make_pre_post_processors(config, dataset_stats=_statistics(shapes | {"action": (n_actions,)}))
    for part in (policy, *processors):
        part.save_pretrained(folder)
    return policy, processors


def actions_of(policy: PreTrainedPolicy, processors: tuple, observations: dict[str, Tensor], draws: Tensor) -> Tensor:
    """The whole chunks (N, L, action_dim) of LeRobot's policy; observations: key -> (N, n_obs_steps, ...)."""
    before, after = processors
    if policy.name == "act":
        return after(policy.predict_action_chunk(before({key: seen[:, -1] for key, seen in observations.items()})))
    seen = before(dict(observations))
    if images := list(policy.config.image_features):
        seen["observation.images"] = torch.stack([seen[key] for key in images], dim=-4)
    condition = policy.diffusion._prepare_global_conditioning(seen)
    with torch.no_grad():
        return after(policy.diffusion.conditional_sample(len(draws), global_cond=condition, noise=draws))


def _statistics(shapes: dict[str, tuple[int, ...]]) -> dict[str, dict[str, Tensor]]:
    """Of a data set that there is not."""
    found = {}
    for key, shape in shapes.items():
        size = (shape[0], 1, 1) if len(shape) == 3 else shape
        low, spread = torch.rand(size), 0.5 + torch.rand(size)
        ends = {"min": low, "q01": low + 0.1 * spread, "q99": low + 0.9 * spread, "max": low + spread}
        found[key] = ends | {"mean": low + 0.4 * spread, "std": 0.3 * spread}
    return found


if __name__ == "__main__":
    main()

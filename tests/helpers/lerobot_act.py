"""LeRobot's ACT with the settings of ours, one step of its training at a time."""

from collections.abc import Callable

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

OPTIONS = ["chunk_size", "n_action_steps", "vision_backbone", "replace_final_stride_with_dilation", "pre_norm"]
OPTIONS += ["dim_model", "n_heads", "dim_feedforward", "feedforward_activation", "n_encoder_layers"]
OPTIONS += ["n_decoder_layers", "use_vae", "latent_dim", "n_vae_encoder_layers", "dropout", "kl_weight"]


def make_step(settings: DictConfig, batch: dict[str, Tensor], device: torch.device) -> tuple[nn.Module, Callable]:
    """The policy, and a function that trains it for a step on `batch`, as lerobot-train does (0.6.1, update_policy).

    `batch`: ours, with images as floats (B, 1, 3, H, W). It is not normalised here: LeRobot does so before its step.
    """
    policy, optimizer, clip = _build(settings, device)
    batch = {key: values[:, -1] if key.startswith("observation") else values for key, values in batch.items()}

    def step() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.use_amp):
            loss, _ = policy.forward(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()

    return policy, step


def _build(settings: DictConfig, device: torch.device) -> tuple[nn.Module, torch.optim.Optimizer, float]:
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy

    kinds = {1: FeatureType.STATE, 3: FeatureType.VISUAL}
    config = ACTConfig(
        input_features={
            key: PolicyFeature(kinds[len(shape)], tuple(shape)) for key, shape in settings.policy.input_shapes.items()
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, tuple(settings.policy.output_shapes.action))},
        pretrained_backbone_weights=None,
        device=device.type,
        **{name: settings.policy[name] for name in OPTIONS},
    )
    preset = config.get_optimizer_preset()
    torch.manual_seed(settings.seed)
    policy = ACTPolicy(config).to(device).train()
    return policy, preset.build(policy.get_optim_params()), preset.grad_clip_norm

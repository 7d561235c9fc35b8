"""Settings of small policies, made from the policy files alone, and batches for them."""

import torch
from omegaconf import DictConfig, OmegaConf
from places import WORKFLOW
from torch import Tensor, nn

FILES = WORKFLOW / "configs/policy"
STATE, ENVIRONMENT_STATE, IMAGE = "observation.state", "observation.environment_state", "observation.image"
TINY_ACT = [
    "policy.chunk_size=20",
    "policy.n_action_steps=20",
    "policy.actions_per_query=10",
    "policy.dim_model=16",
    "policy.n_heads=2",
    "policy.dim_feedforward=32",
    "policy.n_encoder_layers=1",
    "policy.latent_dim=4",
    "policy.n_vae_encoder_layers=1",
    "policy.dropout=0",
]
TINY_DIFFUSION = [
    "policy.horizon=8",
    "policy.n_action_steps=4",
    "policy.down_dims=[16,32]",
    "policy.n_groups=4",
    "policy.kernel_size=3",
    "policy.diffusion_step_embed_dim=16",
]
TINY_KEYPOINTS = ["policy.crop_shape=[40,40]", "policy.spatial_softmax_num_keypoints=4"]


def policy_settings(file: str, shapes: dict[str, list[int]], action_dim: int, *overrides: str) -> DictConfig:
    """configs/policy/`file`.yaml for observations of `shapes`, changed by `overrides` (key=value)."""
    settings = OmegaConf.load(FILES / f"{file}.yaml")
    settings.policy.input_shapes, settings.policy.output_shapes = shapes, {"action": [action_dim]}
    settings = OmegaConf.merge(settings, OmegaConf.from_dotlist(list(overrides)))
    OmegaConf.set_struct(settings, True)  # as Hydra's are: a key that is not there is an error
    return settings


def random_observations(settings: DictConfig, n: int, seed: int = 1) -> dict[str, Tensor]:
    """`n` observations as the policy of `settings` gets them, uniform in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    policy = settings.policy
    return {
        key: torch.rand(n, policy.n_obs_steps, *shape, generator=generator)
        for key, shape in policy.input_shapes.items()
    }


def random_batch(settings: DictConfig, n: int, length: int) -> dict[str, Tensor]:
    """A training batch of uniform noise in which nothing is padding."""
    actions = torch.rand(n, length, *settings.policy.output_shapes.action, generator=torch.Generator().manual_seed(2))
    is_pad = torch.zeros(n, length, dtype=torch.bool)
    return {**random_observations(settings, n), "action": 2 * actions - 1, "action_is_pad": is_pad}


def losses_of_training(policy: nn.Module, batch: dict[str, Tensor], n_steps: int, lr: float) -> list[float]:
    """The losses of AdamW on one and the same batch, with the same draws at every step."""
    optimizer = torch.optim.AdamW(policy.train().parameters(), lr=lr, fused=True)
    losses = []
    for _ in range(n_steps):
        torch.manual_seed(7)
        loss, _ = policy.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses

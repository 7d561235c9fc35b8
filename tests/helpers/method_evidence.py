"""Checkpoints of tiny policies, untrained, and what methods are given beside them."""

from pathlib import Path

import numpy as np
import torch
from conftest import random_episode, tiny_settings
from demo_score.config.settings import compose_settings
from demo_score.data.episodes import Episode
from demo_score.policies import make_policy
from demo_score.policies.base import Policy
from demo_score.policies.checkpoints import save_checkpoint
from omegaconf import DictConfig
from policy_settings import TINY_DIFFUSION

CPU = torch.device("cpu")


def diffusion_settings(*overrides: str) -> DictConfig:
    """As `tiny_settings`, of a diffusion policy."""
    base = ["env=aloha_cube_state", "policy=diffusion_state", "device=cpu", "seed=0"]
    return compose_settings([*base, *TINY_DIFFUSION, *overrides])[0]


def act_settings(*overrides: str) -> DictConfig:
    """Of a tiny ACT that looks at every fourth step."""
    return tiny_settings("policy.n_action_steps=4", "policy.chunk_size=10", "policy.actions_per_query=5", *overrides)


def saved_policy(folder: Path, settings: DictConfig, seed: int = 0) -> Policy:
    """A policy with drawn weights and a normalisation that changes something, saved in `folder`."""
    torch.manual_seed(seed)
    policy = make_policy(settings).eval()
    for buffer in policy.normalization.buffers():
        buffer.copy_(torch.rand_like(buffer) + 0.5)
    save_checkpoint(folder, policy, settings)
    return policy


def episodes(*lengths: int, first_seed: int = 0) -> list[Episode]:
    """Of noise; those of odd number failed."""
    return [random_episode(n, seed=first_seed + i, success=i % 2 == 0) for i, n in enumerate(lengths)]


def window(episode: Episode, frame: int, offsets: range, n_obs_steps: int = 1) -> dict[str, torch.Tensor]:
    """A batch of one: observations up to a frame, and the chunk around it, ends repeated, step by step."""
    inside = [min(max(frame + offset, 0), len(episode) - 1) for offset in offsets]
    seen = [max(frame + offset, 0) for offset in range(1 - n_obs_steps, 1)]
    pad = [not 0 <= frame + offset < len(episode) for offset in offsets]
    observations = {
        key: torch.tensor(np.stack([values[i] for i in seen]))[None] for key, values in episode.observations.items()
    }
    actions = torch.tensor(np.stack([episode.actions[i] for i in inside]))[None]
    return {**observations, "action": actions, "action_is_pad": torch.tensor(pad)[None]}

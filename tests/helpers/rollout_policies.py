"""Policies that need no training, and their settings."""

import numpy as np
import torch
from conftest import tiny_settings
from demo_score.policies import make_policy
from demo_score.policies.act import ACT
from gym_aloha.constants import START_ARM_POSE
from omegaconf import DictConfig
from torch import Tensor, nn

OVERRIDES = ["policy.sample_latent=true", "policy.n_action_steps=10", "eval.n_episodes=3", "eval.batch_size=2"]
PUSHT = ["env=pusht", "policy.n_obs_steps=1", "env.image_size=16", "env.episode_length=12", "eval.n_episodes=3"]
IMAGE = "observation.image"


def untrained() -> ACT:
    """A policy that moves a little around the arms' first pose."""
    torch.manual_seed(0)
    policy = make_policy(tiny_settings(*OVERRIDES)).eval()
    pose = np.array(START_ARM_POSE[:7] + START_ARM_POSE[8:15], np.float32)
    sizes = {"observation.state": pose, "observation.environment_state": np.zeros(7, np.float32), "action": pose}
    statistics = {key: (mean, 0.1 + 0 * mean, mean - 1, mean + 1) for key, mean in sizes.items()}
    policy.normalization.set_statistics(statistics, 0.01)
    return policy


class Chaser(nn.Module):
    """Walks right of where it is; keeps what it has seen."""

    def __init__(self, n_actions: int = 4):
        super().__init__()
        self.n_actions, self.seen, self.seeds = n_actions, [], []

    def reset(self, seeds: list[int]) -> None:
        self.seeds.append(seeds)

    def act(self, observations: dict[str, Tensor]) -> Tensor:
        self.seen.append(observations)
        return observations["observation.state"][:, -1:].repeat(1, self.n_actions, 1) + torch.tensor([20.0, 0.0])


def pusht_settings(*overrides: str) -> DictConfig:
    return tiny_settings(*PUSHT, *overrides)

"""Evaluation during training."""

import torch
from omegaconf import DictConfig
from torch import nn

from demo_score.analysis.statistics import wilson_interval
from demo_score.rollout.loop import rollout_settings
from demo_score.rollout.observers import RolloutProgress


def evaluate_in_training(policy: nn.Module, settings: DictConfig, device: torch.device) -> dict[str, float]:
    """Success over eval.n_episodes starts from settings.seed on, with a 95% Wilson interval.

    Training's own random generators are left as they were.
    """
    progress = RolloutProgress(settings.eval.n_episodes, settings.env.episode_length, "evaluation")
    policy.eval()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        episodes = rollout_settings(policy, settings, device, observers=[progress])
    policy.train()
    successes = sum(episode.success for episode in episodes)
    low, high = wilson_interval(successes, len(episodes))
    return {"eval_n": len(episodes), "eval_success": successes / len(episodes), "eval_low": low, "eval_high": high}

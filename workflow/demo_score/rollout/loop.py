"""The rollout loop."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn
from tqdm import tqdm

from demo_score.data.episodes import Episode
from demo_score.hardware import available_threads
from demo_score.rollout.environments import Environments, make_environments


def rollout(
    policy: nn.Module,
    env_settings: Mapping[str, Any],
    seeds: list[int],
    batch_size: int,
    n_processes: int = 1,
    device: torch.device | str = "cpu",
    description: str = "rollouts",
) -> list[Episode]:
    """One episode from each environment seed, `batch_size` environments at once; renders nothing.

    The policy always sees a whole batch, finished episodes included, so that the result does not depend on
    how the environments are spread over processes.
    """
    environments = make_environments(env_settings, min(batch_size, len(seeds)), n_processes)
    episodes: list[Episode] = []
    with tqdm(total=len(seeds), desc=description, unit="episode") as progress:
        for start in range(0, len(seeds), batch_size):
            outcomes = _run_batch(policy, environments, seeds[start : start + batch_size], device)
            n_successes = sum(episode.success for episode in episodes)
            for done, success in outcomes:
                progress.n = start + int(done.sum())
                progress.set_postfix(success=f"{(n_successes + success.sum()) / max(1, progress.n):.0%}")
            episodes += environments.episodes()
    environments.close()
    return episodes


def rollout_settings(
    policy: nn.Module, settings: DictConfig, device: torch.device, description: str = "rollouts"
) -> list[Episode]:
    """The eval.n_episodes episodes that `settings` ask for, from environment seed settings.seed on."""
    seeds = list(range(settings.seed, settings.seed + settings.eval.n_episodes))
    env_settings = OmegaConf.to_container(settings.env)
    return rollout(policy, env_settings, seeds, settings.eval.batch_size, available_threads(), device, description)


def _run_batch(
    policy: nn.Module, environments: Environments, seeds: list[int], device: torch.device | str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One batch of episodes; yields after each chunk who is done and who has succeeded."""
    observations = environments.reset(seeds)
    policy.reset(seeds)
    done = np.zeros(len(seeds), dtype=bool)
    while not done.all():
        inputs = {key: torch.from_numpy(values).to(device) for key, values in observations.items()}
        observations, done, success = environments.step(policy.act(inputs).cpu().numpy())
        yield done, success

"""The rollout loop."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from omegaconf import DictConfig
from torch import nn

from demo_score.data.episodes import Episode
from demo_score.data.images import prepare_observations
from demo_score.rollout.chunk_env import Recorded
from demo_score.rollout.environments import EnvironmentMaker, open_environments
from demo_score.rollout.observers import Observer
from demo_score.runtime.errors import UserError
from demo_score.runtime.hardware import autocast, memory_advice
from demo_score.runtime.stopping import check, polled


@dataclass(frozen=True)
class RolloutOptions:
    """How a rollout is computed: environments at once, each in a process of its own or not; where the policy runs."""

    batch_size: int
    use_async_envs: bool = False
    device: torch.device | str = "cpu"
    use_amp: bool = False

    @classmethod
    def of(cls, settings: DictConfig, device: torch.device) -> "RolloutOptions":
        return cls(settings.eval.batch_size, settings.eval.use_async_envs, device, settings.use_amp)


def rollout(
    policy: nn.Module,
    make: EnvironmentMaker,
    seeds: list[int],
    options: RolloutOptions,
    observers: Sequence[Observer] = (),
) -> list[Episode]:
    """One episode from each environment seed, options.batch_size environments at once.

    The policy always sees a whole batch, finished episodes included, so that the result does not depend on
    options.use_async_envs. Batches that an observer recalls are not run. SIGTERM stops between two chunks of actions.
    Raises UserError for settings without an environment, and where an environment or its process fails.
    """
    episodes: list[Episode] = []
    n_envs = min(options.batch_size, len(seeds))
    with polled(), memory_advice("eval.batch_size", options.batch_size), ExitStack() as opened:
        environments = opened.enter_context(open_environments(make, n_envs, options.use_async_envs))
        for observer in observers:
            opened.enter_context(observer)
        for number, batch in enumerate(batches_of(seeds, options.batch_size)):
            recalled = (observer.recall(number) for observer in observers)
            made = next((found for found in recalled if found), None)
            made = made or _run_batch(policy, environments, batch, options, observers)
            for observer in observers:
                observer.on_batch(number, made)
            episodes += made
    return episodes


def rollout_settings(
    policy: nn.Module,
    settings: DictConfig,
    device: torch.device,
    record_images: Recorded = False,
    observers: Sequence[Observer] = (),
) -> list[Episode]:
    """The eval.n_episodes episodes that `settings` ask for, from environment seed settings.seed on."""
    make = EnvironmentMaker.of(settings, record_images=record_images)
    return rollout(policy, make, seeds_of(settings), RolloutOptions.of(settings, device), observers)


def seeds_of(settings: DictConfig) -> list[int]:
    """The environment seeds of the episodes that `settings` ask for."""
    return list(range(settings.seed, settings.seed + settings.eval.n_episodes))


def batches_of(seeds: list[int], batch_size: int) -> list[list[int]]:
    """The seeds that are rolled out together: an episode comes again to the bit only in its batch."""
    return [seeds[start : start + batch_size] for start in range(0, len(seeds), batch_size)]


def _run_batch(
    policy: nn.Module,
    environments: VectorEnv,
    seeds: list[int],
    options: RolloutOptions,
    observers: Sequence[Observer],
) -> list[Episode]:
    for steps, done, success in _run_chunks(policy, environments, seeds, options):
        for observer in observers:
            observer.on_chunk(steps, done, success)
    return [episode for episode in environments.call("episode") if episode is not None]


def _run_chunks(
    policy: nn.Module, environments: VectorEnv, seeds: list[int], options: RolloutOptions
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """One batch of episodes; yields after each chunk the control steps so far, who is done and who has succeeded.

    The last batch may be smaller than the number of environments: the others idle.
    """
    idle = environments.num_envs - len(seeds)
    observations, _ = environments.reset(seed=seeds + [None] * idle)
    policy.reset(seeds)
    done, steps = np.zeros(len(seeds), dtype=bool), 0
    while not done.all():
        check()
        chunks = _act(policy, {key: values[: len(seeds)] for key, values in observations.items()}, options)
        chunks = np.concatenate([chunks, np.zeros((idle, *chunks.shape[1:]), chunks.dtype)])
        observations, _, _, _, infos = environments.step(chunks)
        for error in infos.get("error", []):
            if error is not None:
                raise UserError(error)
        done, success = infos["done"][: len(seeds)], infos["success"][: len(seeds)]
        steps += chunks.shape[1]
        yield steps, done, success


def _act(policy: nn.Module, observations: dict[str, np.ndarray], options: RolloutOptions) -> np.ndarray:
    """The policy's next actions, (n, n_action_steps, action_dim); observations: key -> (n, n_obs_steps, ...)."""
    arrays = {key: torch.from_numpy(values).to(options.device) for key, values in observations.items()}
    with torch.no_grad(), autocast(torch.device(options.device), options.use_amp):
        actions = policy.act(prepare_observations(arrays))
    return actions.float().cpu().numpy()

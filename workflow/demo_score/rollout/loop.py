"""The rollout loop."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from omegaconf import DictConfig, OmegaConf
from torch import nn

from demo_score.data.episodes import Episode
from demo_score.data.images import prepare_observations
from demo_score.rollout.chunk_env import Drawing
from demo_score.rollout.environments import open_environments
from demo_score.rollout.finished import FinishedBatches
from demo_score.runtime.errors import UserError
from demo_score.runtime.hardware import autocast, memory_advice
from demo_score.runtime.progress import progress_bar
from demo_score.runtime.stopping import check, polled


def rollout(
    policy: nn.Module,
    env_settings: Mapping[str, Any],
    seeds: list[int],
    batch_size: int,
    use_async_envs: bool = False,
    device: torch.device | str = "cpu",
    description: str = "rollouts",
    n_obs_steps: int = 1,
    use_amp: bool = False,
    record_images: bool = False,
    drawing: Drawing | None = None,
    finished: FinishedBatches | None = None,
) -> list[Episode]:
    """One episode from each environment seed, `batch_size` environments at once.

    The policy sees the last `n_obs_steps` observations; images are rendered only for these, and for all steps, and
    are stored in the episodes, with `record_images`. It always sees a whole batch, finished episodes included, so
    that the result does not depend on `use_async_envs`: whether each environment has a process of its own.
    The episodes that `drawing` names come as DrawnEpisodes. Batches that `finished` holds are not run again, and those
    that are run it stores, where there is more than one.
    Raises UserError for settings without an environment, and where an environment or its process fails.
    """
    n_envs = min(batch_size, len(seeds))
    episodes: list[Episode] = []
    opened = open_environments(env_settings, n_envs, n_obs_steps, record_images, use_async_envs, drawing=drawing)
    with (
        polled(),
        opened as environments,
        progress_bar(len(seeds), description, "episode") as progress,
    ):
        batches = _batches(seeds, batch_size)
        finished = finished if len(batches) > 1 else None
        for number, batch in enumerate(batches):
            if finished and (stored := finished.load(number)):
                episodes += stored
                progress.update(len(stored))
                continue
            outcomes = _run_batch(policy, environments, batch, device, use_amp)
            n_successes = sum(episode.success for episode in episodes)
            for steps, done, success in outcomes:
                n_done = len(episodes) + int(done.sum())
                progress.set_postfix(success=f"{(n_successes + success.sum()) / max(1, n_done):.0%}", refresh=False)
                under_way = (len(batch) - done.sum()) * min(1, steps / env_settings["episode_length"])
                progress.update(n_done + under_way - progress.n)
            made = [episode for episode in environments.call("episode") if episode is not None]
            if finished:
                finished.save(number, made)
            episodes += made
    return episodes


def rollout_settings(
    policy: nn.Module,
    settings: DictConfig,
    device: torch.device,
    description: str = "rollouts",
    record_images: bool = False,
    drawing: Drawing | None = None,
    finished: FinishedBatches | None = None,
) -> list[Episode]:
    """The eval.n_episodes episodes that `settings` ask for, from environment seed settings.seed on.

    With `drawing`, only the batches of those that it names: an episode comes again to the bit only in its batch.
    """
    seeds = list(range(settings.seed, settings.seed + settings.eval.n_episodes))
    if drawing:
        batches = _batches(seeds, settings.eval.batch_size)
        seeds = [seed for batch in batches if drawing.seeds & set(batch) for seed in batch]
    with memory_advice("eval.batch_size", settings.eval.batch_size):
        return rollout(
            policy,
            OmegaConf.to_container(settings.env),
            seeds,
            settings.eval.batch_size,
            settings.eval.use_async_envs,
            device,
            description,
            settings.policy.n_obs_steps,
            settings.use_amp,
            record_images,
            drawing,
            finished,
        )


def _batches(seeds: list[int], batch_size: int) -> list[list[int]]:
    return [seeds[start : start + batch_size] for start in range(0, len(seeds), batch_size)]


def _run_batch(
    policy: nn.Module, environments: VectorEnv, seeds: list[int], device: torch.device | str, use_amp: bool
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """One batch of episodes; yields after each chunk the control steps so far, who is done and who has succeeded.

    The last batch may be smaller than the number of environments: the others idle.
    """
    idle = environments.num_envs - len(seeds)
    observations, _ = environments.reset(seed=seeds + [None] * idle)
    policy.reset(seeds)
    done, steps = np.zeros(len(seeds), dtype=bool), 0
    while not done.all():
        chunks = _act(policy, {key: values[: len(seeds)] for key, values in observations.items()}, device, use_amp)
        chunks = np.concatenate([chunks, np.zeros((idle, *chunks.shape[1:]), chunks.dtype)])
        observations, _, _, _, infos = environments.step(chunks)
        for error in infos.get("error", []):
            if error is not None:
                raise UserError(error)
        done, success = infos["done"][: len(seeds)], infos["success"][: len(seeds)]
        steps += chunks.shape[1]
        yield steps, done, success
        check()


def _act(
    policy: nn.Module, observations: dict[str, np.ndarray], device: torch.device | str, use_amp: bool
) -> np.ndarray:
    """The policy's next actions, (n, n_action_steps, action_dim); observations: key -> (n, n_obs_steps, ...)."""
    arrays = {key: torch.from_numpy(values).to(device) for key, values in observations.items()}
    with torch.no_grad(), autocast(torch.device(device), use_amp):
        actions = policy.act(prepare_observations(arrays))
    return actions.float().cpu().numpy()

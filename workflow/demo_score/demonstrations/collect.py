"""Collect scripted demonstrations: run attempts in the order of their seeds and keep the successes."""

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, TypeVar

import numpy as np

from demo_score.config.seeds import check_seeds
from demo_score.data.episodes import Episode
from demo_score.data.frames import PackedFrames
from demo_score.demonstrations.seeds import demonstration_seeds
from demo_score.demonstrations.strategies import get_strategy
from demo_score.envs import make_env
from demo_score.envs.base import Environment
from demo_score.runtime.errors import UserError
from demo_score.runtime.progress import progress_bar
from demo_score.runtime.stopping import check, polled

PACE = 0.2  # seconds between two looks for SIGTERM
T, R = TypeVar("T"), TypeVar("R")


def collect_demonstrations(
    env_settings: Mapping[str, Any], strategy: str, n_episodes: int, seed: int, n_processes: int
) -> list[Episode]:
    """The first `n_episodes` successes of `strategy`; attempt k has environment seed and generator seed `seed` + k.

    The result does not depend on `n_processes`. Raises UserError for an unknown strategy, another rate than the
    strategy's, fewer than one episode, or when 20 attempts an episode do not yield enough.
    """
    if n_episodes < 1:
        raise UserError(f"--n-episodes {n_episodes}: makes no demonstration; give a number from 1")
    fps = get_strategy(
        env_settings["name"], env_settings["task"], strategy
    ).fps  # an unknown one fails here, not in a process
    if env_settings["fps"] != fps:
        raise UserError(f"strategy '{strategy}' is timed in steps of 1/{fps} s; set fps={fps}")
    seeds = demonstration_seeds(seed, n_episodes)
    check_seeds(seed, len(seeds), "--seed", f"{n_episodes} episodes in up to {len(seeds)} attempts")
    run = partial(_run_attempt, json.dumps(dict(env_settings)), strategy)
    with polled(), _ordered_map(n_processes) as ordered_map:
        attempts = ordered_map(run, seeds)
        episodes, n_attempts = _keep_successes(attempts, n_episodes, strategy)
    if len(episodes) < n_episodes:
        raise UserError(
            f"strategy '{strategy}' succeeded in {len(episodes)} of {n_attempts} attempts "
            f"({len(episodes) / n_attempts:.0%}), too few for {n_episodes} episodes; use a strategy that succeeds more"
        )
    return episodes


def demonstrate(env: Environment, strategy: str, seed: int, with_images: bool = True) -> Episode | None:
    """One attempt at the environment's task, or None if it fails.

    The episode holds what the strategy records as actions and the observation before each, its images only
    `with_images`. It ends with the strategy, whenever the environment first tells success: ALOHA does at a touch,
    before the act is over, and a policy that has seen no more of it stalls wherever it has not touched by then. At the
    time limit it ends, too.
    """
    demonstrator = get_strategy(env.simulator, env.task, strategy)
    observation, _ = env.reset(seed=seed)
    steps = []
    packed = {key: [] for key in env.image_space if with_images}  # images as they are would fill the memory
    success = False
    for action in demonstrator.actions(env, np.random.default_rng(seed)):
        seen = observation
        for key, image in (env.images() if packed else {}).items():
            packed[key].append(PackedFrames.pack(image))
        observation, reward, terminated, truncated, info = env.step(action)
        if terminated and not info["is_success"]:  # the physics broke down
            return None
        steps.append((seen, env.reached() if demonstrator.records == "measured" else action, reward))
        success |= info["is_success"]
        if truncated or (success and demonstrator.ends_at_success):
            break
    images = {key: PackedFrames(packed[key], env.image_space[key].shape) for key in packed}
    return _to_episode(steps, images, strategy, seed) if success else None


def _to_episode(
    steps: list[tuple[dict[str, np.ndarray], np.ndarray, float]],
    images: dict[str, PackedFrames],
    strategy: str,
    seed: int,
) -> Episode:
    observations, actions, rewards = zip(*steps, strict=True)
    numbers = {key: np.stack([observation[key] for observation in observations]) for key in observations[0]}
    return Episode(
        observations=numbers | images,
        actions=np.stack(actions),
        rewards=np.array(rewards, dtype=np.float32),
        success=True,
        seed=seed,
        strategy=strategy,
    )


def _keep_successes(attempts: Iterable[Episode | None], n_episodes: int, strategy: str) -> tuple[list[Episode], int]:
    """Take attempts until `n_episodes` of them succeeded; returns those and the number of attempts taken."""
    episodes: list[Episode] = []
    n_attempts = 0
    with progress_bar(n_episodes, strategy, "episode") as progress:
        for n_attempts, episode in enumerate(attempts, start=1):
            if episode is not None:
                episodes.append(episode)
            rate = f"{len(episodes) / n_attempts:.0%}"
            progress.set_postfix(attempts=n_attempts, success=rate, refresh=False)
            progress.update(episode is not None)
            check()
            if len(episodes) == n_episodes:
                break
    return episodes, n_attempts


@contextmanager
def _ordered_map(n_processes: int) -> Iterator[Callable[..., Iterator[Episode | None]]]:
    """A `map` over processes, in order, that can be left before its end."""
    if n_processes == 1:
        yield map
        return
    pool = ProcessPoolExecutor(n_processes, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        yield partial(_map, pool)
    except BrokenExecutor:
        check()  # the signal may have ended the process, too
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _map(pool: ProcessPoolExecutor, function: Callable[[T], R], values: Iterable[T]) -> Iterator[R]:
    """`pool.map` that heeds SIGTERM while it waits."""
    futures = [pool.submit(function, value) for value in values]
    for future in futures:
        while not wait([future], timeout=PACE).done:
            check()
        yield future.result()


def _end_with_parent() -> None:
    """Let this process of the pool end when the command is killed; else it would wait for work for ever."""

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _run_attempt(env_settings: str, strategy: str, seed: int) -> Episode | None:
    env = _cached_env(env_settings)
    episode = demonstrate(env, strategy, seed, with_images=False)
    if episode is None or not env.image_space:
        return episode
    return demonstrate(env, strategy, seed)  # images take far longer than the rest: they are drawn of successes only


@lru_cache(maxsize=1)
def _cached_env(env_settings: str) -> Environment:
    """Each process builds the environment of the settings (JSON) once."""
    return make_env(json.loads(env_settings))

"""Many environments stepped together, in this process or spread over several."""

import multiprocessing
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from demo_score.data.episodes import Episode
from demo_score.envs import make_env

Observations = dict[str, np.ndarray]  # key -> (n_envs, ...)
Outcome = tuple[Observations, np.ndarray, np.ndarray]  # after a chunk; who is done and who succeeded, (n_envs,) bool


class Environments(Protocol):
    """n environments that a policy steps a chunk of actions at a time."""

    def reset(self, seeds: list[int]) -> Observations: ...

    def step(self, chunks: np.ndarray) -> Outcome:
        """Carry out (n, n_actions, action_dim)."""

    def episodes(self) -> list[Episode]:
        """What happened since the reset."""

    def close(self) -> None: ...


class Recorder:
    """One environment and the episode it is going through."""

    def __init__(self, env_settings: Mapping[str, Any]):
        self.env = make_env(env_settings)

    def reset(self, seed: int) -> Observations:
        self.seed, self.success, self.done = seed, False, False
        self.seen: list[Observations] = []
        self.actions: list[np.ndarray] = []
        self.rewards: list[float] = []
        self.observation, _ = self.env.reset(seed=seed)
        return self.observation

    def step(self, chunk: np.ndarray) -> Observations:
        """Carry out a chunk (n_actions, action_dim), or as much of it as the episode lasts."""
        for action in chunk:
            if self.done:
                break
            self.seen.append(self.observation)
            self.actions.append(action)
            self.observation, reward, terminated, truncated, info = self.env.step(action)
            self.rewards.append(reward)
            self.success = bool(info["is_success"])
            self.done = terminated or truncated
        return self.observation

    def episode(self) -> Episode:
        return Episode(
            observations={key: np.stack([seen[key] for seen in self.seen]) for key in self.observation},
            actions=np.stack(self.actions).astype(np.float32),
            rewards=np.array(self.rewards, dtype=np.float32),
            success=self.success,
            seed=self.seed,
        )


class LocalEnvironments:
    """Environments in this process, one after another."""

    def __init__(self, env_settings: Mapping[str, Any], n_envs: int):
        self.recorders = [Recorder(env_settings) for _ in range(n_envs)]

    def reset(self, seeds: list[int]) -> Observations:
        self.active = self.recorders[: len(seeds)]
        return _stack([recorder.reset(seed) for recorder, seed in zip(self.active, seeds, strict=True)])

    def step(self, chunks: np.ndarray) -> Outcome:
        observations = [recorder.step(chunk) for recorder, chunk in zip(self.active, chunks, strict=True)]
        done, success = ([getattr(recorder, name) for recorder in self.active] for name in ("done", "success"))
        return _stack(observations), np.array(done), np.array(success)

    def episodes(self) -> list[Episode]:
        return [recorder.episode() for recorder in self.active]

    def close(self) -> None:
        for recorder in self.recorders:
            recorder.env.close()


class ProcessEnvironments:
    """The same environments, spread over worker processes; results do not depend on how many."""

    def __init__(self, env_settings: Mapping[str, Any], n_envs: int, n_processes: int):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["demo_score.rollout.environments"])
        self.workers = []
        for share in np.array_split(np.arange(n_envs), n_processes):
            connection, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, dict(env_settings), len(share)), daemon=True)
            process.start()
            theirs.close()
            self.workers.append((connection, process))

    def reset(self, seeds: list[int]) -> Observations:
        self.active = self.workers[: len(seeds)]  # a last batch may hold fewer episodes than there are processes
        self.shares = np.array_split(np.arange(len(seeds)), len(self.active))
        return _concatenate(self._call("reset", [[seeds[i] for i in share] for share in self.shares]))

    def step(self, chunks: np.ndarray) -> Outcome:
        observations, done, success = zip(*self._call("step", [chunks[share] for share in self.shares]), strict=True)
        return _concatenate(observations), np.concatenate(done), np.concatenate(success)

    def episodes(self) -> list[Episode]:
        return [episode for episodes in self._call("episodes") for episode in episodes]

    def close(self) -> None:
        for connection, process in self.workers:
            connection.close()
            process.join()

    def _call(self, method: str, arguments: list | None = None) -> list:
        for index, (connection, _) in enumerate(self.active):
            connection.send((method, () if arguments is None else (arguments[index],)))
        results = [connection.recv() for connection, _ in self.active]
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results


def make_environments(env_settings: Mapping[str, Any], n_envs: int, n_processes: int) -> Environments:
    """`n_envs` environments over at most `n_processes` processes."""
    n_processes = min(n_processes, n_envs)
    if n_processes == 1:
        return LocalEnvironments(env_settings, n_envs)
    return ProcessEnvironments(env_settings, n_envs, n_processes)


def _serve(connection, env_settings: Mapping[str, Any], n_envs: int) -> None:
    environments = LocalEnvironments(env_settings, n_envs)
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return environments.close()
        try:
            connection.send(getattr(environments, method)(*arguments))
        except Exception as error:
            connection.send(error)


def _stack(observations: list[Observations]) -> Observations:
    return {key: np.stack([observation[key] for observation in observations]) for key in observations[0]}


def _concatenate(observations: Sequence[Observations]) -> Observations:
    return {key: np.concatenate([part[key] for part in observations]) for key in observations[0]}

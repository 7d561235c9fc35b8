"""One file format for demonstrations and rollouts: HDF5 in robomimic's layout.

    data                 attributes: total (frames), env_args (JSON)
      demo_0             attributes: num_samples, success, seed, and strategy or checkpoint
        obs/<key>        (T, ...)   key without its "observation." prefix
        actions          (T, A)     action t was taken after observation t
        rewards, dones   (T,)

What acted is the strategy of a demonstration or the checkpoint of a rollout.
Layout: robomimic docs/datasets/overview.md.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from demo_score.errors import UserError
from demo_score.files import atomic_path

OBSERVATION_PREFIX = "observation."


@dataclass
class Episode:
    """One demonstration or rollout of T control steps."""

    observations: dict[str, np.ndarray]  # "observation.state" -> (T, ...) float32, before action t
    actions: np.ndarray  # (T, action_dim) float32
    rewards: np.ndarray  # (T,) float32, after action t
    success: bool  # as the environment judged it
    seed: int  # the environment's reset seed
    strategy: str | None = None  # of a demonstration, where known
    checkpoint: str | None = None  # of a rollout: the training step, such as "003000"

    def __len__(self) -> int:
        return len(self.actions)


def write_episodes(path: str | Path, episodes: list[Episode], env_args: dict) -> None:
    """Write `episodes` atomically; `env_args` (JSON-able) says which environment made them."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        data = file.create_group("data")
        data.attrs["total"] = sum(len(episode) for episode in episodes)
        data.attrs["env_args"] = json.dumps(env_args, sort_keys=True)
        for index, episode in enumerate(episodes):
            _write_episode(data.create_group(f"demo_{index}"), episode)


def _write_episode(group: h5py.Group, episode: Episode) -> None:
    group.attrs["num_samples"] = len(episode)
    group.attrs["success"] = bool(episode.success)
    group.attrs["seed"] = int(episode.seed)
    for name in ("strategy", "checkpoint"):
        if (value := getattr(episode, name)) is not None:
            group.attrs[name] = value
    for key, values in episode.observations.items():
        group.create_dataset(f"obs/{key.removeprefix(OBSERVATION_PREFIX)}", data=values)
    group.create_dataset("actions", data=episode.actions)
    group.create_dataset("rewards", data=episode.rewards)
    dones = np.zeros(len(episode), dtype=np.uint8)
    dones[-1:] = 1
    group.create_dataset("dones", data=dones)


def read_episodes(path: str | Path, indices: list[int] | None = None) -> list[Episode]:
    """Read the episodes numbered `indices` (all, in order, when None).

    Raises UserError for a file that is missing, truncated, not in this layout, or lacks an episode asked for.
    """
    with _open(path) as data:
        count = len(data)
        wanted = range(count) if indices is None else indices
        missing = [index for index in wanted if f"demo_{index}" not in data]
        if missing:
            raise UserError(f"{path}: has no episode {missing[0]}; it holds {count} episodes, numbered from 0")
        return [_read_episode(path, data[f"demo_{index}"]) for index in wanted]


def count_episodes(path: str | Path) -> int:
    """Number of episodes in the file."""
    with _open(path) as data:
        return len(data)


def read_env_args(path: str | Path) -> dict:
    """The environment description that `write_episodes` stored."""
    with _open(path) as data:
        return json.loads(data.attrs["env_args"])


@contextmanager
def _open(path: str | Path) -> Iterator[h5py.Group]:
    """The group `data` of an episode file, or a UserError in one line."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such episode file")
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise UserError(f"{path}: not an HDF5 file, or truncated; make or copy it again") from None
    with file:
        data = file.get("data")
        if not isinstance(data, h5py.Group) or "total" not in data.attrs or "env_args" not in data.attrs:
            raise UserError(f"{path}: HDF5, but not an episode file (robomimic layout with data/demo_0, ...)")
        yield data


def _read_episode(path: str | Path, group: h5py.Group) -> Episode:
    try:
        episode = Episode(
            observations={OBSERVATION_PREFIX + key: values[()] for key, values in group["obs"].items()},
            actions=group["actions"][()],
            rewards=group["rewards"][()],
            success=bool(group.attrs["success"]),
            seed=int(group.attrs["seed"]),
            strategy=group.attrs.get("strategy"),
            checkpoint=group.attrs.get("checkpoint"),
        )
        num_samples = int(group.attrs["num_samples"])
    except (KeyError, OSError) as error:
        raise UserError(f"{path}: episode {group.name} is incomplete or damaged ({error})") from None
    lengths = {len(values) for values in (*episode.observations.values(), episode.actions, episode.rewards)}
    if lengths != {num_samples}:
        raise UserError(
            f"{path}: episode {group.name} has arrays of {sorted(lengths)} steps; num_samples={num_samples}"
        )
    return episode

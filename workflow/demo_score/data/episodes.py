"""One file format for demonstrations and rollouts: HDF5 in robomimic's layout.

    data                 attributes: total (frames), env_args (JSON)
      demo_0             attributes: num_samples, success, seed, and strategy or checkpoint
        obs/<key>        (T, ...)   key without its "observation." prefix; observation.images.top is images/top
        actions          (T, A)     action t was taken after observation t
        rewards, dones   (T,)

What acted is the strategy of a demonstration or the checkpoint of a rollout. Images are (T, H, W, 3) uint8, one a
chunk, gzip level 1: a rendered 480x640 ALOHA frame takes 37 KB and 1.6 ms to read (level 4: 34 KB, 3 ms; PNG:
28-36 KB, 3-4 ms; lzf: 59 KB, 2.8 ms), 100 episodes of 400 frames 1.5 GB.
Layout: robomimic docs/datasets/overview.md.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from demo_score.data.frames import Frames, SourceFile, StoredFrames
from demo_score.errors import UserError
from demo_score.files import atomic_path

OBSERVATION_PREFIX = "observation."


@dataclass
class Episode:
    """One demonstration or rollout of T control steps."""

    # "observation.state" -> (T, ...) float32, before action t; images (T, H, W, 3) uint8
    observations: dict[str, np.ndarray | Frames]
    actions: np.ndarray  # (T, action_dim) float32
    rewards: np.ndarray  # (T,) float32, after action t
    success: bool | None  # as the environment judged it; None, in other people's data: unknown
    seed: int  # the environment's reset seed; of other people's data: the episode's number
    strategy: str | None = None  # of a demonstration, where known
    checkpoint: str | None = None  # of a rollout: the training step, such as "003000"

    def __len__(self) -> int:
        return len(self.actions)


def write_episodes(path: str | Path, episodes: Iterable[Episode], env_args: dict) -> None:
    """Write `episodes` atomically, one at a time; `env_args` (JSON-able) says which environment made them."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        data = file.create_group("data")
        data.attrs["total"] = 0
        data.attrs["env_args"] = json.dumps(env_args, sort_keys=True)
        for index, episode in enumerate(episodes):
            _write_episode(data.create_group(f"demo_{index}"), episode)
            data.attrs.modify("total", data.attrs["total"] + len(episode))


def _write_episode(group: h5py.Group, episode: Episode) -> None:
    group.attrs["num_samples"] = len(episode)
    group.attrs["success"] = bool(episode.success)
    group.attrs["seed"] = int(episode.seed)
    for name in ("strategy", "checkpoint"):
        if (value := getattr(episode, name)) is not None:
            group.attrs[name] = value
    for key, values in episode.observations.items():
        name = key.removeprefix(OBSERVATION_PREFIX).replace(".", "/")
        _write_observations(group.require_group("obs"), name, values)
    group.create_dataset("actions", data=episode.actions)
    group.create_dataset("rewards", data=episode.rewards)
    dones = np.zeros(len(episode), dtype=np.uint8)
    dones[-1:] = 1
    group.create_dataset("dones", data=dones)


def _write_observations(group: h5py.Group, name: str, values: np.ndarray | Frames) -> None:
    if not _is_image(values):
        group.create_dataset(name, data=values)
        return
    stored = group.create_dataset(
        name, values.shape, np.uint8, chunks=(1, *values.shape[1:]), compression="gzip", compression_opts=1
    )
    for start in range(0, len(values), 16):  # images that lie in another file are not all held in memory
        stored[start : start + 16] = values[start : start + 16]


def _is_image(values: np.ndarray | Frames | h5py.Dataset) -> bool:
    return values.dtype == np.uint8 and len(values.shape) == 4


def read_episodes(path: str | Path, indices: list[int] | None = None) -> list[Episode]:
    """Read the episodes numbered `indices` (all, in order, when None); images stay in the file, as `Frames`.

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
            observations=_read_observations(path, group["obs"]),
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


def _read_observations(path: str | Path, group: h5py.Group) -> dict[str, np.ndarray | Frames]:
    names: list[str] = []
    group.visit(names.append)
    found = {name: group[name] for name in names if isinstance(group[name], h5py.Dataset)}
    return {
        OBSERVATION_PREFIX + name.replace("/", "."): (
            StoredFrames(SourceFile.of(Path(path)), values.shape, values.name) if _is_image(values) else values[()]
        )
        for name, values in found.items()
    }

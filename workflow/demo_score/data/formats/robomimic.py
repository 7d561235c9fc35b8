"""robomimic's HDF5 files, in which our own demonstrations and rollouts lie too.

    data                 attributes: total (frames), env_args (JSON)
      demo_0             attributes: num_samples; ours also success, seed, and strategy, checkpoint or task
        obs/<key>        (T, ...)   key without its "observation." prefix; observation.images.top is images/top
        actions          (T, A)     action t was taken after observation t
        rewards, dones   (T,)
    mask/<filter key>    names of the episodes of a subset, as bytes

What acted is the strategy of a demonstration or the checkpoint of a rollout. Ours hold images as (T, H, W, 3) uint8,
one a chunk, gzip level 1: a rendered 480x640 ALOHA frame takes 37 KB and 1.6 ms to read (level 4: 34 KB, 3 ms;
PNG: 28-36 KB, 3-4 ms; lzf: 59 KB, 2.8 ms), 100 episodes of 400 frames 1.5 GB. Groups may be called rollout_<number>,
as those of Demo-SCORE's robodiff rollouts are. Layout: robomimic docs/datasets/overview.md.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from demo_score.data.episodes import OBSERVATION_PREFIX, Episode, is_image
from demo_score.data.formats.base import DataSet
from demo_score.data.frames import Frames, SourceFile, StoredFrames
from demo_score.errors import UserError
from demo_score.files import atomic_path
from demo_score.observations import ACTION

_GROUP = re.compile(r"(?:demo|rollout)_(\d+)")
_WORDS = ("strategy", "checkpoint", "task")  # attributes of an episode that are text, where known


class RobomimicFile(DataSet):
    """One HDF5 file; its episodes go by the number in their group's name."""

    format = "robomimic"

    def __init__(self, path: Path):
        with _open(path) as data:
            found = [(int(match[1]), name) for name in data if (match := _GROUP.fullmatch(name))]
            self._env_args = data.attrs.get("env_args")
        self.groups = dict(sorted(found))  # number -> name
        if len(self.groups) < len(found):
            raise UserError(f"{path}: has both demo_<number> and rollout_<number>; keep them in files of their own")
        super().__init__(path, list(self.groups))

    def env_args(self) -> dict:
        """The environment as the file describes it; empty where it does not."""
        return json.loads(self._env_args) if self._env_args else {}

    def filter_keys(self) -> dict[str, list[int]]:
        """Filter key -> numbers of its episodes, rising."""
        with _open(self.path) as data:
            masks = data.file.get("mask", {})
            names = {key: [bytes(name).decode() for name in masks[key][()]] for key in masks}
        matches = {key: [_GROUP.fullmatch(name) for name in found] for key, found in names.items()}
        return {key: sorted(int(match[1]) for match in found if match) for key, found in matches.items()}

    def features(self) -> dict[str, tuple[int, ...]]:
        if not self.numbers:
            return {}
        with _open(self.path) as data:
            group = data[self.groups[self.numbers[0]]]
            try:
                shapes = {key: tuple(values.shape[1:]) for key, values in _observations(group["obs"]).items()}
                return {**shapes, ACTION: tuple(group["actions"].shape[1:])}
            except KeyError as error:
                raise _incomplete(self.path, group, error) from None

    def _read(self, number: int, keys: Collection[str] | None) -> Episode:
        with _open(self.path) as data:
            return _read_episode(self.path, data[self.groups[number]], number, keys)


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
    if episode.success is not None:
        group.attrs["success"] = bool(episode.success)
    group.attrs["seed"] = int(episode.seed)
    for name in _WORDS:
        if (value := getattr(episode, name)) is not None:
            group.attrs[name] = value
    for key, values in episode.observations.items():
        name = key.removeprefix(OBSERVATION_PREFIX).replace(".", "/")
        write_values(group.require_group("obs"), name, values)
    group.create_dataset("actions", data=episode.actions)
    if episode.rewards is not None:
        group.create_dataset("rewards", data=episode.rewards)
    dones = np.zeros(len(episode), dtype=np.uint8)
    dones[-1:] = 1
    group.create_dataset("dones", data=dones)


def write_values(group: h5py.Group, name: str, values: np.ndarray | Frames) -> None:
    """Store an observation (T, ...): images one a chunk, compressed."""
    if not is_image(values):
        group.create_dataset(name, data=values)
        return
    stored = group.create_dataset(
        name, values.shape, np.uint8, chunks=(1, *values.shape[1:]), compression="gzip", compression_opts=1
    )
    for start in range(0, len(values), 16):  # images that lie in another file are not all held in memory
        stored[start : start + 16] = values[start : start + 16]


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file to read, or a UserError in one line."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such episode file")
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise UserError(f"{path}: not an HDF5 file, or truncated; make or copy it again") from None
    with file:
        yield file


@contextmanager
def _open(path: str | Path) -> Iterator[h5py.Group]:
    """The group `data` of an episode file."""
    with open_hdf5(path) as file:
        data = file.get("data")
        if not isinstance(data, h5py.Group):
            hint = "give the folder of these ALOHA episodes" if "observations" in file else "see docs/data.md"
            raise UserError(f"{path}: HDF5, but not an episode file (robomimic layout with data/demo_0, ...); {hint}")
        yield data


def _read_episode(path: Path, group: h5py.Group, number: int, keys: Collection[str] | None) -> Episode:
    words = {name: str(group.attrs[name]) for name in _WORDS if name in group.attrs}
    try:
        found = {key: values for key, values in _observations(group["obs"]).items() if keys is None or key in keys}
        success = group.attrs.get("success")
        episode = Episode(
            observations={key: _values(path, values) for key, values in found.items()},
            actions=group["actions"][()],
            rewards=group["rewards"][()] if "rewards" in group else None,
            success=None if success is None else bool(success),
            seed=int(group.attrs.get("seed", number)),
            **words,
        )
        num_samples = int(group.attrs["num_samples"])
    except (KeyError, OSError) as error:
        raise _incomplete(path, group, error) from None
    rewards = [] if episode.rewards is None else [episode.rewards]
    lengths = {len(values) for values in (*episode.observations.values(), episode.actions, *rewards)}
    if lengths != {num_samples}:
        raise UserError(
            f"{path}: episode {group.name} has arrays of {sorted(lengths)} steps; num_samples={num_samples}"
        )
    return episode


def _observations(group: h5py.Group) -> dict[str, h5py.Dataset]:
    names: list[str] = []
    group.visit(names.append)
    found = {name: group[name] for name in names if isinstance(group[name], h5py.Dataset)}
    return {OBSERVATION_PREFIX + name.replace("/", "."): values for name, values in found.items()}


def _values(path: Path, values: h5py.Dataset) -> np.ndarray | Frames:
    return StoredFrames(SourceFile.of(path), values.shape, values.name) if is_image(values) else values[()]


def _incomplete(path: Path, group: h5py.Group, error: Exception) -> UserError:
    return UserError(f"{path}: episode {group.name} is incomplete or damaged ({error})")

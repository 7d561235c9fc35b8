"""robomimic's HDF5 files, in which our own demonstrations and rollouts lie too.

    data                 attributes: total (frames), env_args (JSON)
      demo_0             attributes: num_samples; ours also success, seed, and strategy, checkpoint or task
        obs/<key>        (T, ...)   key without its "observation." prefix; observation.images.top is images/top
        looks/<key>      the same of images where only some steps' were drawn: its attribute `steps`; ours alone
        actions          (T, A)     action t was taken after observation t
        rewards, dones   (T,)
    mask/<filter key>    names of the episodes of a subset, as bytes

What acted is the strategy of a demonstration or the checkpoint of a rollout. Ours hold images as (T, H, W, 3) uint8,
one a chunk, gzip level 1: a rendered 480x640 ALOHA frame takes 37 KB and 1.6 ms to read (level 4: 34 KB, 3 ms;
PNG: 28-36 KB, 3-4 ms; lzf: 59 KB, 2.8 ms), 100 episodes of 400 frames 1.5 GB. Groups may be called rollout_<number>,
as those of Demo-SCORE's robodiff rollouts are. Layout: robomimic docs/datasets/overview.md.
"""

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from demo_score.data.episodes import OBSERVATION_PREFIX, Episode
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.hdf5 import (
    all_drawn,
    arrays_below,
    check_group,
    check_steps,
    new_hdf5,
    open_hdf5,
    read_values,
    report_damage,
    stored_size,
    write_values,
)
from demo_score.data.formats.hdf5_kinds import frame_shape, other_attributes, others, why_unread
from demo_score.data.values import checkpoint_name, numbers, rewards, text, truth, whole_number
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path
from demo_score.runtime.stopping import check

_GROUP = re.compile(r"(?:demo|rollout)_(\d+)")
_REWARDS = "rewards"
_OBSERVED, _LOOKS = "obs", "looks"
_OTHERS = {ACTION: "actions", _REWARDS: "rewards"}  # arrays of an episode besides its observations
_WORDS = ("strategy", "checkpoint", "task")  # attributes of an episode that are text, where known
_KNOWN = {
    "num_samples": whole_number,
    "success": truth,
    "seed": whole_number,
    "strategy": text,
    "checkpoint": checkpoint_name,
    "task": text,
}


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
        """The environment as the file describes it; empty where it does not. Raises UserError where it is no JSON."""
        try:
            env_args = {} if self._env_args is None else json.loads(self._env_args or "{}")
        except (TypeError, ValueError):
            env_args = None
        if not isinstance(env_args, dict) or not isinstance(env_args.get("env_kwargs") or {}, dict):
            raise UserError(f"{self.path}: data's attribute env_args does not describe an environment in JSON; fix it")
        return env_args

    @property
    def fps(self) -> float | None:
        """As env_args tells: fps (ours), or robosuite's control_freq."""
        env_args = self.env_args()
        places = {"fps": env_args, "env_kwargs.control_freq": env_args.get("env_kwargs") or {}}
        for name, place in places.items():
            rate = place.get(name.rpartition(".")[2])
            if rate is None:
                continue
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
                raise UserError(f"{self.path}: data's attribute env_args: {name}={rate!r} is no rate; fix it")
            return rate
        return None

    def start(self, number: int) -> tuple[str, np.ndarray] | None:
        """Where robosuite began an episode: its model (MJCF) and the first of its states; None where it is not told."""
        with _open(self.path, self.groups[number]) as group:
            model, states = group.attrs.get("model_file"), group.get("states")
            return None if model is None or states is None else (str(model), states[0])

    def filter_keys(self) -> dict[str, list[int]]:
        """Filter key -> numbers of its episodes, rising; names that are none are left out, see `filtered`."""
        matches = {key: [_GROUP.fullmatch(name) for name in names] for key, names in self._masks().items()}
        return {key: sorted(int(match[1]) for match in found if match) for key, found in matches.items()}

    def filtered(self, filter_key: str) -> list[int]:
        """Numbers of a filter key's episodes, rising. Raises UserError where it, or one of them, is not there."""
        masks, numbers = self._masks(), {name: number for number, name in self.groups.items()}
        if filter_key not in masks:
            raise UserError(f"{self.path}: has no filter key {filter_key}; there are: {', '.join(masks) or 'none'}")
        if strange := [name for name in masks[filter_key] if name not in numbers]:
            raise UserError(
                f"{self.path}: mask/{filter_key} names {strange[0]}, which is no episode here; fix the mask"
            )
        return sorted(numbers[name] for name in masks[filter_key])

    def _masks(self) -> dict[str, list[str]]:
        """Filter key -> names of its episodes."""
        with _open(self.path) as data:
            masks = data.file.get("mask", {})
            found = {key: masks[key] for key in masks if isinstance(masks.get(key), h5py.Dataset)}
            return {key: [_name(name) for name in np.ravel(mask[()])] for key, mask in found.items()}

    def _features_of(self, number: int) -> dict[str, tuple[int, ...]]:
        with _open(self.path, self.groups[number]) as group:
            return {key: frame_shape(values) for key, values in _arrays(group).items() if key != _REWARDS}

    def _unread_of_all(self) -> dict[str, str]:
        with _open(self.path) as data:
            groups = self.groups.values()
            inside = {f"data/{name}": what for name, what in others(data, groups).items()}
            known = other_attributes(data.file, ()) | other_attributes(data, ("total", "env_args"))
            return others(data.file, ("data", "mask")) | inside | known

    def _unread_of(self, number: int) -> dict[str, str]:
        with _open(self.path, self.groups[number]) as group:
            unread = {key: why for key, values in _observations(group).items() if (why := why_unread(values))}
            return (
                unread
                | others(group, (_OBSERVED, _LOOKS, "dones", *_OTHERS.values()))
                | other_attributes(group, _KNOWN)
            )

    def _read(self, number: int, keys: Collection[str] | None) -> Episode:
        with _open(self.path, self.groups[number]) as group:
            arrays = _arrays(group)
            self._check_keys(f"{self.path}: episode {group.name}", keys or (), arrays)
            wanted = arrays if keys is None else {*keys, ACTION, _REWARDS}
            return _read_episode(self.path, group, number, {key: arrays[key] for key in arrays if key in wanted})


def write_episodes(path: str | Path, episodes: Iterable[Episode], env_args: dict) -> None:
    """Write `episodes` atomically, one at a time; `env_args` (JSON-able) says which environment made them."""
    with atomic_path(path) as temporary, new_hdf5(temporary) as (file, claim):
        data = file.create_group("data")
        data.attrs["total"] = 0
        data.attrs["env_args"] = json.dumps(env_args, sort_keys=True)
        for index, episode in enumerate(episodes):
            claim(stored_size(episode))
            _write_episode(data.create_group(f"demo_{index}"), episode)
            data.attrs.modify("total", data.attrs["total"] + len(episode))
            check()


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
        write_values(group.require_group(_OBSERVED if all_drawn(values) else _LOOKS), name, values)
    group.create_dataset("actions", data=episode.actions)
    if episode.rewards is not None:
        group.create_dataset("rewards", data=episode.rewards)
    dones = np.zeros(len(episode), dtype=np.uint8)
    dones[-1:] = 1
    group.create_dataset("dones", data=dones)


@contextmanager
def _open(path: str | Path, name: str = "") -> Iterator[h5py.Group]:
    """The group `data` of an episode file, or below it that of the episode `name`."""
    with open_hdf5(path) as file, report_damage(path, f"episode /data/{name}" if name else "the file"):
        data = file.get("data")
        if not isinstance(data, h5py.Group):
            hint = "give the folder of these ALOHA episodes" if "observations" in file else "see docs/data.md"
            raise UserError(f"{path}: HDF5, but not an episode file (robomimic layout with data/demo_0, ...); {hint}")
        yield data[name] if name else data


def _arrays(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Observation keys, "action", and "rewards" where there are any -> array (T, ...) of an episode."""
    arrays = {key: values for key, values in _observations(group).items() if not why_unread(values)}
    arrays |= {key: group[name] for key, name in _OTHERS.items() if key == ACTION or name in list(group)}
    check_steps(arrays.values())
    return arrays


def _observations(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Observation keys -> array, of whatever kind."""
    check_group(group)
    found = arrays_below(group[_OBSERVED])
    if _LOOKS in group:
        found |= arrays_below(group[_LOOKS])
    arrays = {OBSERVATION_PREFIX + name.replace("/", "."): values for name, values in found.items()}
    if len(arrays) < len(found):
        raise ValueError("two observations are of one name, but for slashes and points")
    return arrays


def _read_episode(path: Path, group: h5py.Group, number: int, arrays: dict[str, h5py.Dataset]) -> Episode:
    place = f"{path}: episode {group.name}"
    known = {name: read(group.attrs.get(name), f"{place}: {name}") for name, read in _KNOWN.items()}
    _check_lengths(place, arrays, known.pop("num_samples"))
    return Episode(
        observations={key: read_values(values) for key, values in arrays.items() if key not in _OTHERS},
        actions=numbers(arrays[ACTION][()]),
        rewards=rewards(arrays[_REWARDS][()], f"{place}: rewards") if _REWARDS in arrays else None,
        **known | {"seed": number if known["seed"] is None else known["seed"]},
    )


def _name(name: object) -> str:
    """The name of an episode, from a mask; what is no text is no episode's."""
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _check_lengths(place: str, arrays: dict[str, h5py.Dataset], num_samples: int | None) -> None:
    """Raise UserError where arrays differ in steps, or from num_samples where that is known."""
    lengths = {len(values) for values in arrays.values()}
    if len(lengths) > 1 or num_samples not in (None, *lengths):
        known = "" if num_samples is None else f"; num_samples={num_samples}"
        raise UserError(f"{place} has arrays of {sorted(lengths)} steps{known}; record or copy it again")

"""What of the data does not go along where it is written in another place: said in one line for each data set."""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from demo_score.data.episodes import Episode
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.lerobot import REWARD
from demo_score.data.formats.lerobot_described import NAMES
from demo_score.data.formats.lerobot_episodes import SUCCESS
from demo_score.data.formats.robomimic import RobomimicFile
from demo_score.data.lists import Entry

_KNOWN = ("success", "rewards", "strategy", "tasks", "frame_tasks")
# Format -> what an episode may tell that has no place there, and how that is called.
_NO_PLACE = {
    "aloha": {"rewards": "rewards", "strategy": "strategies", "tasks": "tasks"},
    "robomimic": {"frame_tasks": "tasks of frames, but for each episode's first"},
    "lerobot": {},
}
_COLUMNS = {"success": SUCCESS, "rewards": REWARD}  # of LeRobot, which all episodes of a data set have, or none
_GOES_ALONG = {"fps", "env_name"}  # of env_args; the name alone describes no environment


@dataclass
class Seen:
    """What episodes tell besides observations and actions, noted while they are looked at."""

    entries: Mapping[tuple[Path, int], Entry]  # by data set and number
    known: dict[tuple[Path, int], set[str]] = field(default_factory=dict)  # of _KNOWN

    def visit(self, number: int, episode: Episode) -> None:
        """Note an episode."""
        source = (episode.origin[0], number)
        whole = self.entries[source].complete(episode)
        values = {name: getattr(whole, name) for name in _KNOWN}
        self.known[source] = {name for name, value in values.items() if value is not None and np.size(value)}

    def partly(self, entries: Iterable[Entry]) -> dict[str, str]:
        """LeRobot's columns that only some of `entries` could fill -> of how many episodes that is so."""
        known = [self.known[entry.file, entry.episode] for entry in entries]
        lacking = {name: sum(name not in names for names in known) for name in _COLUMNS}
        some = {name: count for name, count in lacking.items() if 0 < count < len(known)}
        return {_COLUMNS[name]: f"{count} of {len(known)} episodes have none" for name, count in some.items()}


def agreed_description(datasets: Sequence[DataSet]) -> dict[str, Any]:
    """What all data sets tell alike of the robot, see `DataSet.description`."""
    known = [dataset.description() for dataset in datasets]
    return {key: value for key, value in known[0].items() if all(other.get(key) == value for other in known)}


def names_of(description: Mapping[str, Any]) -> dict[str, Any]:
    """Feature -> names, of a description."""
    return {key.removeprefix(NAMES): value for key, value in description.items() if key.startswith(NAMES)}


def say_left_out(datasets: Iterable[DataSet], to: str, seen: Seen, agreed: Collection[str]) -> None:
    """A line on stderr for each data set of which something does not go into the format `to`.

    `agreed`: what of descriptions goes along.
    """
    for dataset in datasets:
        known = set().union(*(names for (path, _), names in seen.known.items() if path == dataset.path))
        lost = [*dataset.not_read(), *(what for name, what in _NO_PLACE[to].items() if name in known)]
        lost += [_not_agreed(key, to) for key in dataset.description() if key not in agreed]
        lost += [f"filter keys {', '.join(keys)}"] if (keys := _filter_keys(dataset)) else []
        lost += ["env_args"] if to != "robomimic" and dataset.env_args().keys() - _GOES_ALONG else []
        if lost:
            print(f"{dataset.path}: left out: {', '.join(lost)}", file=sys.stderr)


def _not_agreed(key: str, to: str) -> str:
    return f"{key} (sources differ)" if to == "lerobot" else key


def _filter_keys(dataset: DataSet) -> Collection[str]:
    return dataset.filter_keys() if isinstance(dataset, RobomimicFile) else ()

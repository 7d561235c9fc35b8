"""Where the parts of LeRobot's data sets lie: names of files, and rows among all rows."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

import numpy as np

from demo_score.runtime.errors import UserError

FROM, TO = "dataset_from_index", "dataset_to_index"  # rows of an episode among those of all
_NAMES = ("chunk_index", "file_index", "episode_chunk", "episode_index", "video_key")
_WIDTH = re.compile(r"(0?\d?\d?d?)?")  # as {chunk_index:03d}; wider ones could fill the memory


def check_template(name: str, template: str) -> str:
    """What is wrong with data_path or video_path of meta/info.json; empty where nothing is."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        return f"{name}: {error}"
    for _, field, width, conversion in parts:
        if field is not None and (field not in _NAMES or conversion or not _WIDTH.fullmatch(width)):
            return f"{name} holds {{{field}{':' * bool(width)}{width[:20]}}}, which LeRobot does not write"
    path = posixpath.normpath(template.replace("\\", "/"))
    if path.startswith(("/", "..")):
        return f"{name} leads out of the data set's folder: {template[:80]}"
    return ""


def wrong_places(locations: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    """Number of an episode, and what is wrong with the rows that it says are its own; nothing where none says any.

    LeRobot takes an episode's rows by these places.
    """
    known = {number: place for number, place in locations.items() if FROM in place or TO in place}
    ends: list[tuple[int, int, int]] = []
    total = sum(place["length"] for place in locations.values() if isinstance(place.get("length"), int))
    for number, place in known.items():
        first, end, length = place.get(FROM), place.get(TO), place.get("length")
        if not isinstance(first, int) or not isinstance(end, int) or first < 0 or end > total:
            yield number, f"{FROM} {first} and {TO} {end} are no places among {total} rows; make meta/episodes again"
        elif end - first != length:
            yield number, f"{FROM} {first} to {TO} {end} are not its {length} rows; make meta/episodes again"
        else:
            ends.append((first, end, number))
    reached, owner = 0, None
    for first, end, number in sorted(ends):
        if first < reached:
            yield number, f"{FROM} {first} is a row of episode {owner}; make meta/episodes again"
        if end > reached:
            reached, owner = end, number


def episode_rows(numbers: np.ndarray, frames: np.ndarray, number: int, length: int) -> slice:
    """The rows of an episode in columns of numbers of episodes and of frames.

    LeRobot finds them by their place: frames need not be numbered from 0 (what came before was cut off), nor without
    gaps. Raises ValueError where they are not `length`, and UserError where they are not in their order.
    """
    found = np.flatnonzero(numbers == number)
    if len(found) != length:
        raise ValueError(f"not complete: {len(found)} rows, but its length is {length}")
    first = int(found[0]) if length else 0
    if length and found[-1] - first != length - 1:
        raise UserError(f"episode {number}: its rows do not lie together; put the rows in the order of their episodes")
    if (np.diff(frames[first : first + length]) <= 0).any():
        raise UserError(f"episode {number}: its rows are not in the order of frame_index; sort, or number them anew")
    return slice(first, first + length)

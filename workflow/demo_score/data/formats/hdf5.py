"""What the formats of HDF5 files share."""

import errno
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from demo_score.data.episodes import Episode, is_image
from demo_score.data.formats.hdf5_kinds import ChannelsFirst, frame_shape, is_channels_first
from demo_score.data.formats.hdf5_links import other_files
from demo_score.data.frames import (
    HDF5_ERRORS,
    Frames,
    PackedFrames,
    SeenFrames,
    SourceFile,
    StoredFrames,
    first_line,
)
from demo_score.data.values import numbers
from demo_score.runtime.errors import UserError
from demo_score.runtime.unreadable import reason_unreadable, unreadable

STEPS = "steps"  # attribute of images of which only some steps' are there
MARGIN = 2**18  # bytes: what HDF5 writes about arrays of one episode


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file to read, or a UserError in one line."""
    try:
        file = h5py.File(path, "r")
    except HDF5_ERRORS as error:
        raise unreadable(Path(path), error, "not an HDF5 file, or truncated; make or copy it again") from None
    with file:
        yield file


@contextmanager
def new_hdf5(path: Path, mode: str = "w") -> Iterator[tuple[h5py.File, Callable[[int], None]]]:
    """A new file (`mode` "r+": a new copy), and a function that claims the bytes that are written next.

    The content is as without claims. HDF5 crashes the process where a disk fills up while it writes; a claim raises
    OSError before it does.
    """
    with h5py.File(path, mode) as file, path.open("r+b") as same_file:

        def claim(n_bytes: int) -> None:
            try:
                os.posix_fallocate(same_file.fileno(), file.id.get_filesize(), n_bytes + MARGIN)
            except (AttributeError, OSError) as error:  # not on macOS, nor on every file system
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise

        claim(0)
        yield file, claim
        file.flush()
        size = file.id.get_filesize()
    os.truncate(path, size)


@contextmanager
def report_damage(path: str | Path, place: str) -> Iterator[None]:
    """Turn what h5py raises where a file lacks something, or is damaged, into a UserError that names the `place`."""
    try:
        yield
    except HDF5_ERRORS as error:
        what = f"is incomplete or damaged ({first_line(error)}); make or copy it again"
        if lost := _lost_file(Path(path)):
            what = f"is incomplete ({first_line(error)}): it links to {lost}"
        raise UserError(f"{path}: {place} {reason_unreadable(Path(path), error) or what}") from None


def _lost_file(path: Path) -> str:
    """What keeps another file that is part of the one at `path` from being read; empty where all can be."""
    for other in other_files(path):
        try:
            if not other.is_file() or h5py.is_hdf5(other) or reason_unreadable(other):
                with open_hdf5(other):
                    pass
        except (UserError, OSError) as error:
            return str(error)
    return ""


def check_group(group: h5py.Group | h5py.Dataset) -> None:
    """Raise TypeError where it is none."""
    if not isinstance(group, h5py.Group):
        raise TypeError(f"{group.name} is no group of arrays")


def arrays_below(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Name below `group`, such as images/top -> array. Raises TypeError for no group, KeyError for a lost link."""
    check_group(group)
    names: list[str] = []
    group.visit_links(names.append)  # visit() leaves out what links lead to
    found = {name: group.get(name) for name in names}
    links = [name for name in names if not isinstance(group.get(name, getlink=True), h5py.HardLink)]
    if lost := [name for name in links if not isinstance(found[name], h5py.Dataset)]:
        raise KeyError(f"{group.name}/{lost[0]} is a link that leads to no array")
    return {name: values for name, values in found.items() if isinstance(values, h5py.Dataset)}


def check_steps(arrays: Iterable[h5py.Dataset | h5py.Group]) -> None:
    """Raise TypeError where one is no array with a row for each step."""
    for values in arrays:
        if not isinstance(values, h5py.Dataset) or not values.shape:
            raise TypeError(f"{values.name} is no array of steps")


def place_of(values: h5py.Dataset) -> tuple[SourceFile, str]:
    """The file that an array lies in, and its name there: another than was opened where a link leads to it."""
    file, name = values.file, values.name
    if file.get(name) != values:  # by several links the name is none in its own file
        name = file.visititems(lambda other, found: other if found == values else None) or name
    return SourceFile.of(Path(file.filename)), name


def read_values(values: h5py.Dataset) -> np.ndarray | Frames:
    """An array (T, ...); images stay in their file."""
    if not is_image(values):
        return numbers(values[()])
    source, name = place_of(values)
    shape = (len(values), *frame_shape(values))
    if STEPS in values.attrs:
        return SeenFrames(source, shape, name, values.attrs[STEPS])
    kind = ChannelsFirst if is_channels_first(values) else StoredFrames
    return kind(source, shape, name)


def stored_size(episode: Episode) -> int:
    """Bytes that an episode takes in a file at most, but for names and numbers that describe it."""
    observations = episode.observations.values()
    packed = [sum(map(len, values.packed)) for values in observations if isinstance(values, PackedFrames)]
    arrays = [values for values in observations if not isinstance(values, PackedFrames)]
    sizes = [math.prod(values.shape) * values.dtype.itemsize for values in [*arrays, episode.actions]]
    return sum(sizes) + 2 * sum(packed) + 1024 * len(episode)


def all_drawn(values: np.ndarray | Frames) -> bool:
    """Whether there is an image of every step."""
    return not isinstance(values, PackedFrames | SeenFrames) or len(values.steps) == len(values)


def write_values(group: h5py.Group, name: str, values: np.ndarray | Frames) -> None:
    """Store an observation (T, ...): images one a chunk, compressed, and nothing for those that were not drawn."""
    if not is_image(values):
        group.create_dataset(name, data=values)
        return
    if not len(values):  # no chunk may be larger than the array
        group.create_dataset(name, values.shape, np.uint8)
        return
    stored = group.create_dataset(
        name, values.shape, np.uint8, chunks=(1, *values.shape[1:]), compression="gzip", compression_opts=1
    )
    if not all_drawn(values):
        stored.attrs[STEPS] = values.steps
        for step in values.steps:
            stored[step] = values[[step]][0]
        return
    for start in range(0, len(values), 16):  # images that lie in another file are not all held in memory
        stored[start : start + 16] = values[start : start + 16]

"""HDF5 files that lie in several files: external links, virtual arrays, arrays whose numbers are stored outside."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py

from demo_score.data.formats.hdf5 import new_hdf5, open_hdf5, report_damage
from demo_score.data.frames import HDF5_ERRORS
from demo_score.runtime.errors import UserError
from demo_score.runtime.unreadable import reason_unreadable

ROWS = 64  # of an array that are copied at a time


def other_files(path: Path) -> list[Path]:
    """The other files whose content is part of the HDF5 file at `path`, directly or not, sorted.

    Files that are not there count too. Of a file that cannot be opened now there are none.
    """
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        new = {Path(os.path.normpath(other)) for other in _others(file)} - found - {path}
        found |= new
        waiting += new
    return sorted(found)


def lost_file(path: Path) -> str:
    """What keeps another file that is part of the one at `path` from being read; empty where all can be."""
    for other in other_files(path):
        try:
            if not other.is_file() or h5py.is_hdf5(other) or reason_unreadable(other):
                with open_hdf5(other):
                    pass
        except (UserError, OSError) as error:
            return str(error)
    return ""


def copy_whole(source: Path, target: Path) -> None:
    """Copy an HDF5 file to `target`; what it has in other files lies in the copy itself, which works anywhere.

    Raises UserError for parts that are not there, damaged or linked in a circle.
    """
    shutil.copyfile(source, target)
    with open_hdf5(source) as original:
        if not (names := list(_outside(original))):
            return
        with new_hdf5(target, "r+") as (copy, claim):
            for name in names:
                with report_damage(source, name):
                    values = original[name]
                    del copy[name]
                    _copy_in(values, copy, name, claim)


def _outside(group: h5py.Group, above: tuple[int, ...] = ()) -> Iterator[str]:
    """Names of what lies in other files, below a group; links within the file are not followed."""
    above = (*above, h5py.h5o.get_info(group.id).addr)
    for name in group:
        link, place = group.get(name, getlink=True), f"{group.name.rstrip('/')}/{name}"
        if isinstance(link, h5py.ExternalLink):
            yield place
        elif isinstance(link, h5py.HardLink):
            values = group[name]
            if isinstance(values, h5py.Dataset) and _stored_outside(values):
                yield place
            elif isinstance(values, h5py.Group) and h5py.h5o.get_info(values.id).addr not in above:
                yield from _outside(values, above)


def _stored_outside(values: h5py.Dataset) -> list[str]:
    """Files that hold an array's numbers, other than its own."""
    if values.is_virtual:
        return [source.file_name for source in values.virtual_sources() if source.file_name != "."]
    return [name for name, *_ in values.external or ()]


def _others(path: Path) -> list[Path]:
    """Files that a file itself names; none where it is no HDF5 file."""
    try:
        if not h5py.is_hdf5(path):
            return []
        with h5py.File(path, "r") as file:
            names = [name for place in _outside(file) for name in _named(file, place)]
    except HDF5_ERRORS:
        return []
    return [_found(path, name) for name in names]


def _named(file: h5py.File, place: str) -> list[str]:
    link = file.get(place, getlink=True)
    return [link.filename] if isinstance(link, h5py.ExternalLink) else _stored_outside(file[place])


def _found(path: Path, name: str) -> Path:
    """Where HDF5 finds a file that another names: beside it, beside what it is a link to, or here."""
    places = [path.parent / name, path.resolve().parent / name, Path(name)]
    return next((place for place in places if place.exists()), places[0])


def _copy_in(
    values: h5py.Group | h5py.Dataset,
    group: h5py.Group,
    name: str,
    claim: Callable[[int], None],
    above: tuple[tuple[int, int], ...] = (),
) -> None:
    """Copy a group or an array under a new name; what it links to lies in the copy itself."""
    info = h5py.h5o.get_info(values.id)
    if (place := (info.fileno, info.addr)) in above:
        raise UserError(f"{values.file.filename}: {values.name} is linked in a circle; remove the link")
    if isinstance(values, h5py.Dataset):
        claim(values.nbytes)
        _copy_array(values, group, name)
        return
    new = group.create_group(name)
    _copy_attributes(values, new)
    for child in values:
        _copy_in(values[child], new, child, claim, (*above, place))


def _copy_array(values: h5py.Dataset, group: h5py.Group, name: str) -> None:
    if not _stored_outside(values):
        values.parent.copy(values, group, name)
        return
    new = group.create_dataset(name, values.shape, values.dtype)
    _copy_attributes(values, new)
    for start in range(0, len(values) if values.shape else 0, ROWS):
        new[start : start + ROWS] = values[start : start + ROWS]
    if not values.shape:
        new[()] = values[()]


def _copy_attributes(values: h5py.Group | h5py.Dataset, new: h5py.Group | h5py.Dataset) -> None:
    for name, value in values.attrs.items():
        new.attrs.create(name, value, dtype=None if isinstance(value, h5py.Empty) else values.attrs.get_id(name).dtype)

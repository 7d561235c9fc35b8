"""HDF5 files that lie in several files: external links, virtual arrays, arrays whose numbers are stored outside."""

import os
from collections.abc import Iterator
from pathlib import Path

import h5py

from demo_score.data.frames import HDF5_ERRORS


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


def outside(group: h5py.Group, above: tuple[int, ...] = ()) -> Iterator[str]:
    """Names of what lies in other files, below a group; links within the file are not followed."""
    above = (*above, h5py.h5o.get_info(group.id).addr)
    for name in group:
        link, place = group.get(name, getlink=True), f"{group.name.rstrip('/')}/{name}"
        if isinstance(link, h5py.ExternalLink):
            yield place
        elif isinstance(link, h5py.HardLink):
            values = group[name]
            if isinstance(values, h5py.Dataset) and stored_outside(values):
                yield place
            elif isinstance(values, h5py.Group) and h5py.h5o.get_info(values.id).addr not in above:
                yield from outside(values, above)


def stored_outside(values: h5py.Dataset) -> list[str]:
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
            names = [name for place in outside(file) for name in _named(file, place)]
    except HDF5_ERRORS:
        return []
    return [_found(path, name) for name in names]


def _named(file: h5py.File, place: str) -> list[str]:
    link = file.get(place, getlink=True)
    return [link.filename] if isinstance(link, h5py.ExternalLink) else stored_outside(file[place])


def _found(path: Path, name: str) -> Path:
    """Where HDF5 finds a file that another names: beside it, beside what it is a link to, or here."""
    places = [path.parent / name, path.resolve().parent / name, Path(name)]
    return next((place for place in places if place.exists()), places[0])

"""Copies of HDF5 files that lie in several files: all of it lies in the copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py

from demo_score.data.formats.hdf5 import new_hdf5, open_hdf5, report_damage
from demo_score.data.formats.hdf5_links import outside, stored_outside
from demo_score.runtime.errors import UserError

ROWS = 64  # of an array that are copied at a time


def copy_whole(source: Path, target: Path) -> None:
    """Copy an HDF5 file to `target`; what it has in other files lies in the copy itself, which works anywhere.

    Raises UserError for parts that are not there, damaged or linked in a circle.
    """
    shutil.copyfile(source, target)
    with open_hdf5(source) as original:
        if not (names := list(outside(original))):
            return
        with new_hdf5(target, "r+") as (copy, claim):
            for name in names:
                with report_damage(source, name):
                    values = original[name]
                    del copy[name]
                    _copy_in(values, copy, name, claim)


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
    if not stored_outside(values):
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

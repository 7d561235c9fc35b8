"""A keep-list in the forms that other tools take: LeRobot's option, robomimic's filter key, names of ALOHA's files.

Sources are never modified.
"""

import os
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path

import numpy as np
import pandas as pd

from demo_score.data.formats import open_dataset
from demo_score.data.formats.aloha import AlohaFolder
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.hdf5 import new_hdf5
from demo_score.data.formats.hdf5_copies import copy_whole
from demo_score.data.formats.lerobot import LeRobotFolder
from demo_score.data.formats.robomimic import RobomimicFile
from demo_score.data.lists import Selection, read_list
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path, check_writable, write_text

TABLE = "episodes.csv"


def lerobot_options(dataset: DataSet, kept: list[int]) -> tuple[str, str]:
    """Options of lerobot-train that select the kept, and the remaining episodes; without blanks, for shells.

    An empty list is written as such: LeRobot 0.6.1 refuses it, whereas without the option it takes all episodes.
    With dataset.streaming=true it ignores the option. Raises UserError for a kept episode that does not exist.
    """
    kept, dropped = _split(dataset, kept)
    return _option(kept), _option(dropped)


def delete_options(dataset: DataSet, kept: list[int]) -> str:
    """Options of lerobot-edit-dataset that delete what is not kept, a line; none where all are kept, or none.

    LeRobot 0.6.1 refuses both: it deletes something, and leaves something.
    """
    kept, dropped = _split(dataset, kept)
    if not kept or not dropped:
        return ""
    return f"--operation.type=delete_episodes --operation.episode_indices=[{','.join(map(str, dropped))}]\n"


def write_mask(source: Path, kept: list[int], key: str, out: Path) -> None:
    """Copy a robomimic file and add filter keys: mask/<key> of the kept, mask/<key>_dropped of the other episodes.

    What the file links to in other files lies in the copy itself.

    Raises UserError for a key that exists or is no name, `out` that is the source, and kept episodes that do not exist.
    Source: robomimic, utils/file_utils.py, create_hdf5_filter_key.
    """
    dataset = RobomimicFile(source)
    keys = (key, f"{key}_dropped")
    if not key or "/" in key or key == ".":
        raise UserError(f"filter key '{key}' is no name; give one such as demo_score, without a slash")
    if taken := [name for name in keys if name in dataset.filter_keys()]:
        raise UserError(f"{source}: has a filter key {taken[0]} already; choose another name")
    if out.resolve() == source.resolve():
        raise UserError(f"{out}: is the source, which is never modified; choose another file")
    halves = _split(dataset, kept)
    with atomic_path(out) as temporary:
        copy_whole(source, temporary)
        with new_hdf5(temporary, "r+") as (file, _):
            for name, indices in zip(keys, halves, strict=True):
                groups = [dataset.groups[number] for number in indices]
                file.require_group("mask")[name] = np.array(groups, dtype=np.bytes_)


def export_keep_list(
    list_path: Path, out: Path, key: str = "demo_score", sources: Iterable[Path] | None = None
) -> tuple[int, int]:
    """Write what other tools take of a list, below the folder `out`; files that are there are replaced.

    Returns how many episodes are kept, and how many are not.

    LeRobot folders: <name>.kept.txt and <name>.remaining.txt with the option, and
    <name>.delete.txt with those of lerobot-edit-dataset; robomimic files: a copy <name>.hdf5 with the filter key `key`;
    ALOHA folders: <name>.kept.txt and <name>.remaining.txt with names of files, one a line.
    episodes.csv tells source (relative to `out`), format, episode and kept of all. `sources`: data sets, or lists of
    them, that were considered, as a list leaves out those of which nothing was kept. Sources of one name are numbered
    in their order, those of `sources` first. Raises UserError for what cannot be read, and an `out` in which the list
    or a source lies.
    """
    considered, kept = [read_list(path) for path in sources or ()], read_list(list_path)
    if sources is not None:
        _check_considered(list_path, kept, considered)
    selection = _complete(kept, [source for part in considered for source in part])
    if not selection:
        raise UserError(f"{list_path}: lists no episode, and no sources were named; name those that were considered")
    check_writable(out, folder=True)
    _check_folder(out, [list_path, *selection])
    datasets = [open_dataset(source) for source in selection]
    rows = []
    for dataset, kept in zip(datasets, selection.values(), strict=True):
        dropped = _split(dataset, kept)[1]
        source = Path(os.path.relpath(dataset.path.resolve(), out.resolve())).as_posix()
        rows += [(source, dataset.format, number, int(number not in dropped)) for number in dataset.episode_indices]
    for dataset, name in zip(datasets, _names(list(selection)), strict=True):
        _export(dataset, selection[dataset.path], out / name, key)
    table = pd.DataFrame(rows, columns=["source", "format", "episode", "kept"])
    write_text(out / TABLE, table.to_csv(index=False, lineterminator="\n"))
    n_kept = int(table["kept"].sum())
    return n_kept, len(table) - n_kept


def _export(dataset: DataSet, kept: list[int], target: Path, key: str) -> None:
    if isinstance(dataset, RobomimicFile):
        write_mask(dataset.path, kept, key, Path(f"{target}.hdf5"))
    if isinstance(dataset, LeRobotFolder):
        _write_halves(target, *(f"{option}\n" for option in lerobot_options(dataset, kept)))
        write_text(Path(f"{target}.delete.txt"), delete_options(dataset, kept))
    if isinstance(dataset, AlohaFolder):
        halves = _split(dataset, kept)
        _write_halves(target, *("".join(f"{dataset.file(n).name}\n" for n in indices) for indices in halves))


def _write_halves(target: Path, kept: str, remaining: str) -> None:
    write_text(Path(f"{target}.kept.txt"), kept)
    write_text(Path(f"{target}.remaining.txt"), remaining)


def _split(dataset: DataSet, kept: list[int]) -> tuple[list[int], list[int]]:
    """Numbers of the kept and of the other episodes, both in the order of the set."""
    if missing := sorted(set(kept) - set(dataset.episode_indices)):
        raise UserError(f"{dataset.path}: has no episode {missing[0]}, which is to be kept; choose among those it has")
    wanted = set(kept)
    return [n for n in dataset.episode_indices if n in wanted], [n for n in dataset.episode_indices if n not in wanted]


def _option(indices: list[int]) -> str:
    return f"--dataset.episodes=[{','.join(map(str, indices))}]"


def _check_considered(list_path: Path, kept: Selection, considered: Iterable[Selection]) -> None:
    """Raise UserError where an episode is kept that was not considered, as of a data set that was not named."""
    known: dict[Path, set[int]] = {}
    for source, indices in (pair for part in considered for pair in part.items()):
        known.setdefault(source.resolve(), set()).update(indices)
    for source, indices in kept.items():
        if source.resolve() not in known:
            raise UserError(f"{list_path}: keeps episodes of {source}; name it in --sources, or leave these out")
        if strange := sorted(set(indices) - known[source.resolve()]):
            raise UserError(f"{list_path}: keeps episode {strange[0]} of {source}, which --sources does not list")


def _complete(selection: Selection, sources: Iterable[Path]) -> Selection:
    """The selection with every source by its absolute path, those of `sources` first."""
    complete: Selection = {}
    names: dict[Path, Path] = {}  # a source may be named by several paths: the first one stays
    for source, indices in chain(((source, []) for source in sources), selection.items()):
        name = names.setdefault(source.resolve(), _absolute(source))
        complete.setdefault(name, []).extend(indices)
    return complete


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def _check_folder(out: Path, inputs: list[Path]) -> None:
    folder = out.resolve()
    for path in (path.resolve() for path in inputs):
        if path in (folder, *folder.parents) or (path.is_file() and path.parent == folder):
            raise UserError(f"{out}: {path} lies there, which is not to be replaced; choose a folder of its own")


def _names(sources: list[Path]) -> list[str]:
    """What the files of each source are called, numbered where names are the same."""
    names: list[str] = []
    for source in sources:
        name = source.stem if source.is_file() else source.name
        candidates = chain([name], (f"{name}_{number}" for number in count(2)))
        names.append(next(candidate for candidate in candidates if candidate not in names))
    return names

"""The formats of recorded episodes that are read, behind one interface: `open_dataset(path).read()`."""

from collections.abc import Collection, Sequence
from pathlib import Path

from demo_score.data.choices import ACT
from demo_score.data.episodes import Episode
from demo_score.data.formats.aloha import AlohaFolder, check_jpeg, is_aloha
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.lerobot import LeRobotFolder
from demo_score.data.formats.lerobot_folders import is_lerobot
from demo_score.data.formats.robomimic import RobomimicFile
from demo_score.runtime.errors import UserError
from demo_score.runtime.unreadable import lost_link

LISTS = (".txt", ".csv")  # what dataset lists and episode tables end in


def open_dataset(path: str | Path, video_backend: str = "pyav", aloha_jpeg: str = ACT) -> DataSet:
    """Open a LeRobot folder (v3.0, v2.1), a robomimic file (ours are such), or a folder of ALOHA episodes.

    `video_backend` (pyav or opencv) decodes LeRobot's videos; `aloha_jpeg` (act or standard) says how ALOHA's JPEGs
    were made. Raises UserError for a path that is none of these.
    """
    check_jpeg(aloha_jpeg)
    path = Path(path)
    if path.is_file() and path.suffix in LISTS:
        raise UserError(f"{path}: a list of episodes, no data set; give one of the data sets that it names")
    if path.is_file():
        return RobomimicFile(path)
    if is_lerobot(path):
        return LeRobotFolder(path, video_backend)
    if is_aloha(path):
        return AlohaFolder(path, aloha_jpeg)
    if where := lost_link(path):
        raise UserError(f"{path}: {where}")
    if not path.exists():
        raise UserError(f"{path}: no such episode file or data set; give a path (repo_id names those of the hub)")
    raise UserError(
        f"{path}: no data set: neither meta/info.json (LeRobot) nor episode_0.hdf5 (ALOHA) is in this folder; "
        "give one of these folders, or a robomimic HDF5 file"
    )


def is_dataset(path: Path) -> bool:
    """Whether something lies at `path` that `open_dataset` takes; it may turn out to be damaged."""
    return path.is_file() or is_lerobot(path) or is_aloha(path)


def read_episodes(
    path: str | Path, indices: Sequence[int] | None = None, keys: Collection[str] | None = None
) -> list[Episode]:
    """The episodes of `indices` in the data set at `path`, see `DataSet.read`."""
    return list(open_dataset(path).read(indices, keys))

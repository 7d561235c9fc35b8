"""What a LeRobot data set says besides the episodes: of the robot, its tasks, and all that is not read here."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from demo_score.data.episodes import OBSERVATION_PREFIX
from demo_score.data.formats.lerobot_episodes import OF_EPISODES
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError

TASK_INDEX = "task_index"
NAMES = "names of "  # and a feature: a key of what is described
OF_FRAMES = ("timestamp", "frame_index", "episode_index", "index", TASK_INDEX)
MADE_ANEW = ("next.done",)  # known from lengths
_OF_EPISODES = {"episode_index", "length", "dataset_from_index", "dataset_to_index", *OF_EPISODES}
_PLACES = ("stats/", "videos/", "data/", "meta/")  # what columns of meta/episodes that LeRobot writes begin with
_INFO = {"codebase_version", "robot_type", "fps", "splits", "features", "data_path", "video_path", "chunks_size"}
_INFO |= {"data_files_size_in_mb", "video_files_size_in_mb"}
_META = {
    "info.json",
    "stats.json",
    "tasks.parquet",
    "tasks.jsonl",
    "episodes",
    "episodes.jsonl",
    "episodes_stats.jsonl",
}


def described(info: dict[str, Any]) -> dict[str, Any]:
    """robot_type, and names by feature, where info.json tells them."""
    names = {key: feature["names"] for key, feature in info["features"].items() if _is_named(key, feature)}
    robot_type = {"robot_type": info["robot_type"]} if info.get("robot_type") else {}
    return {**robot_type, **{f"{NAMES}{key}": value for key, value in names.items()}}


def _is_named(key: str, feature: dict[str, Any]) -> bool:
    """Whether a feature that is read, and is no image, names its numbers."""
    images = feature["dtype"] in ("image", "video")
    return bool(feature.get("names")) and not images and (key == ACTION or key.startswith(OBSERVATION_PREFIX))


def check_action(folder: Path, features: Collection[str]) -> None:
    """Raise UserError, naming the columns there are, where none is called action."""
    if ACTION not in features:
        have = ", ".join(key for key in features if key not in OF_FRAMES)
        raise UserError(
            f"{folder}: has no {ACTION}; it has {have}: name actions {ACTION} and what is observed observation.<name>, "
            "in the rows and in the features of meta/info.json"
        )


def files_of_episodes(folder: Path) -> list[Path]:
    """The parquet files of meta/episodes."""
    files = (folder / "meta/episodes").glob("*/*.parquet")
    return sorted(file for file in files if not file.name.startswith("."))


def columns_of(path: Path) -> list[str]:
    """A parquet file's columns; of what cannot be read, none."""
    try:
        return parquet.read_schema(path).names
    except (OSError, ValueError, pa.ArrowException):
        return []


def has_tasks_of_frames(rows: pa.Table) -> bool:
    """Whether an episode's frames do not all have the same task."""
    return TASK_INDEX in rows.column_names and pc.count_distinct(rows[TASK_INDEX]).as_py() > 1


def frame_tasks(rows: pa.Table, tasks: Mapping[int, str]) -> list[str]:
    """The task of each frame. Raises ValueError for a number that is none of `tasks`."""
    indices = rows[TASK_INDEX].to_pylist()
    if strange := [index for index in indices if index not in tasks]:
        raise ValueError(f"task_index {strange[0]} is not in meta/tasks")
    return [tasks[index] for index in indices]


def unread_columns(info: dict[str, Any], read: Collection[str], columns: Collection[str]) -> dict[str, str]:
    """Features, and columns of the rows that are no features, besides those that are `read`."""
    known = {*read, *OF_FRAMES, *MADE_ANEW}
    features = {key: str(feature["dtype"]) for key, feature in info["features"].items()}
    return {name: features.get(name, "column") for name in [*features, *columns] if name not in known}


def unread_of_meta(folder: Path, info: dict[str, Any], of_episodes: Collection[str]) -> dict[str, str]:
    """What folder/meta holds besides what is read; `of_episodes`: names in the rows of episodes."""
    found = {name: "meta/info.json" for name in info if name not in _INFO and not name.startswith("total_")}
    if list(info.get("splits") or ["train"]) != ["train"]:
        found["splits"] = "meta/info.json"
    names = (name for name in of_episodes if name not in _OF_EPISODES and not name.startswith(_PLACES))
    found |= dict.fromkeys(names, "meta/episodes")
    files = sorted(path.name for path in (folder / "meta").iterdir())
    return found | {f"meta/{name}": "file" for name in files if name not in _META and not name.startswith(".")}


def read_tasks(folder: Path) -> dict[int, str]:
    """task_index -> task, of meta/tasks.parquet (v3.0) or meta/tasks.jsonl (v2.1). Raises UserError where damaged."""
    path = folder / "meta/tasks.parquet"
    path = path if path.is_file() else folder / "meta/tasks.jsonl"
    try:
        return {int(row.pop(TASK_INDEX)): _only_text(row) for row in _rows(path)}
    except (OSError, LookupError, AttributeError, TypeError, ValueError, pa.ArrowException):
        raise UserError(
            f"{path}: missing or damaged, but frames name tasks in it; download the data set again"
        ) from None


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        yield from parquet.read_table(path).to_pylist()
    else:
        yield from map(json.loads, path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))


def _only_text(row: dict[str, Any]) -> str:
    """The task of a row: pandas calls the column of an index without a name __index_level_0__."""
    return next(
        value for name, value in row.items() if name in ("task", "__index_level_0__") and isinstance(value, str)
    )

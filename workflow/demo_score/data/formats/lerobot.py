"""Reading LeRobot's data sets, v3.0 and v2.1: a folder of JSON, parquet and mp4 files.

Layout: LeRobot's datasets/dataset_metadata.py and utils.py; in v2.1 each episode has its own files, in v3.0 files
hold many. Lists in parquet may be of fixed or variable size, and row groups need not be episodes: files that
LeRobot's converter made are so.
"""

import json
import math
import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image
from PIL.Image import DecompressionBombError
from pyarrow import parquet

from demo_score.data.episodes import OBSERVATION_PREFIX, Episode
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.lerobot_described import (
    TASK_INDEX,
    check_action,
    columns_of,
    described,
    files_of_episodes,
    frame_tasks,
    has_tasks_of_frames,
    read_tasks,
    unread_columns,
    unread_of_meta,
)
from demo_score.data.formats.lerobot_episodes import OF_EPISODES, OF_FRAMES, values_of
from demo_score.data.formats.lerobot_folders import INFO, is_count, read_info
from demo_score.data.formats.lerobot_places import FROM, TO, episode_rows, wrong_places
from demo_score.data.frames import Frames, SourceFile, first_line
from demo_score.data.values import rewards
from demo_score.data.videos import VideoFrames, check_backend
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError
from demo_score.runtime.unreadable import damaged_download

REWARD = "next.reward"
INDEX_COLUMNS = ("episode_index", "frame_index", "timestamp")
NUMBERS = ("float", "int", "uint", "bool")  # what the types of features that are numbers begin with

LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
# What damaged rows and PNG images raise.
VALUE_ERRORS = (LookupError, TypeError, ValueError, pa.ArrowException)
IMAGE_ERRORS = (OSError, EOFError, SyntaxError, TypeError, ValueError, struct.error, zlib.error, DecompressionBombError)

Location = dict[str, Any]  # of an episode: episode_index, length, and in v3.0 which files hold it


class EncodedFrames(Frames):
    """Images held in memory as they were encoded (PNG): `encoded` is binary, one value an image."""

    def __init__(self, source: SourceFile, shape: tuple[int, int, int, int], encoded: pa.Array, name: str):
        super().__init__(source, shape)
        self.encoded = encoded
        self.name = name

    def identity(self) -> str:
        return f"{self.source} {self.name}"

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        for index in indices:
            try:
                yield np.asarray(Image.open(BytesIO(self.encoded[index].as_py())).convert("RGB"))
            except IMAGE_ERRORS as error:
                reason = first_line(error)
                raise UserError(f"{self.source.path}: {self.name}, frame {index}: no image ({reason})") from None


class LeRobotFolder(DataSet):
    """The folder of a data set, v3.0 or v2.1; a file of rows is read whole, and kept until another is needed.

    Success is the last frame's next.success, or what the episode's row says. `video_backend` is pyav or opencv.
    """

    format = "lerobot"

    def __init__(self, path: Path, video_backend: str = "pyav"):
        check_backend(video_backend)
        self.info = read_info(path)
        self.version = self.info["codebase_version"]
        self.video_backend = video_backend
        features = self.info["features"].items()
        self._kinds = {key: str(feature["dtype"]) for key, feature in features}
        self._locations = _read_locations(path, self.info, [key for key in self._kinds if self._kinds[key] == "video"])
        self._tasks: dict[int, str] | None = None
        self._rows: tuple[Path, list[str], pa.Table] | None = None  # of the file last read
        super().__init__(path, sorted(self._locations))
        check_action(path, self._kinds)

    def _features_of(self, number: int) -> dict[str, tuple[int, ...]]:
        """They are those of the data set."""
        return {key: self._shape(key) for key in self._known() if self._is_read(key)}

    @property
    def fps(self) -> float:
        return self.info["fps"]

    def contradictions(self) -> Iterator[tuple[int | None, str]]:
        if (known := self.info["total_episodes"]) != len(self.episode_indices):
            yield (
                None,
                f"meta/info.json counts {known} episodes, but {len(self.episode_indices)} are listed in meta/episodes",
            )
        yield from wrong_places(self._locations)

    def description(self) -> dict[str, Any]:
        return described(self.info)

    def _unread_of_all(self) -> dict[str, str]:
        read = [*self.features(), REWARD, *OF_FRAMES]
        columns = columns_of(next((self._locate(location) for location in self._locations.values()), self.path))
        episodes = dict.fromkeys(name for location in self._locations.values() for name in location)
        of_episodes = [*episodes, *(name for file in files_of_episodes(self.path) for name in columns_of(file))]
        return unread_columns(self.info, read, columns) | unread_of_meta(self.path, self.info, of_episodes)

    def _known(self) -> list[str]:
        return [key for key in self._kinds if key.startswith(OBSERVATION_PREFIX[:-1]) or key == ACTION]

    def _is_read(self, key: str) -> bool:
        """Numbers, and images of three channels: no text, no depth."""
        if self._kinds[key] in ("image", "video"):
            shape = self.info["features"][key]["shape"]
            return 3 in (shape[0], shape[-1])
        return self._kinds[key].startswith(NUMBERS)

    def _read(self, number: int, keys: Collection[str] | None) -> Episode:
        self._check_keys(f"{self.path}: episode {number}", [*(keys or ()), ACTION], self.features())
        location = self._locations[number]
        path = self._locate(location)
        keys = [key for key in self.features() if key != ACTION and (keys is None or key in keys)]
        table, length = self._read_file(path, keys), self._length(location)
        try:
            rows = table[episode_rows(*(_flat(table[name]) for name in INDEX_COLUMNS[:2]), number, length)]
            return self._episode(location, SourceFile.of(path), keys, rows)
        except VALUE_ERRORS as error:
            raise damaged_download(path, f"episode {number}: {first_line(error)}") from None

    def _read_file(self, path: Path, keys: list[str]) -> pa.Table:
        columns = [*keys, ACTION, REWARD, *OF_FRAMES, *INDEX_COLUMNS, TASK_INDEX]
        if self._rows is None or self._rows[:2] != (path, columns):
            self._rows = None  # two files at a time are not held
            self._rows = path, columns, _read_parquet(path, columns)
        return self._rows[2]

    def _episode(self, location: Location, source: SourceFile, keys: list[str], rows: pa.Table) -> Episode:
        number, have = location["episode_index"], rows.column_names
        place = f"{source.path}: episode {number}"
        return Episode(
            observations={key: self._observation(key, location, source, rows) for key in keys},
            actions=self._values(ACTION, rows),
            rewards=rewards(_rows_of(rows[REWARD]), f"{place}: {REWARD}") if REWARD in have else None,
            times=_times(rows) if "timestamp" in have else None,
            frame_indices=_flat(rows["frame_index"]),
            **values_of(rows, location, place) | self._tasks_of(rows),
        )

    def _tasks_of(self, rows: pa.Table) -> dict[str, Any]:
        """The tasks of frames, where they are not all the same."""
        if not has_tasks_of_frames(rows):
            return {}
        self._tasks = read_tasks(self.path) if self._tasks is None else self._tasks
        tasks = frame_tasks(rows, self._tasks)
        return {"frame_tasks": tasks, "task": tasks[0] or None}

    def _observation(self, key: str, location: Location, source: SourceFile, rows: pa.Table) -> np.ndarray | Frames:
        if self._kinds[key] == "video":
            return self._video(key, location, rows)
        if self._kinds[key] == "image":
            encoded = pc.struct_field(rows[key].combine_chunks(), "bytes")
            name = f"{key} of episode {location['episode_index']}"
            return EncodedFrames(source, (len(rows), *self._shape(key)), encoded, name)
        return self._values(key, rows)

    def _video(self, key: str, location: Location, rows: pa.Table) -> Frames:
        path = self._locate(location, key)
        if not path.is_file():
            raise damaged_download(path, "no file")
        times = self._start(key, location) + _times(rows)
        if not np.isfinite(times).all():
            raise ValueError("timestamps that are no numbers")
        return VideoFrames(SourceFile.of(path), (len(rows), *self._shape(key)), times, self.video_backend)

    def _start(self, key: str, location: Location) -> float:
        """Seconds into its video at which an episode begins; in v2.1 each has its own video."""
        name = f"videos/{key}/from_timestamp"
        start = 0.0 if self.version == "v2.1" else location.get(name)
        if not isinstance(start, int | float) or not math.isfinite(start):
            raise self._not_told(location, name)
        return start

    def _length(self, location: Location) -> int:
        if not is_count(location.get("length")):
            raise self._not_told(location, "length")
        return location["length"]

    def _not_told(self, location: Location, name: str) -> UserError:
        return damaged_download(
            _episodes_path(self.path, self.info), f"episode {location['episode_index']} has no {name}"
        )

    def _values(self, key: str, rows: pa.Table) -> np.ndarray:
        return _flat(rows[key]).reshape(len(rows), *self._shape(key))

    def _shape(self, key: str) -> tuple[int, ...]:
        """Images are (height, width, 3), also where the data set says (3, height, width)."""
        shape = tuple(self.info["features"][key]["shape"])
        if self._kinds[key] not in ("image", "video") or shape[-1] == 3:
            return shape
        return (*shape[1:], 3)

    def _locate(self, location: Location, video_key: str = "") -> Path:
        return _locate(self.path, self.info, location, video_key)


def _episodes_path(folder: Path, info: dict) -> Path:
    return folder / ("meta/episodes.jsonl" if info["codebase_version"] == "v2.1" else "meta/episodes")


def _read_locations(folder: Path, info: dict, video_keys: list[str]) -> dict[int, Location]:
    """Where each episode is, by its number."""
    path = _episodes_path(folder, info)
    if path.suffix:
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
        except (OSError, ValueError) as error:
            raise damaged_download(path, error) from None
    else:
        columns = ["episode_index", "length", FROM, TO, "data/chunk_index", "data/file_index", *OF_EPISODES]
        for key in video_keys:
            columns += [f"videos/{key}/{name}" for name in ("chunk_index", "file_index", "from_timestamp")]
        rows = [row for file in files_of_episodes(folder) for row in _read_parquet(file, columns).to_pylist()]
    if not rows or not all(isinstance(row, dict) and is_count(row.get("episode_index")) for row in rows):
        raise damaged_download(path, "tells no episodes, or not their numbers")
    numbers = Counter(row["episode_index"] for row in rows)
    if twice := [number for number, count in numbers.items() if count > 1]:
        raise UserError(f"{path}: lists episode {twice[0]} twice; download the data set again, or make it again")
    return {row["episode_index"]: row for row in rows}


def _read_parquet(path: Path, columns: list[str]) -> pa.Table:
    """Those of `columns` that there are. Raises UserError for a file that cannot be read."""
    try:
        have = parquet.read_schema(path).names
        table = parquet.read_table(path, columns=[name for name in columns if name in have])
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise damaged_download(path, error) from None
    return table


def _locate(folder: Path, info: dict, location: Location, video_key: str = "") -> Path:
    """The file that holds an episode's rows or its video."""
    template, where = ("video_path", f"videos/{video_key}") if video_key else ("data_path", "data")
    number = location["episode_index"]
    try:
        name = info[template].format(
            chunk_index=location.get(f"{where}/chunk_index"),
            file_index=location.get(f"{where}/file_index"),
            episode_chunk=number // info["chunks_size"],
            episode_index=number,
            video_key=video_key,
        )
    except (LookupError, ArithmeticError, AttributeError, TypeError, ValueError):
        raise damaged_download(folder / INFO, f"{template} does not lead to episode {number}") from None
    return folder / name


def _flat(column: pa.ChunkedArray) -> np.ndarray:
    """The numbers of a column of scalars or of lists of either kind, of their own type."""
    array = column.combine_chunks()
    while any(is_list(array.type) for is_list in LISTS):
        array = array.flatten()
    if not pa.types.is_primitive(array.type) or array.null_count:
        raise ValueError("null, or what is no number, where numbers are expected")
    return array.to_numpy(zero_copy_only=False).copy()


def _rows_of(column: pa.ChunkedArray) -> np.ndarray:
    """(T, numbers a row), where null is NaN: not known."""
    if column.null_count and pa.types.is_primitive(column.type):
        column = column.cast(pa.float64()).fill_null(math.nan)
    flat = _flat(column)
    return flat.reshape(len(column), flat.size // max(len(column), 1))


def _times(rows: pa.Table) -> np.ndarray:
    """Time stamps (T,) in seconds."""
    return _flat(rows["timestamp"]).astype(np.float64, casting="same_kind")

"""Reading LeRobot's data sets, v3.0 and v2.1: a folder of JSON, parquet and mp4 files.

Layout: LeRobot's datasets/dataset_metadata.py and utils.py; in v2.1 each episode has its own files, in v3.0 files
hold many. Lists in parquet may be of fixed or variable size, and row groups need not be episodes: files that
LeRobot's converter made are so.
"""

import json
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, UnidentifiedImageError
from pyarrow import parquet

from demo_score.data.episodes import OBSERVATION_PREFIX, Episode
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.lerobot_folders import INFO, NO_TASK, read_info
from demo_score.data.frames import Frames, SourceFile
from demo_score.data.videos import VideoFrames, check_backend
from demo_score.errors import UserError
from demo_score.observations import ACTION

REWARD, SUCCESS, CHECKPOINT = "next.reward", "next.success", "checkpoint"
INDEX_COLUMNS = ("episode_index", "frame_index", "timestamp")
# What an episode's row may tell besides its length and place: LeRobot's own, and what ours and others add.
TOLD = ("tasks", "success", "seed", "strategy", CHECKPOINT)
NUMBERS = ("float", "int", "uint", "bool")  # what the types of features that are numbers begin with

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
            except (UnidentifiedImageError, OSError, TypeError) as error:
                raise UserError(f"{self.source.path}: {self.name}, frame {index}: no image ({error})") from None


class LeRobotFolder(DataSet):
    """The folder of a data set, v3.0 or v2.1; a file of rows is read whole, and kept until another is needed.

    Success is the last frame's next.success, or what the episode's row says. `video_backend` is pyav or opencv.
    """

    format = "lerobot"

    def __init__(self, path: Path, video_backend: str = "pyav"):
        check_backend(video_backend)
        self.info = read_info(path)
        self.version, self.fps = self.info["codebase_version"], self.info["fps"]
        self.video_backend = video_backend
        features = self.info["features"].items()
        self._kinds = {key: str(feature["dtype"]) for key, feature in features}
        self._locations = _read_locations(path, self.info, [key for key in self._kinds if self._kinds[key] == "video"])
        self._rows: tuple[Path, list[str], pa.Table] | None = None  # of the file last read
        super().__init__(path, sorted(self._locations))

    def features(self) -> dict[str, tuple[int, ...]]:
        known = [key for key in self._kinds if key.startswith(OBSERVATION_PREFIX[:-1]) or key == ACTION]
        return {key: self._shape(key) for key in known if self._kinds[key].startswith(("video", "image", *NUMBERS))}

    def columns(self) -> dict[str, str]:
        """Every column of the data set -> its type."""
        return dict(self._kinds)

    def video_files(self) -> list[Path]:
        """All its videos, in order."""
        keys = [key for key in self._kinds if self._kinds[key] == "video"]
        return sorted({self._locate(location, key) for location in self._locations.values() for key in keys})

    def _read(self, number: int, keys: Collection[str] | None) -> Episode:
        location = self._locations[number]
        path = self._locate(location)
        keys = [key for key in self.features() if key != ACTION and (keys is None or key in keys)]
        rows = _rows_of(path, self._read_file(path, keys), number, location["length"])
        try:
            return self._episode(location, SourceFile.of(path), keys, rows)
        except (KeyError, ValueError) as error:
            raise _damaged(path, error) from None

    def _read_file(self, path: Path, keys: list[str]) -> pa.Table:
        columns = [*keys, ACTION, REWARD, SUCCESS, CHECKPOINT, *INDEX_COLUMNS]
        if self._rows is None or self._rows[:2] != (path, columns):
            self._rows = None  # two files at a time are not held
            self._rows = path, columns, _read_parquet(path, columns)
        return self._rows[2]

    def _episode(self, location: Location, source: SourceFile, keys: list[str], rows: pa.Table) -> Episode:
        number, have = location["episode_index"], rows.column_names
        success = _flat(rows[SUCCESS])[-1] if SUCCESS in have else location.get("success")
        checkpoint = rows[CHECKPOINT][0].as_py() if CHECKPOINT in have else location.get(CHECKPOINT)
        task = (location.get("tasks") or [NO_TASK])[0]
        return Episode(
            observations={key: self._observation(key, location, source, rows) for key in keys},
            actions=self._values(ACTION, rows),
            rewards=_flat(rows[REWARD]) if REWARD in have else None,
            success=None if success is None else bool(success),
            seed=number if location.get("seed") is None else int(location["seed"]),
            strategy=location.get("strategy"),
            checkpoint=f"{checkpoint:06d}" if isinstance(checkpoint, int) else checkpoint,
            task=None if task == NO_TASK else task,
        )

    def _observation(self, key: str, location: Location, source: SourceFile, rows: pa.Table) -> np.ndarray | Frames:
        if self._kinds[key] == "video":
            return self._video(key, location, rows)
        if self._kinds[key] == "image":
            encoded = rows[key].combine_chunks().field("bytes")
            name = f"{key} of episode {location['episode_index']}"
            return EncodedFrames(source, (len(rows), *self._shape(key)), encoded, name)
        return self._values(key, rows)

    def _video(self, key: str, location: Location, rows: pa.Table) -> Frames:
        path = self._locate(location, key)
        if not path.is_file():
            raise UserError(f"{path}: no such video; download the data set again")
        start = location.get(f"videos/{key}/from_timestamp", 0.0)
        times = start + rows["timestamp"].to_numpy().astype(np.float64)
        return VideoFrames(SourceFile.of(path), (len(rows), *self._shape(key)), times, self.video_backend)

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


def _read_locations(folder: Path, info: dict, video_keys: list[str]) -> dict[int, Location]:
    """Where each episode is, by its number."""
    if info["codebase_version"] == "v2.1":
        path = folder / "meta/episodes.jsonl"
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from None
    else:
        path = folder / "meta/episodes"
        columns = ["episode_index", "length", "data/chunk_index", "data/file_index", *TOLD]
        for key in video_keys:
            columns += [f"videos/{key}/{name}" for name in ("chunk_index", "file_index", "from_timestamp")]
        files = sorted(path.glob("*/*.parquet"))
        rows = [row for file in files for row in _read_parquet(file, columns).to_pylist()]
    if not rows or not all(row.keys() >= {"episode_index", "length"} for row in rows):
        raise _damaged(path, "tells no episodes and lengths")
    return {row["episode_index"]: row for row in rows}


def _rows_of(path: Path, table: pa.Table, number: int, length: int) -> pa.Table:
    """The rows of one episode, which follow each other."""
    found = np.flatnonzero(table["episode_index"].to_numpy() == number)
    part = table.slice(found[0] if len(found) else 0, len(found))
    if part["frame_index"].to_pylist() != list(range(length)):
        raise _damaged(path, f"episode {number} is not complete")
    return part


def _read_parquet(path: Path, columns: list[str]) -> pa.Table:
    """Those of `columns` that there are. Raises UserError for a file that cannot be read."""
    try:
        have = parquet.read_schema(path).names
        return parquet.read_table(path, columns=[name for name in columns if name in have])
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from None


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
    except (KeyError, AttributeError, TypeError, ValueError):
        raise _damaged(folder / INFO, f"{template} does not lead to episode {number}") from None
    return folder / name


def _flat(column: pa.ChunkedArray) -> np.ndarray:
    """The numbers of a column of scalars or of lists of either kind, of their own type."""
    array = column.combine_chunks()
    while not pa.types.is_primitive(array.type):
        array = array.flatten()
    return array.to_numpy(zero_copy_only=False).copy()


def _damaged(path: Path, reason: object) -> UserError:
    if not path.exists():
        return UserError(f"{path}: no such file; download the data set again")
    return UserError(f"{path}: damaged ({str(reason).splitlines()[0]}); download the data set again")

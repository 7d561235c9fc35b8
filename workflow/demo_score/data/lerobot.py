"""Reading LeRobot's data sets, v3.0 and v2.1: a folder of JSON, parquet and mp4 files.

Layout: LeRobot's datasets/dataset_metadata.py and utils.py; in v2.1 each episode has its own files, in v3.0 files
hold many. Lists in parquet may be of fixed or variable size, and row groups need not be episodes: files that
LeRobot's converter made are so.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, UnidentifiedImageError
from pyarrow import parquet

from demo_score.data.episodes import Episode
from demo_score.data.frames import Frames, SourceFile
from demo_score.data.lerobot_folders import INFO, read_info, resolve_dataset
from demo_score.data.videos import VideoFrames, check_backend
from demo_score.errors import UserError
from demo_score.observations import ACTION

REWARD, SUCCESS = "next.reward", "next.success"
INDEX_COLUMNS = ("episode_index", "frame_index", "timestamp")

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


def read_lerobot(
    dataset: str,
    observation_keys: list[str],
    video_backend: str,
    indices: list[int] | None = None,
    fps: int | None = None,
) -> list[Episode]:
    """Read the episodes numbered `indices` (all when None) of a folder or of a data set on the Hugging Face hub.

    Images are `Frames`; rewards are zeros and success None where the data set does not tell them. `video_backend`
    is pyav or opencv; `fps`, where given, must be the data set's. Only the files and columns needed are read.
    Raises UserError for what is not there, damaged, or of another version.
    """
    check_backend(video_backend)
    folder = resolve_dataset(dataset)
    info = read_info(folder)
    _check_features(folder, info, observation_keys)
    if fps is not None and fps != info["fps"]:
        raise UserError(f"{folder}: recorded at {info['fps']} frames a second but env.fps={fps}; set fps to match")
    locations = _read_locations(folder, info, observation_keys)
    wanted = sorted(locations) if indices is None else indices
    if missing := [index for index in wanted if index not in locations]:
        raise UserError(f"{folder}: has no episode {missing[0]}; it holds {len(locations)} episodes, numbered from 0")
    rows = _read_rows(folder, info, [locations[index] for index in wanted], observation_keys)
    reader = _EpisodeReader(folder, info, observation_keys, video_backend)
    return [reader.read(locations[index], *rows[index]) for index in wanted]


def _check_features(folder: Path, info: dict, observation_keys: list[str]) -> None:
    for key in (*observation_keys, ACTION):
        if key not in info["features"]:
            have = ", ".join(sorted(name for name in info["features"] if name.startswith(("observation", ACTION))))
            raise UserError(f"{folder}: has no {key} but {have}; set policy.input_shapes to match")


def _read_locations(folder: Path, info: dict, observation_keys: list[str]) -> dict[int, Location]:
    """Where each episode is, by its number."""
    if info["codebase_version"] == "v2.1":
        path = folder / "meta/episodes.jsonl"
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from None
    else:
        path = folder / "meta/episodes"
        columns = ["episode_index", "length", "data/chunk_index", "data/file_index"]
        for key in observation_keys:
            columns += [f"videos/{key}/{name}" for name in ("chunk_index", "file_index", "from_timestamp")]
        files = sorted(path.glob("*/*.parquet"))
        rows = [row for file in files for row in _read_parquet(file, columns).to_pylist()]
    if not rows or not all(row.keys() >= {"episode_index", "length"} for row in rows):
        raise _damaged(path, "tells no episodes and lengths")
    return {row["episode_index"]: row for row in rows}


def _read_rows(
    folder: Path, info: dict, locations: list[Location], observation_keys: list[str]
) -> dict[int, tuple[SourceFile, pa.Table]]:
    """By number, the rows of each of some episodes, and the file they are from."""
    columns = [*observation_keys, ACTION, REWARD, SUCCESS, *INDEX_COLUMNS]
    lengths: dict[Path, dict[int, int]] = {}
    for location in locations:
        path = _locate(folder, info, location)
        lengths.setdefault(path, {})[location["episode_index"]] = location["length"]
    rows = {}
    for path, numbers in lengths.items():
        table = _read_parquet(path, columns, [("episode_index", "in", list(numbers))])
        for number, length in numbers.items():
            rows[number] = SourceFile.of(path), _rows_of(path, table, number, length)
    return rows


def _rows_of(path: Path, table: pa.Table, number: int, length: int) -> pa.Table:
    """The rows of one episode, which follow each other."""
    found = np.flatnonzero(table["episode_index"].to_numpy() == number)
    part = table.slice(found[0] if len(found) else 0, len(found))
    if part["frame_index"].to_pylist() != list(range(length)):
        raise _damaged(path, f"episode {number} is not complete")
    return part


def _read_parquet(path: Path, columns: list[str], filters: list | None = None) -> pa.Table:
    """Those of `columns` that there are. Raises UserError for a file that cannot be read."""
    try:
        have = parquet.read_schema(path).names
        return parquet.read_table(path, columns=[name for name in columns if name in have], filters=filters)
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


class _EpisodeReader:
    """Makes episodes of a data set's rows."""

    def __init__(self, folder: Path, info: dict, observation_keys: list[str], video_backend: str):
        self.folder, self.info = folder, info
        self.observation_keys = observation_keys
        self.video_backend = video_backend

    def read(self, location: Location, source: SourceFile, rows: pa.Table) -> Episode:
        readers = {"image": self._images, "video": self._video}
        try:
            observations = {
                key: readers.get(self.info["features"][key]["dtype"], self._values)(key, location, source, rows)
                for key in self.observation_keys
            }
            have = rows.column_names
            return Episode(
                observations=observations,
                actions=self._values(ACTION, location, source, rows),
                rewards=_flat(rows[REWARD]) if REWARD in have else np.zeros(len(rows), np.float32),
                success=bool(_flat(rows[SUCCESS])[-1]) if SUCCESS in have else None,
                seed=int(location["episode_index"]),
            )
        except (KeyError, ValueError) as error:
            raise _damaged(source.path, error) from None

    def _values(self, key: str, location: Location, source: SourceFile, rows: pa.Table) -> np.ndarray:
        return _flat(rows[key]).reshape(len(rows), *self.info["features"][key]["shape"])

    def _images(self, key: str, location: Location, source: SourceFile, rows: pa.Table) -> Frames:
        encoded = rows[key].combine_chunks().field("bytes")
        return EncodedFrames(source, self._shape(key, rows), encoded, f"{key} of episode {location['episode_index']}")

    def _video(self, key: str, location: Location, source: SourceFile, rows: pa.Table) -> Frames:
        path = _locate(self.folder, self.info, location, key)
        if not path.is_file():
            raise UserError(f"{path}: no such video; download the data set again")
        start = location.get(f"videos/{key}/from_timestamp", 0.0)
        times = start + rows["timestamp"].to_numpy().astype(np.float64)
        return VideoFrames(SourceFile.of(path), self._shape(key, rows), times, self.video_backend)

    def _shape(self, key: str, rows: pa.Table) -> tuple[int, int, int, int]:
        """Images of (height, width, 3), also where the data set says (3, height, width)."""
        shape = self.info["features"][key]["shape"]
        height, width = shape[:2] if shape[-1] == 3 else shape[1:]
        return len(rows), height, width, 3


def _flat(column: pa.ChunkedArray) -> np.ndarray:
    """The numbers of a column of scalars or of lists of either kind, float32."""
    array = column.combine_chunks()
    while not pa.types.is_primitive(array.type):
        array = array.flatten()
    return array.to_numpy(zero_copy_only=False).astype(np.float32)


def _damaged(path: Path, reason: object) -> UserError:
    if not path.exists():
        return UserError(f"{path}: no such file; download the data set again")
    return UserError(f"{path}: damaged ({str(reason).splitlines()[0]}); download the data set again")

"""Writing LeRobot's data sets, v3.0, as LeRobot 0.6.1 writes them (datasets/dataset_writer.py, dataset_metadata.py).

    meta/info.json, meta/stats.json, meta/tasks.parquet, meta/episodes/chunk-000/file-000.parquet
    data/chunk-000/file-000.parquet            one row group an episode
    videos/<key>/chunk-000/file-000.mp4        or PNG images in the rows of data/

What LeRobot has no place for are columns of meta/episodes, which its loader leaves alone: seed, and strategy and
checkpoint where any episode has one.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from demo_score.data.choices import KINDS_OF_IMAGES
from demo_score.data.episodes import Episode, is_image, place
from demo_score.data.formats.lerobot import REWARD
from demo_score.data.formats.lerobot_data_files import DataFiles
from demo_score.data.formats.lerobot_episodes import SUCCESS
from demo_score.data.formats.lerobot_folders import INFO, NO_TASK
from demo_score.data.formats.lerobot_statistics import FeatureStatistics, PixelCounts, aggregate, array_statistics
from demo_score.data.formats.lerobot_videos import CHUNK_SIZE, MEGABYTE, VideoFiles, check_codec, video_info
from demo_score.data.frames import Frames
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_folder
from demo_score.runtime.stopping import check

DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
DONE = "next.done"
INDEX_FEATURES = {
    key: {"dtype": "float32" if key == "timestamp" else "int64", "shape": [1], "names": None}
    for key in ("timestamp", "frame_index", "episode_index", "index", "task_index")
}
IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
MAX_DIMENSIONS = 5  # of one frame of a feature
IMAGES_AT_A_TIME = 16
ROWS_AT_A_TIME = 100  # of meta/episodes


def write_lerobot(
    folder: Path,
    episodes: Iterable[Episode],
    fps: float,
    *,
    images: str = "video",
    codec: str = "libsvtav1",
    robot_type: str | None = None,
    names: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
    data_files_size_in_mb: float = 100,
    video_files_size_in_mb: float = 200,
) -> None:
    """Write `episodes`, one in memory at a time, recorded at `fps` frames a second, to a new `folder`.

    `images` are stored as video (by `codec`: libsvtav1, h264 or hevc; colours change a little) or as image (PNG,
    exact). `names`: those of a feature's numbers. `without`: next.success or next.reward, where not all episodes have
    it; success is in the rows of episodes then. A file that would grow beyond its size in MB is closed, and another
    begun. Observations (T,) come back as (T, 1). The folder appears whole or not at all, and is the same to the byte
    for the same episodes. Raises UserError for a folder that exists, for no episodes, and for one that is empty or has
    other features than the first.
    """
    if images not in KINDS_OF_IMAGES:
        raise UserError(f"images={images}: unknown; set one of: {', '.join(KINDS_OF_IMAGES)}")
    if images == "video":
        check_codec(codec)
    if fps < 1 or int(fps) != fps:
        raise UserError(
            f"fps={fps:g}: LeRobot counts whole frames a second; give one, such as --fps {max(1, round(fps))}"
        )
    fps = int(fps)
    with atomic_folder(Path(folder)) as temporary:
        limits = {"data_files_size_in_mb": data_files_size_in_mb, "video_files_size_in_mb": video_files_size_in_mb}
        writer = _Writer(temporary, fps, images, codec, {"robot_type": robot_type, **limits})
        writer.names, writer.without = dict(names or {}), without
        for episode in episodes:
            writer.add(episode)
            check()
        if not writer.n_episodes:
            raise UserError(f"{folder}: no episodes to write; keep at least one")
        writer.close()


class _Writer:
    """Adds episodes to a folder; what describes all of them is written when it is closed."""

    def __init__(self, folder: Path, fps: int, images: str, codec: str, info: dict[str, Any]):
        self.folder, self.fps, self.images, self.codec, self.info = folder, fps, images, codec, info
        self.names: dict[str, Any] = {}
        self.without: Collection[str] = ()
        self.features: dict[str, dict] = {}  # of the first episode
        self.first = ""  # its place
        self.data = DataFiles(folder, DATA_PATH, info["data_files_size_in_mb"] * MEGABYTE)
        self.videos: dict[str, VideoFiles] = {}
        self.tasks: dict[str, int] = {}
        self.statistics: dict[str, FeatureStatistics] = {}  # of all episodes so far
        self.rows: list[dict[str, Any]] = []  # of meta/episodes, then tables of many
        self.tables: list[pa.Table] = []
        self.n_episodes = self.n_frames = 0

    def add(self, episode: Episode) -> None:
        values = {key: value for key, value in _values(episode).items() if key not in self.without}
        self._check(episode, values)
        tasks = episode.frame_tasks or [episode.task or NO_TASK] * len(episode)
        task_indices = np.array([self.tasks.setdefault(task, len(self.tasks)) for task in tasks])
        values |= self._index_values(len(episode), task_indices)
        places, columns, statistics = {}, {}, {}
        for key, value in values.items():
            if not is_image(value):
                columns[key], statistics[key] = _column(value), array_statistics(value)
                continue
            counts = PixelCounts()
            if self.images == "video":
                places |= self.videos[key].add(_images(value, counts), len(value))
            else:
                columns[key] = _png_column(_images(value, counts))
            statistics[key] = counts.statistics()
        places |= self.data.add(pa.table(columns))
        self._record(episode, list(dict.fromkeys(tasks)), places, statistics)

    def close(self) -> None:
        self.data.close()
        for files in self.videos.values():
            files.close()
        tasks = pd.DataFrame({"task_index": list(self.tasks.values())}, index=pd.Index(list(self.tasks), name="task"))
        (self.folder / INFO).parent.mkdir()
        tasks.to_parquet(self.folder / "meta/tasks.parquet")
        self._write_episodes(self.folder / "meta/episodes/chunk-000/file-000.parquet")
        _write_json(self.folder / INFO, self._info())
        lists = {key: {name: value.tolist() for name, value in found.items()} for key, found in self.statistics.items()}
        _write_json(self.folder / "meta/stats.json", lists)

    def _check(self, episode: Episode, values: dict[str, np.ndarray | Frames]) -> None:
        where = place(episode) or f"episode {self.n_episodes}"
        for key, value in values.items():
            _check_value(f"{where}: {key}", key, value, len(episode))
        features = {key: _feature(value, self.images) for key, value in values.items()}
        for key in features.keys() & self.names.keys():
            features[key]["names"] = features[key]["names"] or self.names[key]
        if not self.features:
            self.first = where
            self._begin(features)
        for key in self.features | features:
            if (first := self.features.get(key)) != (now := features.get(key)):
                raise UserError(
                    f"{where}: {key} is {_describe(now)}, but {_describe(first)} in {self.first}; write episodes that "
                    "differ into data sets of their own"
                )

    def _begin(self, features: dict[str, dict]) -> None:
        self.features = features
        limit = self.info["video_files_size_in_mb"] * MEGABYTE
        for key, feature in features.items():
            if feature["dtype"] == "video":
                self.videos[key] = VideoFiles(self.folder, VIDEO_PATH, key, feature, self.fps, self.codec, limit)

    def _index_values(self, length: int, task_indices: np.ndarray) -> dict[str, np.ndarray]:
        frames = np.arange(length)
        return {
            "timestamp": (frames / self.fps).astype(np.float32),
            "frame_index": frames,
            "episode_index": np.full(length, self.n_episodes),
            "index": self.n_frames + frames,
            "task_index": task_indices,
        }

    def _record(
        self, episode: Episode, tasks: list[str], places: dict, statistics: dict[str, FeatureStatistics]
    ) -> None:
        """Add an episode to meta/episodes and to the statistics of all."""
        row = {"episode_index": self.n_episodes, "tasks": tasks, "length": len(episode), **places}
        row |= {"dataset_from_index": self.n_frames, "dataset_to_index": self.n_frames + len(episode)}
        for key, found in statistics.items():
            row |= {f"stats/{key}/{name}": value.tolist() for name, value in found.items()}
            self.statistics[key] = aggregate([self.statistics[key], found]) if key in self.statistics else found
        row |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        row |= {"seed": int(episode.seed), "strategy": episode.strategy, "checkpoint": episode.checkpoint}
        if SUCCESS in self.without:
            row["success"] = episode.success
        self.rows.append(row)
        if len(self.rows) == ROWS_AT_A_TIME:
            self._pack_rows()
        self.n_episodes += 1
        self.n_frames += len(episode)

    def _pack_rows(self) -> None:
        self.tables.append(pa.Table.from_pylist(self.rows))
        self.rows = []

    def _write_episodes(self, path: Path) -> None:
        if self.rows:
            self._pack_rows()
        table = pa.concat_tables(self.tables, promote_options="default")
        unknown = [field.name for field in table.schema if pa.types.is_null(field.type)]
        path.parent.mkdir(parents=True)
        parquet.write_table(table.drop_columns(unknown), path, row_group_size=ROWS_AT_A_TIME)

    def _info(self) -> dict[str, Any]:
        for key in self.videos:
            height, width, _ = self.features[key]["shape"]
            self.features[key]["info"] = video_info(self.codec, self.fps, height, width)
        return {
            "codebase_version": "v3.0",
            "fps": int(self.fps),
            "features": {**self.features, **INDEX_FEATURES},
            "total_episodes": self.n_episodes,
            "total_frames": self.n_frames,
            "total_tasks": len(self.tasks),
            "chunks_size": CHUNK_SIZE,
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH if self.videos else None,
            "splits": {"train": f"0:{self.n_episodes}"},
            **self.info,
        }


def _values(episode: Episode) -> dict[str, np.ndarray | Frames]:
    """All that an episode has for every step."""
    values = {**episode.observations, ACTION: episode.actions}
    last = np.arange(len(episode)) == len(episode) - 1
    if episode.rewards is not None:
        values[REWARD] = episode.rewards
    if episode.success is not None:
        values[SUCCESS] = last & bool(episode.success)
    return {**values, DONE: last}


def _check_value(where: str, key: str, value: np.ndarray | Frames, length: int) -> None:
    if not length:
        raise UserError(f"{where} has no frames; leave this episode out")
    if len(value) != length:
        raise UserError(f"{where} has {len(value)} frames but {ACTION} {length}; fix or leave out this episode")
    if "/" in key or key in INDEX_FEATURES:
        raise UserError(f"{where}: LeRobot does not take this name; choose one without a slash, and none of its own")
    fits = value.shape[-1] == 3 if is_image(value) else value.dtype.kind in "fiub" and value.ndim <= MAX_DIMENSIONS + 1
    if not fits or 0 in value.shape:
        raise UserError(
            f"{where} is {value.dtype} {value.shape[1:]}; LeRobot takes numbers of 1 to {MAX_DIMENSIONS} dimensions, "
            "and images (height, width, 3)"
        )


def _feature(value: np.ndarray | Frames, images: str) -> dict[str, Any]:
    """An entry of meta/info.json's features."""
    names = ["height", "width", "channels"] if is_image(value) else None
    dtype = images if is_image(value) else value.dtype.name
    return {"dtype": dtype, "shape": list(value.shape[1:]) or [1], "names": names}


def _describe(feature: dict | None) -> str:
    return "missing" if feature is None else f"{feature['dtype']} {tuple(feature['shape'])}"


def _images(values: np.ndarray | Frames, counts: PixelCounts) -> Iterator[np.ndarray]:
    """One image after another, counted; only some are read at a time."""
    for start in range(0, len(values), IMAGES_AT_A_TIME):
        batch = values[start : start + IMAGES_AT_A_TIME]
        counts.add(batch)
        yield from batch


def _column(values: np.ndarray) -> pa.Array:
    """Values (T, ...) as a column: scalars, lists of fixed size, or nested lists."""
    column = pa.array(values.ravel())
    if values.ndim == 1 or values.shape[1:] == (1,):
        return column
    if values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(column, values.shape[1])
    for size in reversed(values.shape[1:]):
        offsets = pa.array(np.arange(0, len(column) + 1, size, dtype=np.int32))
        column = pa.ListArray.from_arrays(offsets, column)
    return column


def _png_column(images: Iterator[np.ndarray]) -> pa.Array:
    return pa.array([{"bytes": _png(image), "path": None} for image in images], IMAGE)


def _png(image: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")

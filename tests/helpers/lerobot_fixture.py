"""A small writer of LeRobot data sets, for tests only: folders as LeRobot and its converter leave them."""

import json
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
from av.codec.codec import UnknownCodecError
from PIL import Image
from pyarrow import parquet

DATA = {
    "v3.0": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "v2.1": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
}
VIDEOS = {
    "v3.0": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    "v2.1": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
}
Content = dict[str, np.ndarray]


def write_lerobot(
    folder: Path,
    version: str = "v3.0",
    n_episodes: int = 2,
    length: int = 12,
    state_dim: int = 2,
    action_dim: int = 2,
    fps: int = 10,
    images: dict[str, tuple[int, int]] | None = None,
    video: bool = True,
    seed: int = 0,
    *,
    results: bool = True,
    converted: bool = False,
    episodes_per_file: int = 2,
    codec: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write `lerobot_content` of the same arguments below `folder`, which is returned.

    `images`: key -> (height, width); as mp4 where `video`, else as PNG in the rows. `results`: with next.reward and
    next.success. `converted`: lists of variable size, and one row group for all episodes of a file.
    """
    images = {"observation.image": (96, 96)} if images is None else images
    content = lerobot_content(n_episodes, length, state_dim, action_dim, images, seed)
    columns = [key for key in content[0] if results or not key.startswith("next.")]
    video_keys = list(images) if video else []
    columns = [key for key in columns if key not in video_keys]
    n = episodes_per_file if version == "v3.0" else 1
    episodes = []
    for first in range(0, n_episodes, n):
        numbers = range(first, min(first + n, n_episodes))
        place = {"chunk_index": 0, "file_index": first // n, "episode_chunk": 0, "episode_index": first}
        tables = [_table(content[number], columns, number, length, fps, converted) for number in numbers]
        _write_rows(folder / DATA[version].format(**place), tables, length * n if converted else length)
        for key in video_keys:
            frames = np.concatenate([content[number][key] for number in numbers])
            _write_video(folder / VIDEOS[version].format(**place, video_key=key), frames, fps, codec, options)
        for number in numbers:
            episodes.append({"episode_index": number, "length": length, "tasks": ["a task"]})
            if version == "v3.0":
                episodes[-1] |= {"data/chunk_index": 0, "data/file_index": first // n, "stats/action/mean": [0.0]}
            for key in video_keys if version == "v3.0" else []:
                start = (number - first) * length / fps
                where = {"chunk_index": 0, "file_index": first // n, "from_timestamp": start}
                episodes[-1] |= {f"videos/{key}/{name}": value for name, value in where.items()}
    _write_meta(folder / "meta", version, episodes, _features(content[0], columns, images, video), fps)
    return folder


def lerobot_content(
    n_episodes: int = 2,
    length: int = 12,
    state_dim: int = 2,
    action_dim: int = 2,
    images: dict[str, tuple[int, int]] | None = None,
    seed: int = 0,
) -> list[Content]:
    """Column -> values of each episode; images are blocks of random colours, which video codecs keep well."""
    generator = np.random.default_rng(seed)
    images = {"observation.image": (96, 96)} if images is None else images
    episodes = []
    for number in range(n_episodes):
        arrays = {
            "observation.state": generator.normal(size=(length, state_dim)).astype(np.float32),
            "action": generator.normal(size=(length, action_dim)).astype(np.float32),
            "next.reward": generator.random(length, dtype=np.float32),
            "next.success": np.arange(length) == (length - 1 if number % 2 == 0 else length),
        }
        for key, (height, width) in images.items():
            blocks = generator.integers(0, 256, (length, 3, 3, 3), dtype=np.uint8)
            arrays[key] = blocks.repeat(-(-height // 3), 1).repeat(-(-width // 3), 2)[:, :height, :width]
        episodes.append(arrays)
    return episodes


def _table(content: Content, columns: list[str], number: int, length: int, fps: int, converted: bool) -> pa.Table:
    arrays = {key: _column(content[key], converted) for key in columns}
    frame_index = np.arange(length)
    arrays |= {
        "timestamp": pa.array((frame_index / fps).astype(np.float32)),
        "frame_index": pa.array(frame_index),
        "episode_index": pa.array(np.full(length, number)),
        "index": pa.array(number * length + frame_index),
        "task_index": pa.array(np.zeros(length, np.int64)),
    }
    return pa.table(arrays)


def _column(values: np.ndarray, converted: bool) -> pa.Array:
    if values.ndim == 4:
        return pa.array([{"bytes": _png(image), "path": None} for image in values])
    if values.ndim == 1:
        return pa.array(values)
    kind = pa.list_(pa.float32()) if converted else pa.list_(pa.float32(), values.shape[1])
    return pa.array(values.tolist(), kind)


def _png(image: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def _write_rows(path: Path, tables: list[pa.Table], row_group_size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.concat_tables(tables), path, row_group_size=row_group_size)


def _write_video(path: Path, frames: np.ndarray, fps: int, codec: str | None, options: dict | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec or _codec(), rate=fps, options=options or {"g": "2", "crf": "15"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _codec() -> str:
    try:
        av.Codec("libx264", "w")
        return "libx264"
    except UnknownCodecError:
        return "mpeg4"


def _features(content: Content, columns: list[str], images: dict[str, tuple[int, int]], video: bool) -> dict:
    features = {
        key: {"dtype": "float32", "shape": list(content[key].shape[1:]) or [1], "names": None}
        for key in columns
        if key not in images
    }
    for key, size in images.items():
        names = ["height", "width", "channels"]
        features[key] = {"dtype": "video" if video else "image", "shape": [*size, 3], "names": names}
    return features


def _write_meta(meta: Path, version: str, episodes: list[dict], features: dict, fps: int) -> None:
    meta.mkdir(parents=True, exist_ok=True)
    info = {"codebase_version": version, "fps": fps, "features": features, "total_episodes": len(episodes)}
    info |= {"chunks_size": 1000, "data_path": DATA[version], "video_path": VIDEOS[version], "robot_type": None}
    (meta / "info.json").write_text(json.dumps(info))
    if version == "v2.1":
        (meta / "episodes.jsonl").write_text("".join(json.dumps(episode) + "\n" for episode in episodes))
    else:
        _write_rows(meta / "episodes/chunk-000/file-000.parquet", [pa.Table.from_pylist(episodes)], 10)

"""Writes what was drawn, with h5py and pyarrow alone: what is tested has no part in it."""

import csv
import io
import json
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image
from pyarrow import parquet
from truth import CAMERA, DataSet, TrueEpisode

SUCCESS = {
    "bool": np.bool_,
    "int": np.int64,
    "uint8": np.uint8,
    "float": np.float64,
    "enum": lambda value: np.array(value, h5py.enum_dtype({"NO": 0, "YES": 1}, np.int8)),
    "text": str,
    "bytes": lambda value: np.bytes_(str(value)),
    "array": lambda value: np.array([value]),
}


def write(data: DataSet, folder: Path) -> Path:
    """Write a data set below `folder`; its path."""
    if data.format in ("robomimic", "own"):
        return _write_robomimic(data, folder / "some data.hdf5")
    if data.format == "aloha":
        return _write_aloha(data, folder / "my aloha")
    return _write_lerobot(data, folder / "lerobot")


def _in_order(data: DataSet) -> list[TrueEpisode]:
    """The episodes in the order in which they are written down."""
    return [data.episodes[index] for index in data.odd["order"]]


def _create(group: h5py.Group, name: str, values: np.ndarray, chunks: str | None) -> None:
    options: dict[str, object] = {}
    if chunks:
        options["chunks"] = (1, *values.shape[1:]) if chunks == "rows" else values.shape
    if chunks in ("gzip", "lzf"):
        options["compression"] = chunks
    group.create_dataset(name, data=values, shuffle=chunks == "shuffle", **options)


def _stored(values: np.ndarray, odd: dict) -> np.ndarray:
    """What an HDF5 file holds of an array: images as channels first, or as rows of JPEG bytes, ended by zeros."""
    if values.ndim != 4 or odd["camera"] not in ("chw", "jpeg"):
        return values
    if odd["camera"] == "chw":
        return np.moveaxis(values, -1, 1)
    rows = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].ravel() for image in values]
    return np.stack([np.pad(row, (0, max(map(len, rows)) - len(row))) for row in rows])


def _write_robomimic(data: DataSet, path: Path) -> Path:
    odd = data.odd
    with h5py.File(path, "w") as file:
        group = file.create_group("data")
        env_args = json.dumps({"env_name": "e", "fps": data.fps}) if data.format == "own" else odd["env_args"]
        if env_args is not None:
            group.attrs["env_args"] = env_args
        for episode in _in_order(data):
            _write_group(group.create_group(f"{odd['group']}_{episode.number}"), episode, odd)
        if odd["link"] == "external":
            _link_elsewhere(file, group, path.with_name("elsewhere.h5"))
        if odd["extra"]:
            file["mask/train"] = np.array([name.encode() for name in list(group)[:1]])
    return path


def _write_group(group: h5py.Group, episode: TrueEpisode, odd: dict) -> None:
    group.attrs["num_samples"] = np.int32(len(episode))
    if episode.success is not None:
        group.attrs["success"] = SUCCESS[odd["success_as"]](episode.success)
    for name in ("checkpoint", "task"):
        if (value := getattr(episode, name)) is not None:
            group.attrs[name] = value
    for key, values in {**episode.observations, **episode.unread}.items():
        _create(group, f"obs/{key.removeprefix('observation.').replace('.', '/')}", _stored(values, odd), odd["chunks"])
    _create(group, "actions", episode.actions, odd["chunks"])
    if odd["link"] == "soft":
        group.move("actions", "really/actions")
        group["actions"] = h5py.SoftLink(f"{group.name}/really/actions")
    if episode.rewards is not None:
        _create(group, "rewards", episode.rewards, odd["chunks"])


def _link_elsewhere(file: h5py.File, group: h5py.Group, path: Path) -> None:
    """One episode lies in another file."""
    name = next(iter(group))
    with h5py.File(path, "w") as other:
        file.copy(group[name], other, "there")
    del group[name]
    group[name] = h5py.ExternalLink(path.name, "there")


def _write_aloha(data: DataSet, folder: Path) -> Path:
    folder.mkdir()
    for episode in _in_order(data):
        name = f"episode_{episode.number:0{3 if data.odd['padded'] else 1}d}.hdf5"
        with h5py.File(folder / name, "w") as file:
            file.attrs["sim"] = data.odd["extra"]
            for key, values in {**episode.observations, **episode.unread}.items():
                name = key.removeprefix("observation.").replace(".", "/")
                _create(
                    file,
                    f"observations/{'qpos' if name == 'state' else name}",
                    _stored(values, data.odd),
                    data.odd["chunks"],
                )
            _create(file, "action", episode.actions, data.odd["chunks"])
    if data.odd["hidden"]:
        (folder / f"._episode_{data.episode_indices[0]}.hdf5").write_bytes(b"\0\5\x16\7")
        (folder / ".DS_Store").write_bytes(b"\0")
    _write_labels(data, folder / "labels.csv")
    return folder


def _write_labels(data: DataSet, path: Path) -> None:
    labelled = [episode for episode in data.episodes if episode.success is not None]
    if not labelled:
        return
    kind = data.odd["labels"]
    if kind == "plain" and len(labelled) == len(data.episodes) and not any(e.checkpoint for e in labelled):
        path.write_text("".join(f"{int(episode.success)}\n" for episode in labelled))
        return
    rows = labelled[::-1] if kind == "shuffled" else labelled
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n" if kind == "shuffled" else "\n")
        writer.writerow(["episode", "success", "checkpoint"])
        for row in rows:
            success = str(row.success) if kind == "words" else int(row.success)
            writer.writerow([row.number, success, row.checkpoint or ""])


def _write_lerobot(data: DataSet, folder: Path) -> Path:
    version, odd = data.format.removeprefix("lerobot_"), data.odd
    (folder / "meta").mkdir(parents=True)
    per_file = odd["per_file"] if version == "v3.0" else 1
    tables, videos, rows, start = {}, {}, [], 0
    for position, episode in enumerate(data.episodes):
        place = position // per_file if version == "v3.0" else episode.number
        videos.setdefault(place, []).append(episode)
        tables.setdefault(place, []).append(_table(episode, data, start))
        row = {"episode_index": episode.number, "length": len(episode), "tasks": [episode.task]}
        if version == "v3.0":
            chunk, file = divmod(place, odd["per_chunk"])
            row |= {"data/chunk_index": chunk, "data/file_index": file}
            row |= _video_row(chunk, file, sum(map(len, videos[place][:-1])), len(episode), data)
            row |= {"dataset_from_index": start, "dataset_to_index": start + len(episode)}
        if odd["success_in"] == "episodes" and episode.success is not None:
            row["success"] = episode.success
        rows.append(row)
        start += len(episode)
    for place, parts in tables.items():
        path = _place(folder, _PATTERNS[version], place, odd["per_chunk"])
        parquet.write_table(pa.concat_tables(parts), path, row_group_size=odd["row_group"])
        if odd["camera"] == "video":
            images = np.concatenate([episode.observations[CAMERA] for episode in videos[place]])
            _write_video(_place(folder, _VIDEOS[version], place, odd["per_chunk"]), images, data.fps)
    _write_meta(data, folder / "meta", version, rows, start)
    return folder


def _place(folder: Path, pattern: str, place: int, per_chunk: int) -> Path:
    """The path of a file, by its number, and its folder; in v2.1 the number is the episode's."""
    chunk, file = divmod(place, per_chunk)
    path = folder / pattern.format(chunk_index=chunk, file_index=file, episode_chunk=chunk, episode_index=place)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _video_row(chunk: int, file: int, start: int, length: int, data: DataSet) -> dict:
    if data.odd["camera"] != "video":
        return {}
    times = {"from_timestamp": start / data.fps, "to_timestamp": (start + length) / data.fps}
    where = {"chunk_index": chunk, "file_index": file, **times}
    return {f"videos/{CAMERA}/{name}": value for name, value in where.items()}


def _write_video(path: Path, images: np.ndarray, fps: int) -> None:
    with av.open(path, "w") as video:
        stream = video.add_stream("h264", fps, options={"crf": "1", "g": "3"})
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in images:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        video.mux(stream.encode())


_VIDEOS = {
    "v3.0": f"videos/{CAMERA}/chunk-{{chunk_index:03d}}/file-{{file_index:03d}}.mp4",
    "v2.1": f"videos/chunk-{{episode_chunk:03d}}/{CAMERA}/episode_{{episode_index:06d}}.mp4",
}
_PATTERNS = {
    "v3.0": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "v2.1": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
}


def _columns(episode: TrueEpisode, data: DataSet) -> dict[str, np.ndarray]:
    columns = {**episode.observations, **episode.unread, "action": episode.actions}
    if data.odd["camera"] == "video":
        del columns[CAMERA]
    if episode.rewards is not None:
        columns["next.reward"] = episode.rewards
    if data.odd["success_in"] == "rows":
        columns["next.success"] = np.arange(len(episode)) == (len(episode) - 1 if episode.success else -1)
    return columns


def _table(episode: TrueEpisode, data: DataSet, start: int) -> pa.Table:
    arrays = {key: _array(values, data.odd["lists"]) for key, values in _columns(episode, data).items()}
    frames = np.arange(len(episode))
    arrays |= {
        "timestamp": pa.array((frames / data.fps).astype(np.float32)),
        "frame_index": pa.array(frames),
        "episode_index": pa.array(np.full(len(episode), episode.number)),
        "index": pa.array(start + frames),
        "task_index": pa.array(np.zeros(len(episode), np.int64)),
    }
    if episode.checkpoint is not None:
        arrays["checkpoint"] = pa.array([episode.checkpoint] * len(episode))
    names = sorted(arrays)
    order = data.odd["columns"]
    names.sort(key=lambda name: order[len(name) % len(order)])
    return pa.table({name: arrays[name] for name in names})


def _array(values: np.ndarray, lists: str) -> pa.Array:
    values = values.astype(values.dtype.newbyteorder("="))
    if values.ndim == 1:
        return pa.array(values)
    if values.ndim == 4:
        return pa.array([{"bytes": _png(image), "path": None} for image in values])
    item = pa.from_numpy_dtype(values.dtype)
    kinds = {"fixed": pa.list_(item, values.shape[1]), "variable": pa.list_(item), "large": pa.large_list(item)}
    return pa.array(list(values), kinds[lists])


def _png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def _feature(values: np.ndarray, odd: dict) -> dict:
    if values.ndim != 4:
        kind = "string" if values.dtype.kind == "O" else str(values.dtype.newbyteorder("="))
        return {"dtype": kind, "shape": list(values.shape[1:]) or [1], "names": None}
    height, width, _ = values.shape[1:]
    shape = [3, height, width] if odd["camera"] == "png chw" else [height, width, 3]
    return {"dtype": "video" if odd["camera"] == "video" else "image", "shape": shape, "names": None}


def _video_path(version: str, data: DataSet) -> str | None:
    return _VIDEOS[version].replace(CAMERA, "{video_key}") if data.odd["camera"] == "video" else None


def _write_meta(data: DataSet, meta: Path, version: str, rows: list[dict], n_frames: int) -> None:
    first = data.episodes[0]
    columns = _columns(first, data) | first.observations
    features = {key: _feature(values, data.odd) for key, values in columns.items()}
    if data.episodes[0].checkpoint is not None:
        features["checkpoint"] = {"dtype": "string", "shape": [1], "names": None}
    info = {"codebase_version": version, "fps": data.fps, "features": features, "total_episodes": len(rows)}
    info |= {
        "total_frames": n_frames,
        "data_path": _PATTERNS[version],
        "video_path": _video_path(version, data),
        "robot_type": None,
    }
    info |= {"chunks_size": data.odd["per_chunk"], "total_tasks": 1, "splits": {"train": f"0:{len(rows)}"}}
    (meta / "info.json").write_text(json.dumps(info))
    task = data.episodes[0].task
    if version == "v2.1":
        lines = [json.dumps(row, ensure_ascii=not data.odd["extra"]) + "\n" for row in rows]
        (meta / "episodes.jsonl").write_text("".join(lines), encoding="utf-8")
        line = json.dumps({"task_index": 0, "task": task}, ensure_ascii=not data.odd["extra"])
        (meta / "tasks.jsonl").write_text(line + "\n", encoding="utf-8")
        return
    (meta / "episodes/chunk-000").mkdir(parents=True)
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    parquet.write_table(table, meta / "episodes/chunk-000/file-000.parquet")
    pd.DataFrame({"task_index": [0]}, index=pd.Index([task], name="task")).to_parquet(meta / "tasks.parquet")

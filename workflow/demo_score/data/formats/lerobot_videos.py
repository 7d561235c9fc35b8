"""The mp4 files of a LeRobot data set v3.0: one camera's episodes follow each other in a file.

Codecs, their settings and the order of steps (an episode is encoded by itself, so that it begins with a key frame,
then joined to its file without encoding again) are those of LeRobot 0.6.1 (configs/video.py, dataset_writer.py).
"""

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.codec import UnknownCodecError

from demo_score.runtime.errors import UserError

CODECS = {"libsvtav1": "av1", "h264": "h264", "hevc": "hevc"}  # encoder -> what LeRobot calls its videos
PIXELS = "yuv420p"
QUALITY = {"g": 2, "crf": 30}  # a key frame every second frame: any frame is found at once
SVT_PRESET = 12
OPTIONS = {  # of one encoder only
    "libsvtav1": {"preset": str(SVT_PRESET), "svtav1-params": "fast-decode=0"},
    "hevc": {"x265-params": "log-level=none"},
}
CHUNK_SIZE = 1000  # files in a folder
MEGABYTE = 1024**2

os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder's notes on standard error: errors only


def check_codec(codec: str) -> None:
    """Raise UserError for a codec that is not known, or that this PyAV was built without."""
    if codec not in CODECS:
        raise UserError(f"codec={codec}: unknown; set one of: {', '.join(CODECS)}")
    try:
        av.Codec(codec, "w")
    except UnknownCodecError:
        raise UserError(f"codec={codec}: not in this build of PyAV; set another of: {', '.join(CODECS)}") from None


def video_info(codec: str, fps: int, height: int, width: int) -> dict[str, Any]:
    """What meta/info.json tells of a camera's videos."""
    stream = {"height": height, "width": width, "codec": CODECS[codec], "pix_fmt": PIXELS, "fps": fps, "channels": 3}
    encoder = {**QUALITY, "preset": SVT_PRESET if codec == "libsvtav1" else None, "fast_decode": 0}
    encoder |= {"video_backend": "pyav", "extra_options": {}}
    video = {f"video.{name}": value for name, value in (stream | encoder).items()}
    return {**video, "has_audio": False, "is_depth_map": False}


class VideoFiles:
    """Writes one camera's videos, `path(chunk_index, file_index)`, each of at most `limit` bytes where it can be."""

    def __init__(self, folder: Path, template: str, key: str, feature: dict, fps: int, codec: str, limit: float):
        self.folder, self.template, self.key = folder, template, key
        self.height, self.width, _ = feature["shape"]
        self.fps, self.codec, self.limit = fps, codec, limit
        self.file_number = 0
        self.parts: list[tuple[Path, int]] = []  # of the current file: each episode's video, frames before it
        self.n_frames = 0  # in the current file
        self.size = 0  # bytes of its parts

    def add(self, images: Iterable[np.ndarray], n_frames: int) -> dict[str, int | float]:
        """Encode an episode's `images` (H, W, 3), uint8. Returns where they are, as meta/episodes tells it."""
        part = self.folder / f"{self.key}.next.mp4"
        self._encode(part, images)
        size = part.stat().st_size
        if self.parts and self.size + size >= self.limit:
            self.close()
            self.file_number += 1
        part = part.rename(self.folder / f"{self.key}.{len(self.parts)}.mp4")
        chunk_index, file_index = divmod(self.file_number, CHUNK_SIZE)
        start = self.n_frames
        self.parts.append((part, start))
        self.n_frames += n_frames
        self.size += size
        times = {"from_timestamp": start / self.fps, "to_timestamp": self.n_frames / self.fps}
        where = {"chunk_index": chunk_index, "file_index": file_index, **times}
        return {f"videos/{self.key}/{name}": value for name, value in where.items()}

    def close(self) -> None:
        """Finish the current file."""
        chunk_index, file_index = divmod(self.file_number, CHUNK_SIZE)
        names = {"video_key": self.key, "chunk_index": chunk_index, "file_index": file_index}
        path = self.folder / self.template.format(**names)
        path.parent.mkdir(parents=True, exist_ok=True)
        _join(self.parts, path, self.fps)
        for part, _ in self.parts:
            part.unlink()
        self.parts, self.n_frames, self.size = [], 0, 0

    def _encode(self, path: Path, images: Iterable[np.ndarray]) -> None:
        """Write a video of its own."""
        options = {name: str(value) for name, value in QUALITY.items()} | OPTIONS.get(self.codec, {})
        shape = {"height": self.height, "width": self.width, "pix_fmt": PIXELS}
        try:
            with av.open(path, "w") as container:
                stream = container.add_stream(self.codec, rate=self.fps, options=options, **shape)
                for image in images:
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
                container.mux(stream.encode())
        except av.FFmpegError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OSError(error.errno, error.strerror) from None
            size = f"{self.height}x{self.width}"
            raise UserError(
                f"{self.key}: {self.codec} cannot encode images of {size} ({error.strerror}); set images=image, or "
                "another codec"
            ) from None


def _join(parts: list[tuple[Path, int]], path: Path, fps: int) -> None:
    """Copy videos into one, each at the time of its first frame."""
    with av.open(path, "w", options={"movflags": "faststart"}) as joined:
        stream = None
        for part, start in parts:
            with av.open(part) as video:
                source = video.streams.video[0]
                if stream is None:
                    stream = joined.add_stream_from_template(source, opaque=True)
                    stream.time_base = source.time_base
                offset = round(start / fps / source.time_base)
                for packet in video.demux(source):
                    if packet.dts is None:  # the last, which is empty
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    joined.mux(packet)

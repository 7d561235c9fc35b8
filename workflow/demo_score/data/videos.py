"""Single frames of video files, exact to their time stamps, by two decoders.

Frames are found by time as LeRobot finds them (dataset_reader.py: tolerance 1e-4 s). Decoders use one thread:
several processes decode at once. PyAV brings FFmpeg's libraries: it is imported where a video is opened.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from demo_score.data.frames import Frames, OpenFiles, SourceFile
from demo_score.runtime.errors import UserError
from demo_score.runtime.unreadable import damaged_download, unreadable

if TYPE_CHECKING:
    import av

TOLERANCE = 1e-4  # seconds


class Video(Protocol):
    """An open video."""

    def image(self, time: float) -> np.ndarray:
        """The frame shown at `time` (seconds): (H, W, 3) uint8. Raises UserError where there is none."""


class PyAVVideo:
    """Decodes with PyAV: every codec of FFmpeg's, AV1 among them."""

    def __init__(self, path: Path):
        import av

        self.path = path
        self.errors = av.FFmpegError, LookupError, ValueError, OverflowError  # PyAV's, of damaged files
        try:
            self.container = av.open(path)
            self.stream = self.container.streams.video[0]
        except self.errors as error:
            raise _damaged(path, error) from None
        if self.stream.codec_context is None or not self.stream.time_base:
            raise _damaged(path, "its codec or its clock is not known")
        self.stream.codec_context.thread_count = 1
        self.frames: Iterator[av.VideoFrame] = iter(())
        self.frame: av.VideoFrame | None = None  # the last one decoded

    def image(self, time: float) -> np.ndarray:
        try:
            if not self._is_ahead(time):
                self._seek(time)
            while self.frame is not None and self.frame.time < time - TOLERANCE:
                self.frame = self._next()
            if self.frame is None or self.frame.time > time + TOLERANCE:
                raise _no_frame(self.path, time)
            return self.frame.to_ndarray(format="rgb24")
        except self.errors as error:
            raise _damaged(self.path, error) from None

    def _next(self) -> "av.VideoFrame | None":
        frame = next(self.frames, None)
        if frame is not None and frame.time is None:
            raise _damaged(self.path, "a frame without its time")
        return frame

    def _is_ahead(self, time: float) -> bool:
        """Whether decoding on reaches `time`, with no key frame between that would be quicker."""
        if self.frame is None or self.frame.time > time + TOLERANCE:
            return False
        entries, stamp = self.stream.index_entries, self._stamp(time)
        key = entries.search_timestamp(stamp)
        return key >= 0 and entries[key].timestamp <= self.frame.pts

    def _seek(self, time: float) -> None:
        """Decode the last key frame before `time`."""
        for earlier in (0.0, 1.0, time):  # with frames out of order, the nearest key frame may be shown later
            stamp = max(self._stamp(time - earlier), self.stream.start_time or 0)
            self.container.seek(stamp, stream=self.stream)
            self.frames = self.container.decode(self.stream)
            self.frame = self._next()
            if self.frame is not None and self.frame.time <= time + TOLERANCE:
                return

    def _stamp(self, time: float) -> int:
        return round(time / self.stream.time_base)


class OpenCVVideo:
    """Decodes with OpenCV, whose wheels lack some codecs."""

    def __init__(self, path: Path):
        self.path = path
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its complaints come as UserError
        self.capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not self.capture.isOpened():
            raise self._cannot_decode()
        self.fps = self.capture.get(cv2.CAP_PROP_FPS)

    def image(self, time: float) -> np.ndarray:
        number = round(time * self.fps)
        if number != self.capture.get(cv2.CAP_PROP_POS_FRAMES):
            self.capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        found, image = self.capture.read()
        if not found and number < self.capture.get(cv2.CAP_PROP_FRAME_COUNT):
            raise self._cannot_decode()
        if not found or abs(self.capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 - time) > TOLERANCE:
            raise _no_frame(self.path, time)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def _cannot_decode(self) -> UserError:
        damage = (
            "damaged, or of a codec that OpenCV cannot decode; set video_backend=pyav, or download the data set again"
        )
        return unreadable(self.path, None, damage)


BACKENDS = {"pyav": PyAVVideo, "opencv": OpenCVVideo}


def check_backend(video_backend: str) -> None:
    """Raise UserError for a decoder that there is not."""
    if video_backend not in BACKENDS:
        raise UserError(f"video_backend={video_backend}: unknown; set one of: {', '.join(BACKENDS)}")


class VideoFrames(Frames):
    """Images of a video, at `times` (T,) in seconds."""

    def __init__(self, source: SourceFile, shape: tuple[int, int, int, int], times: np.ndarray, video_backend: str):
        super().__init__(source, shape)
        self.times = times
        self.video_backend = video_backend

    def identity(self) -> str:
        ends = " ".join(f"{time:.6f}" for time in (*self.times[:1], *self.times[-1:]))
        return f"{self.source} {ends} {self.video_backend}"

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        video = _open_video(self.source, self.video_backend)
        return (video.image(time) for time in self.times[indices])


@OpenFiles
def _open_video(source: SourceFile, video_backend: str) -> Video:
    return BACKENDS[video_backend](source.unchanged())


def _damaged(path: Path, error: object) -> UserError:
    return damaged_download(path, error, "damaged, or no video")


def _no_frame(path: Path, time: float) -> UserError:
    return UserError(f"{path}: has no frame at {time:.4f} s (tolerance {TOLERANCE} s); download the data set again")

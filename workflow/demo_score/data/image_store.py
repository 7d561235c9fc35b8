"""Images decoded once into a folder, from which every training maps them into memory.

A file a camera and episode: NumPy's own format, uint8. It is named after where the images came from, and when that was
changed last, so that others never take its place; the folder can be removed whenever nothing is training.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from demo_score.data.episodes import Episode
from demo_score.data.frames import Frames, PackedFrames
from demo_score.runtime.digests import digest
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path, check_writable
from demo_score.runtime.progress import progress_bar
from demo_score.runtime.stopping import check


class DecodedFrames(Frames):
    """Images in a file of the store; they count as those that they were decoded from."""

    def __init__(self, frames: Frames, file: Path):
        super().__init__(frames.source, frames.shape)
        self.file = file
        self._identity = frames.identity()

    def identity(self) -> str:
        return self._identity

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        yield from _mapped(self.file, self.shape)[indices]


def with_decoded_images(episodes: list[Episode], store: Path, how: str) -> list[Episode]:
    """The episodes with their images decoded, in files of the folder `store`, which are made where they are not there.

    `how`: stands for the settings by which they are decoded. Raises UserError where an image cannot be read, or the
    folder is full or cannot be written.
    """
    check_writable(store, folder=True)
    files = [{key: store / _name(frames, how) for key, frames in _frames(episode)} for episode in episodes]
    missing = sum(not file.is_file() for of_episode in files for file in of_episode.values())
    with progress_bar(missing, "decoding images", "camera") as progress:
        return [_with(*pair, progress.update) for pair in zip(episodes, files, strict=True)]


def _frames(episode: Episode) -> list[tuple[str, Frames]]:
    """What lies in files."""
    frames = ((key, values) for key, values in episode.observations.items() if isinstance(values, Frames))
    return [(key, values) for key, values in frames if not isinstance(values, PackedFrames)]


def _name(frames: Frames, how: str) -> str:
    return f"{digest(str(frames.source.path.resolve()), frames.identity(), how)}.npy"


def _with(episode: Episode, files: dict[str, Path], done: Callable[[], object]) -> Episode:
    decoded = {}
    for key, frames in _frames(episode):
        if not files[key].is_file():
            _decode(frames, files[key])
            done()
        decoded[key] = DecodedFrames(frames, files[key])
    return replace(episode, observations=episode.observations | decoded)


def _decode(frames: Frames, file: Path) -> None:
    with atomic_path(file) as temporary, temporary.open("wb") as out:
        npy.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": frames.shape})
        for image in frames.images(np.arange(len(frames))):
            out.write(np.ascontiguousarray(image).data)  # not through a mapping: a full disk would kill the process
            check()


@cache
def _mapped(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A process maps a file once, and keeps it so: all of them together take no memory that others could not have."""
    try:
        images = np.load(file, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read ({error}); remove it, and start again") from None
    if images.shape != shape or images.dtype != np.uint8:
        raise UserError(f"{file}: holds images {images.shape}, expected {shape}; remove it, and start again")
    return images

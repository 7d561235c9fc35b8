"""The images of an episode, compressed in memory or left in their file until a batch asks for them.

A process opens a file when it first reads from it, and keeps a few open; objects hold only paths, so that they
can be handed to other processes.
"""

import hashlib
import os
import zlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from demo_score.runtime.errors import UserError
from demo_score.runtime.unreadable import unreadable

MAX_OPEN_FILES = 16
NOT_DRAWN = b""  # in place of a packed image
HDF5_ERRORS = (OSError, LookupError, RuntimeError, TypeError, ValueError, MemoryError)  # h5py's, of damaged files


def first_line(error: object) -> str:
    """What an error says, in one line."""
    shown = error.args[0] if isinstance(error, KeyError) and error.args else error  # a KeyError shows it in quotes
    return next(iter(str(shown).splitlines()), type(error).__name__)


def not_drawn(where: str, step: int) -> UserError:
    """What is said of an image that a rollout did without."""
    return UserError(f"{where}: step {step} was not drawn, at which no policy looked; set eval.record_images=true")


@dataclass(frozen=True)
class SourceFile:
    """A file as it was when its episodes were listed."""

    path: Path
    size: int  # bytes
    modified: int  # nanoseconds

    @classmethod
    def of(cls, path: Path) -> "SourceFile":
        stat = path.stat()
        return cls(path, stat.st_size, stat.st_mtime_ns)

    def __str__(self) -> str:
        return f"{self.path.name} {self.size} {self.modified}"

    def unchanged(self) -> Path:
        """The path. Raises UserError where another file lies there now, or none."""
        if not self.path.is_file() or SourceFile.of(self.path) != self:
            raise UserError(f"{self.path}: was changed or removed while in use; start again")
        return self.path


class Frames(ABC):
    """T images under one key of an episode; reads as an array of shape (T, H, W, 3), uint8."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, source: SourceFile, shape: tuple[int, int, int, int]):
        self.source = source
        self.shape = shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: slice | list[int] | np.ndarray) -> np.ndarray:
        """Images (n, H, W, 3), uint8. Raises UserError where the file is damaged or holds other sizes."""
        wanted = np.arange(len(self))[indices]
        images = np.empty((*wanted.shape, *self.shape[1:]), np.uint8)
        unique = np.unique(wanted)
        for index, image in zip(unique, self.images(unique), strict=True):
            images[wanted == index] = image
        return images

    def images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """One image (H, W, 3) after another, at `indices`, which rise; errors as above."""
        for image in self._images(indices):
            if image.shape != self.shape[1:]:
                raise UserError(f"{self.source.path}: an image has shape {image.shape}, expected {self.shape[1:]}")
            yield image

    @abstractmethod
    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """The images at `indices`, which rise, whatever their shape."""

    @abstractmethod
    def identity(self) -> str:
        """Names the content in place of the images themselves: file name, size, time of change, and where in it."""


class StoredFrames(Frames):
    """Images in one of our HDF5 files, one a chunk: `name` is the data set."""

    def __init__(self, source: SourceFile, shape: tuple[int, int, int, int], name: str):
        super().__init__(source, shape)
        self.name = name

    def identity(self) -> str:
        return f"{self.source} {self.name}"

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        try:
            values = _open_hdf5(self.source)[self.name]
            for index in indices:
                yield values[index]
        except HDF5_ERRORS as error:
            damage = f"{self.name} is damaged ({first_line(error)}); make or copy it again"
            raise unreadable(self.source.path, error, damage) from None


class SeenFrames(StoredFrames):
    """Images of which the file holds those of some `steps`, at which a policy looked."""

    def __init__(self, source: SourceFile, shape: tuple[int, int, int, int], name: str, steps: np.ndarray):
        super().__init__(source, shape, name)
        self.steps = steps

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        if len(missing := np.setdiff1d(indices, self.steps)):
            raise not_drawn(f"{self.source.path}: {self.name}", missing[0])
        yield from super()._images(indices)


class PackedFrames(Frames):
    """Images in memory, compressed: a 480x640 ALOHA frame takes 43 KB of 922, and 3.5 ms to pack.

    One that was not drawn is NOT_DRAWN.
    """

    def __init__(self, packed: list[bytes], image_shape: tuple[int, int, int]):
        self.packed = packed
        self.shape = (len(packed), *image_shape)

    @property
    def steps(self) -> np.ndarray:
        """The steps whose images were drawn, rising."""
        return np.flatnonzero([image != NOT_DRAWN for image in self.packed])

    @staticmethod
    def pack(image: np.ndarray) -> bytes:
        """An image (H, W, 3) uint8, compressed."""
        return zlib.compress(image, level=1)

    def identity(self) -> str:
        return hashlib.sha256(b"".join(self.packed)).hexdigest()

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        for index in indices:
            if self.packed[index] == NOT_DRAWN:
                raise not_drawn("the episode", index)
            yield np.frombuffer(zlib.decompress(self.packed[index]), np.uint8).reshape(self.shape[1:])


class OpenFiles:
    """The files that this process has open, the last few of them.

    A forked process opens its own. Those it inherits it neither uses nor closes: closing one waits for ever for
    threads of its decoder that were not forked.
    """

    def __init__(self, open_file: Callable):
        self.open_file = open_file
        self.opened: OrderedDict = OrderedDict()
        self.inherited: list[OrderedDict] = []
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self, *key: Hashable):
        if key not in self.opened:
            self.opened[key] = self.open_file(*key)
        self.opened.move_to_end(key)
        while len(self.opened) > MAX_OPEN_FILES:
            self.opened.popitem(last=False)
        return self.opened[key]

    def _forget(self) -> None:
        self.inherited.append(self.opened)
        self.opened = OrderedDict()


@OpenFiles
def _open_hdf5(source: SourceFile) -> h5py.File:
    return h5py.File(source.unchanged(), "r")

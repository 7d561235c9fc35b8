"""Folders of ALOHA episodes, as ACT records and reads them.

    episode_0.hdf5            attributes: sim, and of newer recordings compress
      action                  (T, A)
      observations/qpos       (T, S)         -> observation.state; any other array here -> observation.<name>
      observations/images/c   (T, H, W, 3)   -> observation.images.c; or one JPEG a row, padded with zeros: (T, bytes)
    labels.csv                success and checkpoint, where known: these files cannot tell

Images, JPEG or not, come in the order of channels in which they were recorded: ACT's recorder gives its RGB images to
cv2.imencode, which takes them for BGR, as cv2.imdecode does (`aloha_jpeg`: act). What shows its true colours in any
other program is `standard`. No file tells which it is. Source: ACT, record_sim_episodes.py and utils.py.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import h5py
import numpy as np

from demo_score.data.choices import ACT, JPEGS
from demo_score.data.episodes import OBSERVATION_PREFIX, Episode
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.hdf5 import (
    arrays_below,
    check_steps,
    new_hdf5,
    open_hdf5,
    place_of,
    read_values,
    report_damage,
    stored_size,
    write_values,
)
from demo_score.data.formats.hdf5_kinds import frame_shape, other_attributes, others, why_unread
from demo_score.data.frames import Frames, SourceFile, StoredFrames
from demo_score.data.labels import Label, read_labels, write_labels
from demo_score.data.values import numbers
from demo_score.observations import ACTION, STATE
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_folder
from demo_score.runtime.stopping import check

LABELS = "labels.csv"
_FILE = re.compile(r"episode_(\d+)\.hdf5")
_ACTION, _OBSERVATIONS, _STATE = "action", "observations", "qpos"
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_IMAGES = f"{OBSERVATION_PREFIX}images."


class JpegFrames(StoredFrames):
    """Images in an ALOHA file, each encoded (JPEG) in a row of the array `name`."""

    def __init__(self, source: SourceFile, shape: tuple[int, int, int, int], name: str, made: str):
        super().__init__(source, shape, name)
        self.made = made

    def identity(self) -> str:
        return f"{super().identity()} {self.made}"

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        for index, encoded in zip(indices, super()._images(indices), strict=True):
            image = _decode(self.source.path, self.name, index, encoded)
            yield image if self.made == ACT else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class AlohaFolder(DataSet):
    """A folder of files, one an episode, which go by the numbers in their names."""

    format = "aloha"

    def __init__(self, path: Path, jpeg: str = ACT):
        self._jpeg = jpeg
        found = [(int(match[1]), file) for file, match in _matches(path)]
        self._files = dict(sorted(found))
        if len(self._files) < len(found):
            raise UserError(f"{path}: two files of one episode (episode_1.hdf5, episode_01.hdf5); rename one")
        super().__init__(path, list(self._files))
        labels = path / LABELS
        self.labels: dict[int, Label] = read_labels(labels, self.episode_indices) if labels.is_file() else {}

    def file(self, number: int) -> Path:
        """The file of an episode."""
        return self._files[number]

    def notes(self) -> list[str]:
        if self._jpeg != ACT or not any(map(self._has_jpegs, self.episode_indices[:1])):
            return []
        return [
            "cameras are JPEG, read as ACT records them (RGB images that cv2.imencode took for BGR); where they are "
            "ordinary JPEGs, red and blue are swapped so: aloha_jpeg=standard, or --aloha-jpeg standard"
        ]

    def _has_jpegs(self, number: int) -> bool:
        with suppress(UserError), _open(self._files[number]) as arrays:
            return any(_is_encoded(key, values) for key, values in arrays.items())
        return False

    def _features_of(self, number: int) -> dict[str, tuple[int, ...]]:
        with _open(self._files[number]) as arrays:
            return {key: tuple(_shape(key, values)[1:]) for key, values in arrays.items()}

    def _unread_of(self, number: int) -> dict[str, str]:
        with open_hdf5(path := self._files[number]) as file, report_damage(path, "the file"):
            found = {key: why for key, values in _observations(path, file).items() if (why := _why_unread(key, values))}
            read = (_ACTION, _OBSERVATIONS, "compress_len")  # the last tells lengths of JPEGs, which end where they end
            return found | others(file, read) | other_attributes(file, ("sim", "compress"))

    def _read(self, number: int, keys: Collection[str] | None) -> Episode:
        path, label = self._files[number], self.labels.get(number)
        with _open(path) as arrays:
            wanted = [key for key in (arrays if keys is None else keys) if key != ACTION]
            self._check_keys(f"{path}:", wanted, arrays)
            _check_lengths(path, [arrays[key] for key in (ACTION, *wanted)])
            return Episode(
                observations={key: _values(key, arrays[key], self._jpeg) for key in wanted},
                actions=numbers(arrays[ACTION][()]),
                rewards=None,
                success=label.success if label else None,
                seed=number,
                checkpoint=label.checkpoint if label else None,
            )


def is_aloha(path: Path) -> bool:
    """Whether `path` is a folder that holds episode_<number>.hdf5."""
    return path.is_dir() and any(_matches(path))


def check_jpeg(aloha_jpeg: str) -> None:
    """Raise UserError for what is no way to make JPEGs."""
    if aloha_jpeg not in JPEGS:
        raise UserError(f"aloha_jpeg={aloha_jpeg}: unknown; set one of: {', '.join(JPEGS)}")


def write_aloha(folder: Path, episodes: Iterable[Episode], sim: bool = False) -> None:
    """Write a new folder of `episodes`, numbered from 0, whole or not at all, and labels.csv where success is known.

    `sim`: whether they are simulated, which ACT's loader asks. Rewards, strategies and tasks have no place here.
    Raises UserError for a folder that exists, or an episode without observation.state.
    """
    labels = {}
    with atomic_folder(folder) as temporary:
        for number, episode in enumerate(episodes):
            _write_episode(temporary / f"episode_{number}.hdf5", episode, sim)
            if episode.success is not None:
                labels[number] = Label(bool(episode.success), episode.checkpoint)
            check()
        if labels:
            write_labels(temporary / LABELS, labels)


def _matches(path: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    return ((file, match) for file in path.iterdir() if (match := _FILE.fullmatch(file.name)))


@contextmanager
def _open(path: Path) -> Iterator[dict[str, h5py.Dataset]]:
    """Observation key, or "action" -> array of an episode. Raises UserError for what is missing or damaged."""
    with open_hdf5(path) as file, report_damage(path, "the file"):
        for name in (_ACTION, f"{_OBSERVATIONS}/{_STATE}"):
            if not isinstance(file.get(name), h5py.Dataset):
                raise UserError(f"{path}: no ALOHA episode, as it has no array /{name}; take it out or record it again")
        yield _arrays(path, file)


def _arrays(path: Path, file: h5py.File) -> dict[str, h5py.Dataset]:
    arrays = {key: values for key, values in _observations(path, file).items() if not _why_unread(key, values)}
    check_steps(arrays.values())
    return arrays


def _observations(path: Path, file: h5py.File) -> dict[str, h5py.Dataset]:
    """Observation key, or "action" -> array, of whatever kind."""
    arrays = {ACTION: file[_ACTION]}
    for name, values in arrays_below(file[_OBSERVATIONS]).items():
        key = STATE if name == _STATE else OBSERVATION_PREFIX + name.replace("/", ".")
        if key in arrays:
            raise UserError(f"{path}: {values.name} and {arrays[key].name} are both {key} here; rename one")
        arrays[key] = values
    return arrays


def _why_unread(key: str, values: h5py.Dataset) -> str | None:
    return None if key in (ACTION, STATE) or _is_encoded(key, values) else why_unread(values)


def _check_lengths(path: Path, arrays: list[h5py.Dataset]) -> None:
    lengths = {values.name: len(values) for values in arrays}
    if len(set(lengths.values())) > 1:
        known = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UserError(f"{path}: arrays of different lengths ({known}); take it out or record it again")


def _is_encoded(key: str, values: h5py.Dataset) -> bool:
    return key.startswith(_IMAGES) and values.ndim < 3


def _shape(key: str, values: h5py.Dataset) -> tuple[int, ...]:
    """Shape of an array as it is read; that of encoded images is known from the first."""
    if not _is_encoded(key, values):
        return (len(values), *frame_shape(values))
    first = _decode(Path(values.file.filename), values.name, 0, values[0]).shape if len(values) else (0, 0, 3)
    return (len(values), *first)


def _values(key: str, values: h5py.Dataset, jpeg: str) -> np.ndarray | Frames:
    if _is_encoded(key, values):
        source, name = place_of(values)
        return JpegFrames(source, _shape(key, values), name, jpeg)
    return read_values(values)


def _decode(path: Path, name: str, index: int, encoded: np.ndarray) -> np.ndarray:
    try:
        data = np.frombuffer(encoded, np.uint8)
        image = None if _is_cut(data) else cv2.imdecode(data, cv2.IMREAD_COLOR)
    except (cv2.error, TypeError, ValueError):
        image = None
    if image is None:
        raise UserError(f"{path}: {name}, frame {index}: no image, or only part of one; copy or record it again")
    return image


def _is_cut(data: np.ndarray) -> bool:
    """Whether a JPEG, padded with zeros, lacks its end, which OpenCV would show as grey."""
    image = data.tobytes().rstrip(b"\0")
    return image.startswith(_JPEG_START) and not image.endswith(_JPEG_END)


def _write_episode(path: Path, episode: Episode, sim: bool) -> None:
    if STATE not in episode.observations:
        raise UserError(f"{path.name}: has no {STATE}, which ALOHA files hold as qpos; choose episodes that have it")
    with new_hdf5(path) as (file, claim):
        claim(stored_size(episode))
        file.attrs["sim"] = sim
        file.attrs["compress"] = False
        file.create_dataset(_ACTION, data=episode.actions)
        for key, values in episode.observations.items():
            name = _STATE if key == STATE else key.removeprefix(OBSERVATION_PREFIX).replace(".", "/")
            write_values(file.require_group(_OBSERVATIONS), name, values)

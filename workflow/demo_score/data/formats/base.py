"""What every format of recorded episodes offers."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from demo_score.data.episodes import Episode
from demo_score.runtime.errors import UserError


class DataSet(ABC):
    """Recorded episodes on disk. Opening one reads only what describes it."""

    format: ClassVar[str]
    version: str | None = None

    def __init__(self, path: Path, indices: list[int]):
        self.path = path
        self.episode_indices = indices  # in the order of the set
        self._features: dict[str, tuple[int, ...]] | None = None
        self._unread: dict[str, str] | None = None

    @property
    def fps(self) -> float | None:
        """Frames a second, where the data set tells. Raises UserError for what is no rate."""
        return None

    def contradictions(self) -> Iterator[tuple[int | None, str]]:
        """What the data set says wrongly of itself: an episode's number, or None for the whole, and what it is."""
        yield from ()

    def features(self) -> dict[str, tuple[int, ...]]:
        """Observation keys and "action" -> shape of one frame (images: height, width, 3).

        They are those of the first episode that can be read; raises UserError where there are only others.
        """
        if self._features is None:
            self._features = self._find_features()
        return dict(self._features)

    def env_args(self) -> dict:
        """The environment as the data set describes it, in robomimic's terms; empty where it does not."""
        return {}

    def notes(self) -> list[str]:
        """What cannot be known of the data set, and the setting that decides."""
        return []

    def description(self) -> dict[str, Any]:
        """What LeRobot's meta/info.json tells of the robot: robot_type, and names by feature; empty elsewhere."""
        return {}

    def not_read(self) -> list[str]:
        """What the data set holds but is not read, each with what it is; of episodes that can be opened."""
        return [f"{name} ({what})" for name, what in self.unread().items()]

    def unread(self) -> dict[str, str]:
        """Name of what is not read (observations by their keys) -> what it is."""
        if self._unread is None:
            self._unread = {}
            with suppress(UserError):
                self._unread |= self._unread_of_all()
            for number in self.episode_indices:
                with suppress(UserError):
                    self._unread |= self._unread_of(number)
        return dict(self._unread)

    def read(self, indices: Sequence[int] | None = None, keys: Collection[str] | None = None) -> Iterator[Episode]:
        """Read the episodes `indices` (None: all), in that order, one at a time, with observations `keys` (None: all).

        Images stay where they are, as `Frames`; numbers keep their type. Raises UserError, in one line, for what
        is not there or damaged.
        """
        wanted = self.episode_indices if indices is None else indices
        if missing := sorted(set(wanted) - set(self.episode_indices)):
            raise UserError(f"{self.path}: has no episode {missing[0]}; it holds {self._held()}")
        return (replace(self._read(number, keys), origin=(self.path, number)) for number in wanted)

    @abstractmethod
    def _read(self, number: int, keys: Collection[str] | None) -> Episode:
        """One episode, which exists."""

    @abstractmethod
    def _features_of(self, number: int) -> dict[str, tuple[int, ...]]:
        """The features of one episode, which exists."""

    def _unread_of_all(self) -> dict[str, str]:
        """What is not read of what all episodes share."""
        return {}

    def _unread_of(self, number: int) -> dict[str, str]:
        """What is not read of one episode, which exists."""
        return {}

    def _find_features(self) -> dict[str, tuple[int, ...]]:
        failure: UserError | None = None
        for number in self.episode_indices:
            try:
                return self._features_of(number)
            except UserError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return {}

    def _held(self) -> str:
        indices = self.episode_indices
        if not indices:
            return "none"
        how = "from 0" if indices == list(range(len(indices))) else f"{indices[0]} to {indices[-1]} with gaps"
        return f"{len(indices)} episodes, numbered {how}"

    def _check_keys(self, place: str, keys: Collection[str], have: Collection[str]) -> None:
        """Raise UserError where an episode, whose `place` is named, does not have all of `keys`."""
        missing = [key for key in keys if key not in have]
        if missing and missing[0] in (known := self.features()):
            raise UserError(f"{place} has no {missing[0]}, which other episodes have; leave it out or record it again")
        if missing and missing[0] in (unread := self.unread()):
            raise UserError(
                f"{self.path}: {missing[0]} is {unread[missing[0]]}, which is not read; {self._advice(known)}"
            )
        if missing:
            raise UserError(f"{self.path}: has no {missing[0]}; {self._advice(known)}")

    def _advice(self, known: Collection[str]) -> str:
        return (
            f"choose from: {', '.join(sorted(known))} "
            "(classifiers.inputs; policy.input_shapes, or dataset_keys where names differ)"
        )


def say_notes(datasets: Iterable[DataSet]) -> None:
    """A line on stderr for each thing that cannot be known of some data sets."""
    for dataset in datasets:
        for note in dataset.notes():
            print(f"note: {dataset.path}: {note}", file=sys.stderr)

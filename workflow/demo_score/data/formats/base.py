"""What every format of recorded episodes offers."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from demo_score.data.episodes import Episode
from demo_score.errors import UserError
from demo_score.observations import ACTION


class DataSet(ABC):
    """Recorded episodes on disk. Opening one reads only what describes it."""

    format: ClassVar[str]
    version: str | None = None
    fps: int | None = None  # frames a second, where the format tells

    def __init__(self, path: Path, numbers: list[int]):
        self.path = path
        self.numbers = numbers  # of the episodes, in the order of the set

    @abstractmethod
    def features(self) -> dict[str, tuple[int, ...]]:
        """Observation keys and "action" -> shape of one frame (images: height, width, 3)."""

    def read(self, numbers: Sequence[int] | None = None, keys: Collection[str] | None = None) -> Iterator[Episode]:
        """Read the episodes `numbers` (None: all), in that order, one at a time, with observations `keys` (None: all).

        Images stay where they are, as `Frames`; numbers keep their type. Raises UserError, in one line, for what
        is not there or damaged.
        """
        wanted = self.numbers if numbers is None else numbers
        if missing := sorted(set(wanted) - set(self.numbers)):
            raise UserError(f"{self.path}: has no episode {missing[0]}; it holds {self._held()}")
        return self._read_all(wanted, keys)

    def _read_all(self, numbers: Sequence[int], keys: Collection[str] | None) -> Iterator[Episode]:
        if numbers:
            self._check_keys([*(keys or ()), ACTION])
        for number in numbers:
            yield self._read(number, keys)

    @abstractmethod
    def _read(self, number: int, keys: Collection[str] | None) -> Episode:
        """One episode, which exists."""

    def _held(self) -> str:
        if self.numbers == list(range(len(self.numbers))):
            return f"{len(self.numbers)} episodes, numbered from 0"
        return f"{len(self.numbers)} episodes, numbered {self.numbers[0]} to {self.numbers[-1]} with gaps"

    def _check_keys(self, keys: Collection[str]) -> None:
        have = self.features()
        if missing := [key for key in keys if key not in have]:
            raise UserError(
                f"{self.path}: has no {missing[0]}; choose from: {', '.join(sorted(have))} "
                "(classifiers.inputs; policy.input_shapes, or dataset_keys where names differ)"
            )

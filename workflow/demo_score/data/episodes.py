"""What all formats are read into, and written from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # h5py takes long to import, and a plan of the workflow needs none
    from demo_score.data.frames import Frames

OBSERVATION_PREFIX = "observation."


@dataclass
class Episode:
    """One demonstration or rollout of T control steps. What a format does not tell is None."""

    # "observation.state" -> (T, ...), before action t; images (T, H, W, 3) uint8
    observations: dict[str, "np.ndarray | Frames"]
    actions: np.ndarray  # (T, action_dim)
    rewards: np.ndarray | None  # (T,), after action t
    success: bool | None  # as the environment, or who recorded it, judged
    seed: int  # the environment's reset seed; of other people's data: the episode's number
    strategy: str | None = None  # of a demonstration
    checkpoint: str | None = None  # of a rollout: the training step, such as "003000"
    task: str | None = None  # in words
    times: np.ndarray | None = None  # (T,) seconds, as recorded
    frame_indices: np.ndarray | None = None  # (T,) as recorded
    frame_tasks: list[str] | None = None  # (T,) where not all frames have the same; the first is `task`
    origin: tuple[Path, int] | None = None  # the data set and the number in it from which it was read

    @property
    def tasks(self) -> list[str]:
        """All its tasks, each once."""
        return list(dict.fromkeys(self.frame_tasks or ([] if self.task is None else [self.task])))

    def __len__(self) -> int:
        return len(self.actions)


def place(episode: Episode) -> str:
    """The data set and the number that an episode was read from, for errors; empty where it was made here."""
    return "" if episode.origin is None else f"{episode.origin[0]} episode {episode.origin[1]}"


def is_image(values: "np.ndarray | Frames") -> bool:
    """Whether an observation, or what stores it, is images: (T, H, W, channels) uint8."""
    return values.dtype == np.uint8 and len(values.shape) == 4

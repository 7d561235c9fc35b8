"""What a drawn data set holds, known before it is written in any format."""

from dataclasses import dataclass, field

import numpy as np

STATE = "observation.state"
CAMERA = "observation.images.top"


@dataclass
class TrueEpisode:
    """One episode as whoever recorded it knows it."""

    number: int
    observations: dict[str, np.ndarray]  # key -> (T, ...)
    actions: np.ndarray  # (T, A)
    rewards: np.ndarray | None
    success: bool | None
    checkpoint: str | None
    task: str | None
    unread: dict[str, np.ndarray] = field(default_factory=dict)  # what is stored besides, to be named and not read

    def __len__(self) -> int:
        return len(self.actions)


@dataclass
class DataSet:
    """Episodes, and how they are to be written down."""

    format: str  # of FORMATS
    episodes: list[TrueEpisode]
    fps: int | None
    odd: dict[str, object] = field(default_factory=dict)  # what is unusual about the files, for the writers

    @property
    def episode_indices(self) -> list[int]:
        return sorted(episode.number for episode in self.episodes)

"""What methods share that look into the base policy: the policy itself, and batches of an episode's frames.

No file of a method: those import it when they score, as torch takes seconds to import.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from demo_score.data.episodes import Episode, place
from demo_score.data.images import prepare_observations
from demo_score.policies import action_offsets
from demo_score.policies.base import Policy
from demo_score.policies.checkpoints import load_policy, read_checkpoint_settings
from demo_score.runtime.cores import available_threads
from demo_score.runtime.errors import UserError
from demo_score.runtime.hardware import select_device
from demo_score.training.chunks import ChunkDataset
from demo_score.training.sources import named_in, names_of, renamed

Batch = dict[str, Tensor]
BATCH_SIZE = 256  # frames at once


@dataclass
class Opened:
    """A checkpoint's policy, ready to act."""

    policy: Policy
    settings: DictConfig
    device: torch.device

    @classmethod
    def of(cls, checkpoint: Path) -> "Opened":
        """Raises UserError for what is no checkpoint."""
        torch.set_num_threads(available_threads())
        settings = read_checkpoint_settings(checkpoint, [])
        device = select_device(settings.device)
        with torch.random.fork_rng(devices=[]):  # weights are drawn before they are read
            return cls(load_policy(checkpoint, settings, device), settings, device)


class Windows:
    """Some frames of each episode as training sees them: observations, and the chunk of actions around the frame.

    Every `stride`-th frame of an episode from its first on, but none of those that training leaves out at the end
    (training.drop_n_last_frames) with `as_trained`; at least the first. `kind`, in errors, is what an episode is.
    """

    def __init__(
        self, episodes: Sequence[Episode], opened: Opened, stride: int, kind: str, as_trained: bool = True
    ) -> None:
        settings, self.device = opened.settings, opened.device
        episodes = [_named(episode, settings, f"{kind} {number}") for number, episode in enumerate(episodes)]
        keys = list(settings.policy.input_shapes)
        self.observation_keys = keys
        self.dataset = ChunkDataset(episodes, keys, settings.policy.n_obs_steps, action_offsets(settings))
        left_out = settings.training.drop_n_last_frames if as_trained else 0
        lengths = [len(episode) for episode in episodes]
        self.frames = [np.arange(0, max(1, length - left_out), stride) for length in lengths]  # an array an episode
        self.starts = np.cumsum([0, *map(len, self.frames)])[:-1]  # of each episode among all frames
        first = np.cumsum([0, *lengths])[:-1]
        self.numbers = np.concatenate([start + frames for start, frames in zip(first, self.frames, strict=True)])

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.numbers)

    def batches(self, size: int = BATCH_SIZE) -> Iterator[Batch]:
        """All frames in order, prepared as for training; images are not changed at random."""
        return (self._batch(self.numbers[start : start + size]) for start in range(0, len(self), size))

    def episode_batches(self) -> Iterator[Batch]:
        """The same, those of an episode together."""
        return map(self._batch, self.per_episode(self.numbers))

    def per_episode(self, values: np.ndarray) -> list[np.ndarray]:
        """(frames, ...) -> one array an episode."""
        return np.split(values, self.starts[1:])

    @torch.no_grad()
    def map(self, compute: Callable[[Batch], Tensor], size: int = BATCH_SIZE) -> np.ndarray:
        """compute(batch) -> (B, ...) of all frames, in double precision: (frames, ...)."""
        return np.concatenate([compute(batch).double().cpu().numpy() for batch in self.batches(size)])

    def _batch(self, numbers: np.ndarray) -> Batch:
        batch = {
            key: values.to(self.device) for key, values in self.dataset.__getitems__(torch.from_numpy(numbers)).items()
        }
        return {**batch, **prepare_observations({key: batch[key] for key in self.observation_keys})}


def _named(episode: Episode, settings: DictConfig, what: str) -> Episode:
    """The episode with what the policy sees, by the data's names (dataset_keys), or, of a rollout, by the policy's."""
    have = episode.observations
    wanted = named_in(names_of(settings), have)
    if missing := [name for names in wanted.values() for name in names if name not in have]:
        where = place(episode) or what
        raise UserError(
            f"{where}: has no {missing[0]} but {', '.join(sorted(have))}; give what the policy was trained on"
        )
    return renamed(episode, wanted, what)


def embeddings(opened: Opened, windows: Windows) -> np.ndarray:
    """What the policy makes of each frame's observation: (frames, width), float64."""
    return windows.map(opened.policy.embedding)

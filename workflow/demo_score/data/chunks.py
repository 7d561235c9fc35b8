"""Training batches: an observation and the chunk of actions that follows it, from episodes held in memory."""

import hashlib

import numpy as np
import torch
from torch import Tensor

from demo_score.data.episodes import Episode
from demo_score.errors import UserError

ACTION = "action"


class ChunkSampler:
    """Draws batches of frames, with replacement, from all episodes; a frame's chunk ends with its episode.

    `observation_keys` are the arrays a batch holds; each frame is as likely as any other, except that
    `start_fraction` of a batch comes from the first `start_frames` frames of the episodes.
    """

    def __init__(
        self,
        episodes: list[Episode],
        observation_keys: list[str],
        chunk_size: int,
        start_fraction: float = 0.0,
        start_frames: int = 5,
    ):
        _check(episodes, observation_keys)
        lengths = np.array([len(episode) for episode in episodes])
        ends = np.repeat(lengths.cumsum(), lengths)
        within = np.concatenate([np.arange(length) for length in lengths])
        self.arrays = {
            key: torch.from_numpy(np.concatenate([episode.observations[key] for episode in episodes])).float()
            for key in observation_keys
        }
        self.actions = torch.from_numpy(np.concatenate([episode.actions for episode in episodes])).float()
        self.last_frame = torch.from_numpy(ends - 1)
        self.offsets = torch.arange(chunk_size)
        self.starts = torch.from_numpy(np.flatnonzero(within < start_frames))
        self.start_fraction = start_fraction

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.actions)

    def to(self, device: torch.device) -> "ChunkSampler":
        """Hold the arrays on `device`."""
        self.arrays = {key: values.to(device) for key, values in self.arrays.items()}
        for name in ("actions", "last_frame", "offsets", "starts"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def sample(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """A batch: observation keys -> (B, ...), action (B, chunk, action_dim), action_is_pad (B, chunk).

        Padding repeats the episode's last action. `generator` lives on the CPU, whatever the device.
        """
        frames = torch.randint(len(self), (batch_size,), generator=generator)
        frames = frames.to(self.actions.device)
        if n_starts := round(self.start_fraction * batch_size):
            choice = torch.randint(len(self.starts), (n_starts,), generator=generator)
            frames[:n_starts] = self.starts[choice.to(self.starts.device)]
        wanted = frames[:, None] + self.offsets
        last = self.last_frame[frames][:, None]
        batch = {key: values[frames] for key, values in self.arrays.items()}
        batch[ACTION] = self.actions[torch.minimum(wanted, last)]
        batch["action_is_pad"] = wanted > last
        return batch

    def digest(self) -> str:
        """A hash of everything that batches are drawn from."""
        digest = hashlib.sha256(str((len(self.offsets), self.start_fraction, len(self.starts))).encode())
        for values in (*self.arrays.values(), self.actions, self.last_frame):
            digest.update(values.cpu().numpy().tobytes())
        return digest.hexdigest()

    def statistics(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Mean and standard deviation over all frames, per feature, of each observation key and of the action."""
        arrays = {**self.arrays, ACTION: self.actions}
        return {
            key: (values.double().mean(0).float().cpu().numpy(), values.double().std(0).float().cpu().numpy())
            for key, values in arrays.items()
        }


def _check(episodes: list[Episode], observation_keys: list[str]) -> None:
    for number, episode in enumerate(episodes):
        if missing := [key for key in observation_keys if key not in episode.observations]:
            have = ", ".join(sorted(episode.observations))
            raise UserError(
                f"training episode {number} has no {missing[0]} but {have}; set policy.input_shapes to match"
            )
        arrays = [*episode.observations.values(), episode.actions]
        if (shapes := _shapes(episode, observation_keys)) != _shapes(episodes[0], observation_keys):
            raise UserError(
                f"training episode {number} has sizes {shapes}, episode 0 others; list episodes of one task"
            )
        if not all(np.isfinite(array).all() for array in arrays):
            raise UserError(f"training episode {number} (seed {episode.seed}) holds NaN or infinite values")


def _shapes(episode: Episode, observation_keys: list[str]) -> dict[str, tuple[int, ...]]:
    """The shape of a frame's arrays."""
    arrays = {**{key: episode.observations[key] for key in observation_keys}, ACTION: episode.actions}
    return {key: values.shape[1:] for key, values in arrays.items()}

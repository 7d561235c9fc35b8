"""Training batches: the observations up to a frame and the chunk of actions around it, from episodes."""

import hashlib
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from demo_score.data.episodes import Episode
from demo_score.data.frames import Frames
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError

Images = np.ndarray | Frames  # (T, H, W, 3) uint8
N_IMAGES = 1000  # of a camera, by which its pixels are normalised


class ColumnStatistics(NamedTuple):
    """Of one array over all frames, a value a feature."""

    mean: np.ndarray
    std: np.ndarray
    min: np.ndarray
    max: np.ndarray


class ChunkDataset:
    """Frames of all episodes; a batch holds, around each frame drawn, what a policy sees and does there.

    `observation_keys` are the arrays a batch holds, at the frame and the n_obs_steps - 1 before it. `action_offsets`
    are the actions' steps relative to the frame. What would lie outside the episode repeats its first or last step.
    The last `drop_n_last_frames` of an episode are never drawn; of the others each is as likely as any other,
    except that `start_fraction` of a batch comes from the first `start_frames` frames of the episodes, and that frames
    with `weights`, one for each frame of all episodes, are drawn in proportion to them.

    Images are read when a batch is made; everything else is held in memory.
    """

    def __init__(
        self,
        episodes: list[Episode],
        observation_keys: list[str],
        n_obs_steps: int,
        action_offsets: range,
        drop_n_last_frames: int = 0,
        start_fraction: float = 0.0,
        start_frames: int = 5,
        weights: np.ndarray | None = None,
    ):
        _check(episodes, observation_keys)
        lengths = np.array([len(episode) for episode in episodes])
        ends = lengths.cumsum()
        within = np.concatenate([np.arange(length) for length in lengths])
        drawable = np.repeat(lengths, lengths) - within > drop_n_last_frames
        if not drawable.any():
            raise UserError(f"no episode has more than {drop_n_last_frames} frames; set training.drop_n_last_frames=0")
        image_keys = [key for key in observation_keys if episodes[0].observations[key].dtype == np.uint8]
        self.arrays = {
            key: torch.from_numpy(np.concatenate([episode.observations[key] for episode in episodes])).float()
            for key in observation_keys
            if key not in image_keys
        }
        self.images = {key: [episode.observations[key] for episode in episodes] for key in image_keys}
        self.actions = torch.from_numpy(np.concatenate([episode.actions for episode in episodes])).float()
        self.first_frame = torch.from_numpy(np.repeat(ends - lengths, lengths))
        self.last_frame = torch.from_numpy(np.repeat(ends, lengths) - 1)
        self.ends = ends
        self.observation_offsets = torch.arange(1 - n_obs_steps, 1)
        self.action_offsets = torch.tensor(action_offsets)
        self.drawable = torch.from_numpy(np.flatnonzero(drawable))
        self.starts = torch.from_numpy(np.flatnonzero(drawable & (within < start_frames)))
        self.start_fraction = start_fraction
        self.weights = None if weights is None else torch.from_numpy(weights)
        self.ends_of_weights = [self._ends(frames) for frames in (self.drawable, self.starts)]
        if any(ends is not None and ends[-1] <= 0 for ends in self.ends_of_weights[: 1 + bool(start_fraction)]):
            raise UserError("training.sample_weights: all frames that may be drawn weigh 0; set other weights")

    def _ends(self, frames: Tensor) -> Tensor | None:
        """Where each frame's share of all their weights ends; None: all weigh the same."""
        return None if self.weights is None or not len(frames) else self.weights[frames].cumsum(0)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.actions)

    def to(self, device: torch.device) -> "ChunkDataset":
        """Hold what is in memory on `device`."""
        self.arrays = {key: values.to(device) for key, values in self.arrays.items()}
        for name in ("actions", "first_frame", "last_frame", "observation_offsets", "action_offsets"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def draw(self, batch_size: int, generator: torch.Generator) -> Tensor:
        """Frames for a batch, with replacement: (B,). `generator` lives on the CPU, whatever the device."""
        ends, ends_of_starts = self.ends_of_weights
        frames = _draw(self.drawable, ends, batch_size, generator)
        if n_starts := round(self.start_fraction * batch_size):
            frames[:n_starts] = _draw(self.starts, ends_of_starts, n_starts, generator)
        return frames

    def __getitems__(self, frames: Tensor | list[int]) -> dict[str, Tensor]:
        """The batch of some frames.

        Observation keys -> (B, n_obs_steps, ...), images among them (B, n_obs_steps, H, W, 3) uint8 on the CPU;
        action (B, L, action_dim); action_is_pad (B, L).
        """
        frames = torch.as_tensor(frames, device=self.actions.device)
        first, last = self.first_frame[frames][:, None], self.last_frame[frames][:, None]
        seen = torch.maximum(frames[:, None] + self.observation_offsets, first)
        wanted = frames[:, None] + self.action_offsets
        batch = {key: values[seen] for key, values in self.arrays.items()}
        batch |= {key: self._read_images(episodes, seen.cpu().numpy()) for key, episodes in self.images.items()}
        nearest = torch.clamp(wanted, first, last)
        batch[ACTION] = self.actions[nearest]
        batch["action_is_pad"] = wanted != nearest
        return batch

    def _read_images(self, episodes: list[Images], frames: np.ndarray) -> Tensor:
        """The images at `frames` of all episodes; each is read once, and each episode's together."""
        images = np.empty((*frames.shape, *episodes[0].shape[1:]), np.uint8)
        wanted = np.unique(frames)
        numbers = np.searchsorted(self.ends, wanted, side="right")
        for number in np.unique(numbers):
            episode, of_episode = episodes[number], wanted[numbers == number]
            within = of_episode - (self.ends[number] - len(episode))
            found = episode.images(within) if isinstance(episode, Frames) else episode[within]
            for frame, image in zip(of_episode, found, strict=True):
                for row in np.argwhere(frames == frame):
                    images[tuple(row)] = image
        return torch.from_numpy(images)

    def digest(self) -> str:
        """A hash of everything that batches are drawn from; of images in files, of where they lie."""
        offsets = self.observation_offsets.tolist(), self.action_offsets.tolist()
        shape = (*offsets, len(self.drawable), self.start_fraction, len(self.starts), [*self.arrays], [*self.images])
        digest = hashlib.sha256(str(shape).encode())
        weights = [] if self.weights is None else [self.weights]
        for values in (*self.arrays.values(), self.actions, self.last_frame, *weights):
            digest.update(values.cpu().numpy().tobytes())
        for images in (images for episodes in self.images.values() for images in episodes):
            digest.update(images.identity().encode() if isinstance(images, Frames) else images.tobytes())
        return digest.hexdigest()

    def statistics(self, pixel_keys: Collection[str] = ()) -> dict[str, ColumnStatistics]:
        """Of each observation key but images, and of the action, over all frames.

        And of each pixel, in [0, 1], of the images `pixel_keys`: (3, H, W), over N_IMAGES evenly spread frames.
        """
        found = {key: _statistics(values) for key, values in {**self.arrays, ACTION: self.actions}.items()}
        return found | {key: self._pixel_statistics(self.images[key]) for key in pixel_keys}

    def _pixel_statistics(self, episodes: list[Images]) -> ColumnStatistics:
        n = min(N_IMAGES, int(self.ends[-1]))
        frames = np.linspace(0, self.ends[-1] - 1, n, dtype=np.int64)
        return _of_pixels(self._read_images(episodes, frame).movedim(-1, -3) for frame in frames[:, None])


def _draw(frames: Tensor, ends: Tensor | None, n: int, generator: torch.Generator) -> Tensor:
    """`n` of the frames; `ends`: the sums of weights up to each, to which they are drawn in proportion."""
    if ends is None:
        return frames[torch.randint(len(frames), (n,), generator=generator)]
    places = torch.rand(n, generator=generator, dtype=torch.float64) * ends[-1]
    return frames[torch.searchsorted(ends, places, right=True).clamp(max=len(frames) - 1)]


def _statistics(values: Tensor) -> ColumnStatistics:
    exact = values.double()
    moments = exact.mean(0).float(), exact.std(0).float(), values.amin(0), values.amax(0)
    return ColumnStatistics(*(moment.cpu().numpy() for moment in moments))


def _of_pixels(batches: Iterable[Tensor]) -> ColumnStatistics:
    """Of images (n, 3, H, W), uint8, in [0, 1]: sums of whole numbers, which are exact, and of one batch at a time."""
    n, total, squares, low, high = 0, 0, 0, 255, 0
    for images in batches:
        values = images.numpy().astype(np.int64)
        n, total, squares = n + len(values), total + values.sum(0), squares + (values**2).sum(0)
        low, high = np.minimum(low, values.min(0)), np.maximum(high, values.max(0))
    variance = (squares - total**2 / n) / max(n - 1, 1)
    moments = total / n, np.sqrt(variance.clip(min=0)), low, high
    return ColumnStatistics(*((moment / 255).astype(np.float32) for moment in moments))


def _check(episodes: list[Episode], observation_keys: list[str]) -> None:
    for number, episode in enumerate(episodes):
        if missing := [key for key in observation_keys if key not in episode.observations]:
            have = ", ".join(sorted(episode.observations))
            raise UserError(
                f"training episode {number} has no {missing[0]} but {have}; set policy.input_shapes to match"
            )
        if (shapes := _shapes(episode, observation_keys)) != _shapes(episodes[0], observation_keys):
            raise UserError(
                f"training episode {number} has sizes {shapes}, episode 0 others; list episodes of one task"
            )
        arrays = [values for values in episode.observations.values() if values.dtype != np.uint8]
        if not all(np.isfinite(array).all() for array in (*arrays, episode.actions)):
            raise UserError(f"training episode {number} (seed {episode.seed}) holds NaN or infinite values")


def _shapes(episode: Episode, observation_keys: list[str]) -> dict[str, tuple[int, ...]]:
    """The shape of a frame's arrays."""
    arrays = {**{key: episode.observations[key] for key in observation_keys}, ACTION: episode.actions}
    return {key: values.shape[1:] for key, values in arrays.items()}

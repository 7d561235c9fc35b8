"""The batches of episodes that a rollout job has finished, so that it goes on at the next one when it is killed.

An episode is decided by its seed, the policy and its batch: no batch knows of those before it.
"""

from dataclasses import fields

import numpy as np
import torch

from demo_score.data.episodes import Episode
from demo_score.data.frames import PackedFrames
from demo_score.runtime.resume import ResumeFolder, State


class FinishedBatches:
    """Stores a batch's episodes in `folder`, whose digest must name the policy, the seeds and the batch size."""

    def __init__(self, folder: ResumeFolder):
        self.folder = folder

    def load(self, number: int) -> list[Episode] | None:
        """The episodes of batch `number`, if it is stored and can be read."""
        stored = self.folder.load(_name(number))
        return stored and [_episode(state) for state in stored["episodes"]]

    def save(self, number: int, episodes: list[Episode]) -> None:
        self.folder.save({"episodes": [_state(episode) for episode in episodes]}, _name(number))

    def remove(self) -> None:
        """Remove them, when the results are written."""
        self.folder.remove()


def _name(number: int) -> str:
    return f"batch{number:06d}"


def _state(episode: Episode) -> State:
    return {field.name: _packed(getattr(episode, field.name)) for field in fields(Episode)}


def _episode(state: State) -> Episode:
    return Episode(**{name: _unpacked(value) for name, value in state.items()})


def _packed(value: object) -> object:
    """`value` as torch stores it: arrays as tensors, images as one row of bytes and where each ends."""
    if isinstance(value, dict):
        return {key: _packed(part) for key, part in value.items()}
    if isinstance(value, PackedFrames):
        content = torch.frombuffer(bytearray(b"".join(value.packed)), dtype=torch.uint8)
        return {"packed": content, "lengths": [len(image) for image in value.packed], "shape": list(value.shape[1:])}
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _unpacked(value: object) -> object:
    if isinstance(value, dict) and value.keys() == {"packed", "lengths", "shape"}:
        content = value["packed"].numpy().tobytes()
        ends = np.cumsum(value["lengths"]).tolist()
        images = [content[end - length : end] for end, length in zip(ends, value["lengths"], strict=True)]
        return PackedFrames(images, tuple(value["shape"]))
    if isinstance(value, dict):
        return {key: _unpacked(part) for key, part in value.items()}
    return value.numpy() if isinstance(value, torch.Tensor) else value

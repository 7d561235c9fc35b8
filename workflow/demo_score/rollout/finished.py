"""The batches of episodes that a rollout job has finished, so that it goes on at the next one when it is killed.

An episode is decided by its seed, the policy and its batch: no batch knows of those before it.
"""

from dataclasses import fields

import numpy as np
import torch

from demo_score.data.episodes import Episode
from demo_score.data.frames import PackedFrames
from demo_score.rollout.observers import Observer
from demo_score.runtime.resume import ResumeFolder, State


class FinishedBatches(Observer):
    """Stores a batch's episodes in `folder`, whose digest must name the policy, the seeds and the batch size.

    The `only` batch is not stored: the results are there a moment later.
    """

    def __init__(self, folder: ResumeFolder, only: bool = False):
        self.folder = folder
        self.only = only
        self.recalled: set[int] = set()

    def recall(self, number: int) -> list[Episode] | None:
        """The episodes of batch `number`, if it is stored and can be read."""
        if not self.only and (stored := self.folder.load(_name(number))):
            self.recalled.add(number)
            return [_episode(state) for state in stored["episodes"]]
        return None

    def on_batch(self, number: int, episodes: list[Episode]) -> None:
        if not self.only and number not in self.recalled:
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

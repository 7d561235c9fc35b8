"""Write the small data sets of tests/data/ with the real lerobot, see tests/data/README.md.

    PYTHONPATH=tests/helpers python tests/peers/make_fixtures.py FOLDER

lerobot 0.6.1 writes those of version v3.0, lerobot 0.3.3 that of v2.1.
"""

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from fixture_content import CAMERA, CHECKPOINTS, FPS, SIZE, Content, demonstrations, rollouts, small_episodes
from lerobot.datasets.lerobot_dataset import CODEBASE_VERSION, LeRobotDataset

DATASETS = {"v3.0": {"lerobot_v3.0": "video", "lerobot_v3.0_images": "image"}, "v2.1": {"lerobot_v2.1": "video"}}


def main() -> None:
    folder = Path(sys.argv[1])
    for name, images in DATASETS[CODEBASE_VERSION].items():
        write(folder / name, small_episodes(), images)
    if CODEBASE_VERSION == "v3.0":
        own = folder / "bring_your_own"
        write(own / "demonstrations", demonstrations())
        for checkpoint in CHECKPOINTS:
            write(own / f"rollouts_{checkpoint}", rollouts(checkpoint))


def write(folder: Path, episodes: Iterable[Content], images: str | None = None, **options: Any) -> None:
    """Record `episodes` as a robot's would be; `images` says how those are stored; `options` are lerobot's."""
    dataset = None
    for episode in episodes:
        if dataset is None:
            dataset = create(folder, features_of(episode, images), images, options)
        for frame in range(len(episode.state)):
            add_frame(dataset, frame_of(episode, frame), episode.task)
        dataset.save_episode()
    if hasattr(dataset, "finalize"):
        dataset.finalize()


def create(folder: Path, features: dict[str, Any], images: str | None, options: dict[str, Any]) -> LeRobotDataset:
    """A new data set; where it can be chosen, all its episodes are rows of one group, which halves the size."""
    wanted = {"root": folder, "use_videos": images == "video", "metadata_buffer_size": 100, **options}
    known = inspect.signature(LeRobotDataset.create).parameters
    chosen = {name: value for name, value in wanted.items() if name in known}
    return LeRobotDataset.create(f"tests/{folder.name}", FPS, features, **chosen)


def features_of(episode: Content, images: str | None) -> dict[str, dict[str, Any]]:
    features = {
        "observation.state": {"dtype": "float32", "shape": episode.state.shape[1:], "names": None},
        "action": {"dtype": "float32", "shape": episode.action.shape[1:], "names": None},
        "next.success": {"dtype": "bool", "shape": (1,), "names": None},
    }
    if episode.reward is not None:
        features["next.reward"] = {"dtype": "float32", "shape": (1,), "names": None}
    if images:
        features[CAMERA] = {"dtype": images, "shape": (*SIZE, 3), "names": ["height", "width", "channels"]}
    return features


def frame_of(episode: Content, index: int) -> dict[str, np.ndarray]:
    last = index == len(episode.state) - 1
    frame = {
        "observation.state": episode.state[index],
        "action": episode.action[index],
        "next.success": np.array([last and episode.success]),
    }
    if episode.reward is not None:
        frame["next.reward"] = episode.reward[[index]]
    if episode.images is not None:
        frame[CAMERA] = episode.images[index]
    return frame


def add_frame(dataset: LeRobotDataset, frame: dict[str, np.ndarray], task: str) -> None:
    if "task" in inspect.signature(dataset.add_frame).parameters:  # v2.1
        dataset.add_frame(frame, task=task)
    else:
        dataset.add_frame({**frame, "task": task})


if __name__ == "__main__":
    main()

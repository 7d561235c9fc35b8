"""What the data sets in tests/data/ hold, by formula: LeRobot writes it, our reader must find it again.

Only numpy's PCG64 generator and float64 arithmetic are used, so that every machine gets the same numbers.
"""

from dataclasses import dataclass

import numpy as np

CAMERA = "observation.images.top"
TASKS = ["Push the cube", "Lift the cube"]
LENGTHS = [8, 14, 11]
FPS = 10
SIZE = (64, 64)
CHECKPOINTS = ["003000", "004000", "005000"]
SUCCESS_RATES = {"over": 0.93, "under": 0.13}


@dataclass
class Content:
    """One episode of T frames."""

    state: np.ndarray  # (T, 4) float32
    action: np.ndarray  # (T, A) float32
    success: bool
    task: str
    reward: np.ndarray | None = None  # (T,) float32
    images: np.ndarray | None = None  # (T, H, W, 3) uint8
    way: str | None = None  # of a reach; not in the data


def smooth_images(length: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Slow waves that drift, (T, H, W, 3) uint8: a codec keeps them to within some levels."""
    time, row, column, channel = np.ogrid[:length, :height, :width, :3]
    waves = np.sin(row / 20 + time / 4 + seed) + np.cos(column / 17 - time / 6 + channel / 4)
    return (np.round((127.5 + 50 * waves) / 5) * 5).astype(np.uint8)


def small_episodes() -> list[Content]:
    """Three episodes with a camera: of tests/data/lerobot_*."""
    generator = np.random.default_rng(20)
    episodes = []
    for number, length in enumerate(LENGTHS):
        success = number != 1
        reward = np.zeros(length, np.float32)
        reward[-1] = success
        episodes.append(
            Content(
                state=generator.uniform(-1, 1, (length, 4)).astype(np.float32),
                action=generator.uniform(-1, 1, (length, 3)).astype(np.float32),
                success=success,
                task=TASKS[number % 2],
                reward=reward,
                images=smooth_images(length, *SIZE, seed=number),
            )
        )
    return episodes


def demonstrations() -> list[Content]:
    """Successful reaches, half of them over the obstacle: of tests/data/bring_your_own/demonstrations."""
    generator = np.random.default_rng(0)
    return [_reach(generator, way, success=True, noise=0.01) for way in _ways(generator, 24)]


def rollouts(checkpoint: str) -> list[Content]:
    """Reaches of a policy, which succeed nearly always over and seldom under the obstacle."""
    number = CHECKPOINTS.index(checkpoint)
    generator = np.random.default_rng(1 + number)
    episodes = []
    for way in _ways(generator, 30):
        success = bool(generator.random() < SUCCESS_RATES[way])
        episodes.append(_reach(generator, way, success, noise=0.03 - 0.005 * number))
    return episodes


def _ways(generator: np.random.Generator, n: int) -> list[str]:
    return list(generator.permutation(["over", "under"] * (n // 2)))


def _reach(generator: np.random.Generator, way: str, success: bool, noise: float) -> Content:
    """From the left to the right of an obstacle: state (x, y, and how far it moved), action the next (x, y)."""
    length = int(generator.integers(20, 31))
    share = np.linspace(0, 1, length + 1)
    height = generator.uniform(0.4, 0.6) * (1 if way == "over" else -1)
    path = np.stack([share, height * np.sin(np.pi * share)], axis=1)
    path += generator.normal(0, noise, path.shape)
    velocity = np.diff(path, axis=0, prepend=path[:1])
    state = np.concatenate([path, velocity], axis=1)[:-1].astype(np.float32)
    return Content(state, path[1:].astype(np.float32), success, task="Reach the goal", way=str(way))

"""Images a second that batches bring, by number of workers, beside what the machine could decode at most.

Run: PYTHONPATH=workflow:tests/helpers python tests/bench/data_loading.py
The limit, of the same run: one thread that only decodes the same frames, one after another, times the cores.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import h5py
import numpy as np
import torch
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.training.batches import Batches
from demo_score.training.chunks import ChunkDataset
from lerobot_fixture import write_lerobot

IMAGE = "observation.image"
SECONDS = 4.0


def main() -> None:
    torch.set_num_threads(1)
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, episodes, decode, batch_size, n_obs_steps in (
            ("HDF5 480x640, batches of 8", *hdf5(folder), 8, 1),
            ("mp4 96x96, batches of 64 x 2 steps", *mp4(folder), 64, 2),
        ):
            limit = rate(decode(), 1) * cores
            print(f"{title}: limit {limit:.0f} images/s ({cores} cores)")
            for num_workers in (0, 1, 2):
                dataset = ChunkDataset(episodes, [IMAGE], n_obs_steps, range(16))
                batches = Batches(dataset, batch_size, torch.Generator(), num_workers, torch.device("cpu"))
                images = rate(batches, batch_size * n_obs_steps)
                print(f"  num_workers={num_workers}: {images:.0f} images/s, {images / limit:.0%} of the limit")
                batches.close()


def rate(items: Iterator, images_an_item: int) -> float:
    """Images a second, once the first items are there."""
    for _ in range(5):
        next(items)
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS:
        next(items)
        count += images_an_item
    return count / elapsed


def hdf5(folder: Path) -> tuple[list[Episode], Callable[[], Iterator]]:
    """Episodes whose images compress like rendered ones (some 35 KB), and a plain reader."""
    path = folder / "episodes.hdf5"
    generator = np.random.default_rng(0)
    scene = generator.integers(0, 256, (30, 40, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    scene[200:230] = generator.integers(100, 104, (30, 640, 3))
    images = np.stack([np.roll(scene, 3 * step, axis=1) for step in range(100)])
    numbers = np.zeros((100, 14), np.float32)
    write_episodes(path, [Episode({IMAGE: images}, numbers, numbers[:, 0], True, seed) for seed in range(3)], {})
    print(f"HDF5: {path.stat().st_size / 300 / 1e3:.0f} KB an image")

    def decode() -> Iterator:
        with h5py.File(path) as file:
            while True:
                yield from file["data/demo_0/obs/image"]

    return read_episodes(path), decode


def mp4(folder: Path) -> tuple[list[Episode], Callable[[], Iterator]]:
    """Episodes of a LeRobot data set as LeRobot writes them (a key frame every other frame), and a plain decoder."""
    dataset = write_lerobot(folder / "mp4", n_episodes=4, length=100, fps=10, episodes_per_file=4)

    def decode() -> Iterator:
        while True:
            with av.open(next(dataset.rglob("*.mp4"))) as container:
                container.streams.video[0].codec_context.thread_count = 1
                for frame in container.decode(video=0):
                    yield frame.to_ndarray(format="rgb24")

    return read_episodes(dataset, None, [IMAGE]), decode


if __name__ == "__main__":
    main()

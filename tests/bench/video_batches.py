"""Training batches a second from one LeRobot folder with video: ours, with and without decoded images, and LeRobot's.

LEROBOT_PYTHON=.venv-peers/bin/python python tests/bench/video_batches.py [--workers 2] [--rounds 3]

Batches of 8 frames of 480x640 with chunks of 100 actions, drawn at random, by as many worker processes each; in turns.
LeRobot decodes as it does by default here (torchcodec where it loads, else PyAV). Codec and key frames are those with
which LeRobot records: AV1, every second frame a key frame.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from turns import answer, asked

EPISODES, LENGTH, FPS, BATCH, CHUNK = 4, 150, 50, 8, 100
IMAGE = "observation.images.top"
SECONDS, AHEAD = 4.0, 6  # of a round; batches


def rate(batches: Iterator) -> float:
    """Batches a second, once those are used up that were read ahead."""
    for _ in range(AHEAD):
        next(batches)
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < SECONDS:
        next(batches)
        count += 1
    return count / spent


def record(folder: Path, height: int = 480, width: int = 640) -> Path:
    """A LeRobot folder of scenes that move, about as hard to pack as rendered ones."""
    import numpy as np
    from demo_score.data.episodes import Episode
    from demo_score.data.formats.robomimic import write_episodes
    from demo_score.ingest.conversion import export_data

    generator = np.random.default_rng(0)
    scene = generator.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    images = np.stack([np.roll(scene, 3 * step, axis=1) for step in range(LENGTH)])
    episodes = []
    for seed in range(EPISODES):
        numbers = generator.normal(size=(LENGTH, 14)).astype(np.float32)
        episodes.append(Episode({"observation.state": numbers, IMAGE: images}, numbers, None, True, seed))
    write_episodes(folder / "data.hdf5", episodes, {})
    export_data(folder / "data.hdf5", folder / "lerobot", "lerobot", fps=FPS)
    return folder / "lerobot"


def ours(folder: Path, workers: int, store: Path | None) -> Iterator:
    import torch
    from demo_score.data.formats import read_episodes
    from demo_score.data.image_store import with_decoded_images
    from demo_score.training.batches import Batches
    from demo_score.training.chunks import ChunkDataset

    episodes = read_episodes(folder, None, ["observation.state", IMAGE])
    episodes = episodes if store is None else with_decoded_images(episodes, store, "")
    dataset = ChunkDataset(episodes, ["observation.state", IMAGE], 1, range(CHUNK))
    return Batches(dataset, BATCH, torch.Generator().manual_seed(0), workers, torch.device("cpu"))


def theirs(folder: Path, workers: int) -> Iterator:
    import torch
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    times = {"action": [step / FPS for step in range(CHUNK)]}
    dataset = LeRobotDataset("bench/video", root=folder, delta_timestamps=times)
    loader = torch.utils.data.DataLoader(dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=True)
    while True:
        yield from loader


def compare(folder: Path, workers: int, rounds: int) -> dict[str, float]:
    """The most batches a second of each way."""
    command = [os.environ["LEROBOT_PYTHON"], __file__, "--workers", str(workers), "--there", str(folder)]
    with asked(command) as there:
        ways: dict[str, Callable[[], float]] = {"LeRobot": there}
        for name, store in (("Ours", None), ("Ours, images decoded before", folder.with_name("images"))):
            batches = ours(folder, workers, store)
            next(batches)
            ways[name] = partial(rate, batches)
        taken = [{name: way() for name, way in ways.items()} for _ in range(rounds)]
    return {name: max(row[name] for row in taken) for name in ways}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--there", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.there:
        batches = theirs(arguments.there, arguments.workers)
        next(batches)
        return answer(partial(rate, batches))
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))
    with tempfile.TemporaryDirectory() as folder:
        found = compare(record(Path(folder)), arguments.workers, arguments.rounds)
    print("| Loader | Batches of 8 a second | Times LeRobot's |\n|---|---|---|")
    for name, batches in found.items():
        print(f"| {name} | {batches:.1f} | {batches / found['LeRobot']:.1f} |")


if __name__ == "__main__":
    main()

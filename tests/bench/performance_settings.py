"""What device, training.num_workers and use_amp do to the speed of training, beside what the machine can do.

PYTHONPATH=workflow python tests/bench/performance_settings.py

num_workers: batches of 16 x 2 images 480x640 from an episode file, each followed by a step that takes 50 ms and leaves
the processor free, as on a GPU (it waits). Limits measured in the same run: reading alone, steps alone. device and
use_amp: the transformer of ACT at its original size, beside the rate of matrix products (2048 x 2048) on the device,
in the precision that is used.
"""

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from demo_score.config.settings import compose_settings
from demo_score.data.episodes import Episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.runtime.hardware import has_bfloat16
from demo_score.training.batches import Batches
from demo_score.training.loop import load_data, start_run, take_step

STEP = 0.05  # seconds
IMAGES = ["env=aloha", "policy=diffusion", "seed=0"]
STATE = ["env=aloha_cube_state", "policy=act_state", "seed=0", "training.batch_size=8", "training.num_workers=0"]


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = write_data(Path(folder) / "data.hdf5")
        print(f"training.num_workers, on {os.cpu_count()} cores")
        bench_workers(data)
        print("device and use_amp, ACT at its original size, batches of 8")
        for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
            for use_amp in ("false", "true"):
                bench_precision(data, device, use_amp)


def write_data(path: Path) -> Path:
    """Two episodes of 60 steps, with images that are about as hard to pack as rendered ones."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 255, (120, 30, 40, 3), dtype=np.uint8)
    images = np.kron(coarse, np.ones((1, 16, 16, 1), np.uint8)) + generator.integers(
        0, 3, (120, 480, 640, 1), dtype=np.uint8
    )
    episodes = [
        Episode(
            observations={
                "observation.state": generator.normal(size=(60, 14)).astype(np.float32),
                "observation.environment_state": generator.normal(size=(60, 7)).astype(np.float32),
                "observation.images.top": half,
            },
            actions=generator.normal(size=(60, 14)).astype(np.float32),
            rewards=np.zeros(60, np.float32),
            success=True,
            seed=0,
        )
        for half in np.split(images, 2)
    ]
    write_episodes(path, episodes, {})
    return path


def bench_workers(data: Path) -> None:
    frames = load_data(compose_settings([*IMAGES, f"+datasets_file={data}"])[0])

    def open_batches(workers: int) -> Batches:
        return Batches(frames, 16, torch.Generator().manual_seed(0), workers, torch.device("cpu"))

    print(f"  limit: reading alone, one process  {rate(open_batches(0).__next__):6.2f} steps/s")
    print(f"  limit: steps alone                 {1 / STEP:6.2f} steps/s")
    for workers in (0, 1, 2, 8):
        batches = open_batches(workers)
        print(f"  training.num_workers={workers}             {rate(partial(step_elsewhere, batches)):6.2f} steps/s")
        batches.close()


def step_elsewhere(batches: Batches) -> None:
    next(batches)
    time.sleep(STEP)


def bench_precision(data: Path, name: str, use_amp: str) -> None:
    settings = compose_settings([*STATE, f"+datasets_file={data}", f"device={name}", f"use_amp={use_amp}"])[0]
    device = torch.device(name)
    run = start_run(settings, load_data(settings), device)
    dtype = torch.bfloat16 if settings.use_amp and has_bfloat16(device) else torch.float32
    a = torch.randn(2048, 2048, device=device, dtype=dtype)
    products = rate(lambda: a @ a, device) * 2 * 2048**3 / 1e9
    steps = rate(lambda: take_step(run, settings, device), device)
    print(f"  device={name} use_amp={use_amp:5}  {steps:6.2f} steps/s   matrix products {products:8.0f} GFLOP/s")


def rate(work: Callable[[], object], device: torch.device | None = None, seconds: float = 6.0) -> float:
    """Calls a second, after two to warm up."""

    def wait() -> None:
        if device is not None and device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(2):
        work()
    wait()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds or count < 3:
        work()
        wait()
        count += 1
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()

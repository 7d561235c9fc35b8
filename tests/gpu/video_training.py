"""Trainings of ACT at the guide's size from one LeRobot folder with video, all included: lerobot-train, and ours."""

import tempfile
from pathlib import Path

from machine import cores
from speed import TINY
from table import Rows
from trainers import BATCH, SIZE, trainers
from video_batches import record

MAX_WORKERS = 8
N_BEFORE, N_TIMED = 20, 100


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    size = SIZE if quick else (480, 640)
    n_before, n_timed = (1, 1) if quick else (N_BEFORE, N_TIMED)
    workers = 1 if quick else max(1, min(MAX_WORKERS, cores() - 1))
    options = [option for option in TINY if option.startswith("policy")] if quick else ["use_amp=true"]
    with tempfile.TemporaryDirectory() as folder:
        data = record(Path(folder), *size)
        ways = trainers(data, size, device, workers, n_before, n_timed, *options)
        for name, train in ways.items():
            with rows.attempt(name):
                rate = train()
                rows.add(name, f"{rate:.3g} steps/s", f"batches of {BATCH}, {workers} workers")

"""Training steps a second from one LeRobot folder with video, all included: LeRobot's own trainer and ours, in turns.

LEROBOT_PYTHON=.venv-peers/bin/python python tests/bench/trainers.py [--size 96 128] [--device cpu] [--rounds 2]

ACT with ResNet18 on one camera and joint positions, LeRobot's configuration but for its width, batches of 8, two worker
processes, all cores. Theirs is `lerobot-train`, timed by the lines of its log; ours is the training loop's own steps.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

import torch
from demo_score.config.settings import compose_settings
from demo_score.training.loop import Run, load_data, start_run, take_step
from lerobot_act import OPTIONS
from omegaconf import DictConfig
from video_batches import record

BATCH, SIZE = 8, (96, 128)
N_BEFORE, N_TIMED = 10, 10
NARROW = ["policy.dim_model=128", "policy.dim_feedforward=512"]  # so that a step on a CPU does not hide the rest
_LOGGED = re.compile(r"\bstep:\S+ ")


def settings_for(folder: Path, size: tuple[int, int], device: str, workers: int, *options: str) -> DictConfig:
    """Of a training on the LeRobot data set in `folder`; weights are drawn."""
    given = ["env=aloha_cube", f"env.image_size=[{size[0]},{size[1]}]", "policy=act", f"+datasets_file={folder}"]
    given += ["policy.pretrained_backbone_weights=null", f"training.batch_size={BATCH}", "training.eval_freq=0"]
    given += [f"training.num_workers={workers}", "seed=0", f"device={device}", *options]
    return compose_settings(given)[0]


def own_rate(settings: DictConfig, n_before: int, n_timed: int) -> float:
    """Steps a second of our training loop, after `n_before` of them."""
    device = torch.device(settings.device)
    data = load_data(settings)
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # of all cores, as LeRobot's
    run = start_run(settings, data, device)
    try:
        _steps(run, settings, device, n_before)
        start = time.perf_counter()
        _steps(run, settings, device, n_timed)
        return n_timed / (time.perf_counter() - start)
    finally:
        run.batches.close()


def _steps(run: Run, settings: DictConfig, device: torch.device, n: int) -> None:
    for _ in range(n):
        take_step(run, settings, device)
    if device.type == "cuda":
        torch.cuda.synchronize()


def rate_of_lerobot(folder: Path, settings: DictConfig, n_before: int, n_timed: int) -> float:
    """The same of lerobot-train. Raises RuntimeError with the last line of its output where it ends without it."""
    python = os.environ.get("LEROBOT_PYTHON")
    if not python:
        python, _ = sys.executable, import_module("lerobot")
    with tempfile.TemporaryDirectory() as out:
        command = [python, "-m", "lerobot.scripts.lerobot_train", *_arguments(folder, settings, Path(out) / "run")]
        command += [f"--steps={n_before + n_timed}", f"--log_freq={n_before}"]
        times, lines = [], []
        for line in _lines(command):
            lines.append(line)
            if _LOGGED.search(line):
                times.append(time.perf_counter())
        if len(times) != 1 + n_timed // n_before:
            raise RuntimeError(f"lerobot-train: {lines[-1] if lines else 'no output'}")
        return n_timed / (times[-1] - times[0])


def _arguments(folder: Path, settings: DictConfig, out: Path) -> list[str]:
    """Our settings as lerobot-train takes them (0.6.1)."""
    policy = {name: settings.policy[name] for name in OPTIONS} | {"pretrained_backbone_weights": None}
    policy |= {"device": settings.device, "use_amp": settings.use_amp, "push_to_hub": False}
    options = {f"policy.{name}": value for name, value in policy.items()}
    options |= {"dataset.repo_id": "bench/video", "dataset.root": folder, "output_dir": out, "policy.type": "act"}
    options |= {"batch_size": BATCH, "num_workers": settings.training.num_workers, "save_checkpoint": False}
    options |= {"env_eval_freq": 0, "wandb.enable": False}
    return [f"--{name}={_text(value)}" for name, value in options.items()]


def _text(value: object) -> str:
    return {None: "null", True: "true", False: "false"}.get(value, str(value))


def _lines(command: list[str]) -> Iterator[str]:
    """What a command prints, line by line as it comes."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with subprocess.Popen(command, env=environment, **options) as process:
        yield from (line.strip() for line in process.stdout if line.strip())


def trainers(
    folder: Path, size: tuple[int, int], device: str, workers: int, n_before: int, n_timed: int, *options: str
) -> dict[str, Callable[[], float]]:
    """Name -> what trains on the LeRobot data set in `folder`, and returns its steps a second."""
    plain = settings_for(folder, size, device, workers, *options)
    stored = settings_for(folder, size, device, workers, *options, f"training.image_store={folder.parent / 'images'}")
    return {
        "lerobot-train": lambda: rate_of_lerobot(folder, plain, n_before, n_timed),
        "ours": lambda: own_rate(plain, n_before, n_timed),
        "ours, images decoded before": lambda: own_rate(stored, n_before, n_timed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = record(Path(folder), *arguments.size)
        ways = trainers(data, arguments.size, arguments.device, arguments.workers, N_BEFORE, N_TIMED, *NARROW)
        taken = [{name: train() for name, train in ways.items()} for _ in range(arguments.rounds)]
    print("| Trainer | Steps a second | Times LeRobot's |\n|---|---|---|")
    found = {name: max(rates[name] for rates in taken) for name in ways}
    for name, rate in found.items():
        print(f"| {name} | {rate:.2f} | {rate / found['lerobot-train']:.2f} |")


if __name__ == "__main__":
    main()

"""What was measured on: card, driver, versions, date and commit."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from table import Rows

REPOSITORY = Path(__file__).resolve().parents[2]


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    """Report the machine; nothing at all where `device` is cuda and torch finds none."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return
    card = torch.cuda.get_device_name() if device == "cuda" else f"no card: {device}"
    memory = f"{torch.cuda.get_device_properties(0).total_memory / 2**30:.0f} GiB" if device == "cuda" else ""
    rows.add("card", card, "in miniature: the numbers mean nothing" if quick else memory)
    driver = output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") if device == "cuda" else ""
    rows.add("driver", driver.partition("\n")[0] or "unknown")
    rows.add("CUDA", torch.version.cuda or "none", f"cuDNN {torch.backends.cudnn.version()}")
    rows.add("torch", torch.__version__)
    rows.add("Python", platform.python_version())
    rows.add("cores", str(cores()))
    rows.add("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    rows.add("commit", os.environ.get("COMMIT") or commit() or "unknown")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str:
    """The commit of this repository, with a word where files have changed since; empty without git."""
    number = output_of("git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD")
    changed = output_of("git", "-C", str(REPOSITORY), "status", "--porcelain", "--untracked-files=no")
    return f"{number}, with changes" if number and changed else number


def output_of(*command: str) -> str:
    """What a command prints; empty where it fails or is missing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""

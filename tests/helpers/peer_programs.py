"""For tests/peers: a repository to work in, and programs of LeRobot's and of ours that run there."""

import os
import subprocess
import sys
from pathlib import Path

from places import REPOSITORY

OURS = REPOSITORY / ".venv/bin"


def linked_repository(folder: Path) -> Path:
    for name in ("rules", "workflow", "profiles", "envs", "Snakefile", "README.md"):
        (folder / name).symlink_to(REPOSITORY / name)
    return folder


def run(folder: Path, *command: object, **variables: str) -> str:
    """What the command prints; `variables` are added to its environment."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **variables}
    command = [*map(str, command)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def lerobot(command: str) -> Path:
    """The path of lerobot-<command>."""
    return Path(sys.executable).with_name(f"lerobot-{command}")

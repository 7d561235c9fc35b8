"""Waiting for what other processes do, and striking them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psutil
from places import SCRIPTS, WORKFLOW

T = TypeVar("T")
PATIENCE = 600  # seconds: no machine is as busy as that; what takes longer never comes


def wait_for(condition: Callable[[], T], what: str = "what was waited for", pause: float = 0.01) -> T:
    """What `condition` returns once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} does not appear"
        time.sleep(pause)
    return found


def is_running(process: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    return False


STRUCK_TRAINING = """
import os, runpy, sys
from demo_score.training import loop

step, number = int(sys.argv[1]), int(sys.argv[2])
take_step = loop.take_step

def struck(run, *arguments):
    if run.step == step:
        os.kill(os.getpid(), number)
    take_step(run, *arguments)

loop.take_step = struck
del sys.argv[:3]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def struck_training(step: int, number: int, *arguments: object) -> subprocess.Popen:
    """train.py with `arguments`, a process that gets the signal `number` after so many steps, however busy we are."""
    command = [sys.executable, "-c", STRUCK_TRAINING, step, number, WORKFLOW / "scripts/train.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{WORKFLOW}{os.pathsep}{SCRIPTS}"}
    return subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True, env=environment)

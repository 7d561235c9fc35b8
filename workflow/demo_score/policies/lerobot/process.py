"""Policies that only LeRobot knows, behind the interface of ours: LeRobot runs them in a process of its own."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from safetensors.torch import load, save
from torch import Tensor, nn

from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError

NAME = "lerobot"  # policy.name
PYTHON = "LEROBOT_PYTHON"  # environment variable: a Python that has lerobot
INSTALLED = Path(__file__).resolve().parents[4] / ".venv-lerobot/bin/python"
SERVE = Path(__file__).with_name("serve.py")
UNSEEN = ("loss", "chunk", "embedding", "output", "output_draws", "normalization")  # what a policy of ours has


class LeRobotProcess(nn.Module):
    """The policy of `settings.policy` in the folder policy.path, which acts, and cannot be trained or looked into.

    Its process begins with the first batch of episodes and ends with this one. Raises UserError where there is no
    lerobot, and where it fails.
    """

    def __init__(self, settings: DictConfig):
        super().__init__()
        self.settings = settings
        self.process: subprocess.Popen | None = None
        self.n_actions = 1
        self.device = torch.device("cpu")

    def to(self, device: torch.device, *args: object, **kwargs: object) -> "LeRobotProcess":
        self.device = torch.device(device)
        return self

    def reset(self, seeds: list[int]) -> None:
        """Begin a batch of episodes; all their `seeds` together decide what is drawn."""
        if self.process is None:
            self._start()
        self._ask({"reset": int(np.random.SeedSequence(seeds).generate_state(1)[0])})

    def act(self, observations: dict[str, Tensor]) -> Tensor:
        """The next actions, (B, n, action_dim), in the environment's units; observations: key -> (B, 1, ...).

        n: n_action_steps; 1 of a policy that looks at every step, or remembers several. Images are in [0, 1].
        """
        now = {key: observations[key][:, -1].float().cpu().contiguous() for key in self.settings.input_shapes}
        asked = {"act": self.n_actions, "task": self.settings.get("task") or ""}
        return load(self._ask(asked, save(now)))[ACTION]

    def _start(self) -> None:
        path, python = Path(self.settings.path), Path(os.environ.get(PYTHON) or INSTALLED)
        if not python.is_file():
            raise UserError(
                f"{path}: runs through LeRobot itself ({self.settings.reason}), and there is no {python}; run "
                f"`make lerobot`, or set {PYTHON} to a Python that has lerobot"
            )
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([python, SERVE, path, str(self.device)], env=environment, **pipes)
        ready, _ = self._answer()
        self.n_actions = self.settings.n_action_steps if ready["queue"] else 1

    def _ask(self, message: dict[str, Any], content: bytes = b"") -> bytes:
        stream = self.process.stdin
        with suppress(BrokenPipeError):  # the answer tells why
            stream.write(json.dumps(message | {"bytes": len(content)}).encode() + b"\n" + content)
            stream.flush()
        return self._answer()[1]

    def _answer(self) -> tuple[dict[str, Any], bytes]:
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            raise UserError(f"{self.settings.path}: LeRobot's process ended with status {status}; see what it printed")
        message = json.loads(line)
        if error := message.get("error"):
            raise UserError(f"{self.settings.path}: LeRobot says {error}")
        return message, self.process.stdout.read(message["bytes"])

    def __getattr__(self, name: str) -> Any:
        if name in UNSEEN:
            raise UserError(f"{self.settings.path}: a policy that LeRobot runs only acts; leave out what looks into it")
        return super().__getattr__(name)

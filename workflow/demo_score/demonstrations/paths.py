"""Where the hands, or the pusher, go in each demonstration."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.envs import make_env
from demo_score.observations import STATE
from demo_score.runtime.errors import UserError
from demo_score.simulators import SIMULATORS, simulator
from demo_score.tables import PATHS

SECONDS = 0.1  # of simulated time, between two points


def write_paths(demonstrations: list[Path], out: Path) -> None:
    """Write the paths in files of collected demonstrations.

    Finger tips are in metres, the pusher is in pixels, of the table or as its observations in the frame of the block,
    and has no z. Raises UserError for demonstrations of another simulator.
    """
    rows = [{"z": None, **row} for path in demonstrations for row in _paths_of(path)]
    PATHS.write(out, pd.DataFrame(rows, columns=list(PATHS.columns)))


def _paths_of(file: Path) -> Iterator[dict]:
    dataset = open_dataset(file)
    settings = dataset.env_args()
    moving = simulator(settings.get("name", "")).effectors
    if not moving:
        known = " or ".join(name for name, other in SIMULATORS.items() if other.effectors)
        raise UserError(f"{file}: was not recorded in {known}; there is no path to draw")
    every = max(1, math.ceil(settings["fps"] * SECONDS))
    effectors = _finger_tips(settings) if moving == "finger tips" else _pusher
    for number, episode in enumerate(dataset.read(keys=[STATE])):
        for step in range(0, len(episode), every):
            for effector, position in effectors(episode, step).items():
                place = dict(zip("xyz", position, strict=False))
                yield {"strategy": episode.strategy, "episode": number, "step": step, "effector": effector, **place}


def _pusher(episode: Episode, step: int) -> dict[str, np.ndarray]:
    return {"pusher": episode.observations[STATE][step][:2]}


def _finger_tips(settings: Mapping[str, Any]):
    from demo_score.demonstrations.inverse_kinematics import TwoArms  # the simulator, loaded when needed

    arms = TwoArms(make_env({**settings, "obs_type": "environment_state_agent_pos"}).model)

    def tips(episode: Episode, step: int) -> dict[str, np.ndarray]:
        joints = np.asarray(episode.observations[STATE][step], float).reshape(2, 7)[:, :6]
        return dict(zip(("left", "right"), arms.tips_at(joints), strict=True))

    return tips

"""Where the hands, or the pusher, go in each demonstration."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from demo_score.data.episodes import Episode, place
from demo_score.data.formats import open_dataset
from demo_score.observations import STATE
from demo_score.runtime.errors import UserError
from demo_score.simulators import SIMULATORS, simulator, simulator_in
from demo_score.tables import PATHS

NAMES = {
    "finger tips": ("left", "right"),
    "pusher": ("pusher",),
    "hand": ("hand",),
}  # of the effectors, in the order of their positions
SECONDS = 0.1  # of simulated time, between two points


def write_paths(demonstrations: list[Path], out: Path) -> None:
    """Write the paths in files of collected demonstrations.

    Finger tips and a hand are in metres; the pusher is in pixels, of the table or as its observations in the frame of
    the block, and has no z. Raises UserError for demonstrations of another simulator.
    """
    rows = [{"z": None, **row} for path in demonstrations for row in _paths_of(path)]
    PATHS.write(out, pd.DataFrame(rows, columns=list(PATHS.columns)))


def effector_positions(settings: Mapping[str, Any]) -> Callable[[Episode], np.ndarray] | None:
    """Positions (T, effectors, dimensions) in an episode recorded with env `settings`; None of another simulator.

    Of both finger tips, left first, in metres; of a hand, in metres; or of the pusher, in pixels as it is observed.
    """
    if not (moving := simulator(simulator_in(settings)).effectors):
        return None
    if "name" not in settings:
        return _robomimics_hands
    locate = {"finger tips": _finger_tips, "pusher": _pusher, "hand": _hand}[moving](settings)
    return lambda episode: locate(np.asarray(episode.observations[STATE]))


def _paths_of(file: Path) -> Iterator[dict]:
    dataset = open_dataset(file)
    settings = dataset.env_args()
    if (locate := effector_positions(settings)) is None:
        known = " or ".join(name for name, other in SIMULATORS.items() if other.effectors)
        raise UserError(f"{file}: was not recorded in {known}; there is no path to draw")
    every = max(1, math.ceil(settings["fps"] * SECONDS))
    names = NAMES[simulator(settings["name"]).effectors]
    for number, episode in enumerate(dataset.read(keys=[STATE])):
        for step, positions in list(enumerate(locate(episode)))[::every]:
            for effector, position in zip(names, positions, strict=True):
                place = dict(zip("xyz", position, strict=False))
                yield {"strategy": episode.strategy, "episode": number, "step": step, "effector": effector, **place}


def _pusher(settings: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda states: states[:, None, :2]


def _hand(settings: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda states: states[:, None, :3]


def _robomimics_hands(episode: Episode) -> np.ndarray:
    """Of each arm of a robomimic file."""
    places = [values for key, values in episode.observations.items() if key.endswith("_eef_pos")]
    if not places:
        raise UserError(f"{place(episode)}: has no observation.robot0_eef_pos, where the hand is; leave smoothness out")
    return np.stack([np.asarray(values, float) for values in places], axis=1)


def _finger_tips(settings: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    from demo_score.demonstrations.inverse_kinematics import TwoArms  # the simulator, loaded when needed
    from demo_score.envs.aloha import model_of

    arms = TwoArms(model_of(settings))
    return lambda states: np.array([arms.tips_at(joints) for joints in states.reshape(-1, 2, 7)[..., :6].astype(float)])

"""Recorded actions, carried out again from where they began: do they end as the recording says?"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from demo_score.config.settings import compose_settings, environment_of
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.robomimic import RobomimicFile
from demo_score.demonstrations.strategies import strategies_of
from demo_score.envs import make_env
from demo_score.envs.base import Environment, Observation
from demo_score.runtime.errors import UserError
from demo_score.runtime.progress import progress_bar
from demo_score.runtime.stopping import check
from demo_score.simulators import simulator_in
from demo_score.tables import PLAYBACK

DONE = 1.0  # robosuite's sparse reward where the task is done, which tells the success of an episode that says none


def play_back(path: Path, out: Path, n_episodes: int | None = None) -> pd.DataFrame:
    """Carry out the first `n_episodes` (None: all) of a file again, and write a row for each.

    Raises UserError where the file does not tell which environment recorded it.
    """
    dataset = open_dataset(path)
    env = make_env(_recorded_environment(dataset))
    numbers, rows = dataset.episode_indices[:n_episodes], []
    with progress_bar(len(numbers), path.name, "episode") as progress:
        for number, episode in zip(numbers, dataset.read(numbers), strict=True):
            check()
            rows.append({"file": path.name, "episode": number, **_again(env, dataset, number, episode)})
            progress.update()
    table = pd.DataFrame(rows, columns=list(PLAYBACK.columns))
    PLAYBACK.write(out, table)
    return table


def _recorded_environment(dataset: DataSet) -> dict:
    """The settings `env` of the environment that recorded a file of ours, or robosuite's of a robomimic file."""
    described = dataset.env_args()
    if "name" in described:
        return described
    if not simulator_in(described):
        raise UserError(
            f"{dataset.path}: does not tell which environment recorded it; give a file that was collected here, or one "
            "of robomimic's"
        )
    overrides = ["env=robosuite", f"env.recorded_in={dataset.path}", f"fps={dataset.fps or 20}"]
    return environment_of(compose_settings(overrides, complete=False)[0])


def _begin(env: Environment, dataset: DataSet, number: int, episode: Episode) -> Observation:
    """Reset the environment to where an episode began."""
    start = dataset.start(number) if isinstance(dataset, RobomimicFile) else None
    return (env.reset(seed=episode.seed) if start is None else env.reset_to(*start))[0]


def commands(env: Environment, episode: Episode) -> Iterable[np.ndarray]:
    """The actions that made the episode: where its strategy recorded what was measured, the strategy acts again."""
    demonstrator = strategies_of(env.simulator, env.task).get(episode.strategy)
    if demonstrator is None or demonstrator.records == "commands":
        return episode.actions
    return islice(demonstrator.actions(env, np.random.default_rng(episode.seed)), len(episode))


def _again(env: Environment, dataset: DataSet, number: int, episode: Episode) -> dict:
    observed, succeeded = _begin(env, dataset, number, episode), False
    differences = [_difference(observed, episode, 0)]
    for step, action in enumerate(commands(env, episode), start=1):
        observed, _, _, _, info = env.step(action)
        succeeded |= info["is_success"]
        if step < len(episode):
            differences.append(_difference(observed, episode, step))
    return {"recorded": _recorded(episode), "success": succeeded, "difference": max(differences)}


def _difference(observed: Observation, episode: Episode, step: int) -> float:
    """The largest between what is observed and what was recorded, of numbers that both have."""
    both = [key for key, values in episode.observations.items() if key in observed and isinstance(values, np.ndarray)]
    return max((_largest(episode.observations[key][step], observed[key]) for key in both), default=0.0)


def _largest(recorded: np.ndarray, observed: np.ndarray) -> float:
    return float(np.abs(np.float32(recorded).ravel() - np.ravel(observed)).max(initial=0.0))


def _recorded(episode: Episode) -> bool | None:
    if episode.success is not None or episode.rewards is None:
        return episode.success
    return bool(episode.rewards.max(initial=0) >= DONE)

"""Strategies with one defect each: what is recorded as an action was measured; the hands stop on the way."""

import numpy as np
import pandas as pd
import pytest
from aloha_settings import settings
from demo_score.config.settings import compose_settings
from demo_score.data.formats.robomimic import write_episodes
from demo_score.demonstrations import strategies
from demo_score.demonstrations.collect import demonstrate
from demo_score.demonstrations.recording import record_demonstrations
from demo_score.envs import make_env
from omegaconf import OmegaConf
from synthetic_results import write_table

pytestmark = pytest.mark.slow

SEED = 5_100_000
STATE = "observation.state"


def pusht(name: str) -> dict:
    return OmegaConf.to_container(compose_settings([f"env={name}"])[0].env, resolve=True)


ENVS = {
    "cube": settings("AlohaTransferCube-v0"),
    "pusht": pusht("pusht_state"),
    "pusht_block": pusht("pusht_block"),
}


@pytest.fixture(scope="module", params=ENVS)
def pair(request):
    """The environment, and the reliable and the measured episode from one start."""
    env = make_env(ENVS[request.param])
    return env, demonstrate(env, "reliable", SEED), demonstrate(env, "measured_actions", SEED)


def test_measured_actions_change_nothing_but_the_actions(pair) -> None:
    _, reliable, measured = pair
    for key, values in reliable.observations.items():
        np.testing.assert_array_equal(measured.observations[key], values)
    np.testing.assert_allclose(measured.rewards, reliable.rewards, atol=1e-6)
    assert (measured.success, measured.seed, measured.strategy) == (True, SEED, "measured_actions")
    assert (measured.actions.dtype, measured.actions.shape) == (np.float32, reliable.actions.shape)
    assert np.abs(measured.actions - reliable.actions).max() > 0.1


def from_goal(episode, points: np.ndarray) -> np.ndarray:
    """Points (T, 2) as the state is seen, on a table that stays: complex (T,), px, with pusht_block from the goal."""
    points = points.astype(float) @ [1, 1j]
    seen = episode.observations["observation.environment_state"].astype(float)
    if seen.shape[1] != 13:
        return points
    return (points - seen[:, :2] @ [1, 1j]) / (seen[:, 2:4] @ [1, 1j])


def test_measured_actions_are_where_the_robot_is_a_step_later(pair) -> None:
    _, _, measured = pair
    states, actions = measured.observations[STATE], measured.actions
    if actions.shape[1] == 2:
        states, actions = from_goal(measured, states), from_goal(measured, actions)
    np.testing.assert_allclose(actions[:-1], states[1:], atol=1e-3 if actions.ndim == 1 else 0)


def test_the_last_measured_action_is_where_the_robot_ends(pair) -> None:
    env, reliable, measured = pair
    env.reset(seed=SEED)
    for action in reliable.actions:
        env.step(action)
    np.testing.assert_allclose(measured.actions[-1], env.reached(), atol=1e-4)


def test_measured_actions_lack_the_grip() -> None:
    """The fingers cannot close on the cube as far as they are told to."""
    env = make_env(ENVS["cube"])
    closed = demonstrate(env, "reliable", SEED).actions[:, 13] == 0
    lifting = np.flatnonzero(closed)[20:60]
    assert demonstrate(env, "measured_actions", SEED).actions[lifting, 13].min() > 0.1


@pytest.mark.parametrize("strategy", ["reliable", "measured_actions"])
def test_demonstrations_are_drawn_as_they_went_whatever_they_recorded(tmp_path, strategy) -> None:
    env = make_env(ENVS["pusht_block"])
    write_episodes(tmp_path / "a.hdf5", [demonstrate(env, strategy, SEED)], ENVS["pusht_block"])
    row = {"kind": "demonstration", "file": "a.hdf5", "episode": 0, "actor": strategy, "score": 0.5, "kept": 1}
    scores = write_table(tmp_path / "scores.csv", pd.DataFrame([row]))
    record_demonstrations(scores, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


@pytest.fixture(scope="module")
def insertions():
    env = make_env(settings("AlohaInsertion-v0"))
    seeds = range(SEED, SEED + 4)
    return [[demonstrate(env, strategy, seed) for seed in seeds] for strategy in ("reliable", "hesitant")]


def test_hesitant_demonstrations_succeed_within_the_time_limit_and_are_longer(insertions) -> None:
    reliable, hesitant = insertions
    assert {len(episode) for episode in reliable} == {200}
    lengths = [len(episode) for episode in hesitant]
    assert min(lengths) >= 200 + strategies.PAUSE[0] and max(lengths) <= 200 + strategies.PAUSE[1] < 400
    assert len(set(lengths)) > 1


def test_a_hesitant_demonstration_is_the_reliable_one_with_a_pause(insertions) -> None:
    for reliable, hesitant in zip(*insertions, strict=True):
        pause = len(hesitant) - len(reliable)
        still = np.flatnonzero((np.diff(hesitant.actions, axis=0) == 0).all(axis=1))
        moment = still[0]
        np.testing.assert_array_equal(still[:pause], np.arange(moment, moment + pause))
        np.testing.assert_array_equal(np.delete(hesitant.actions, still[:pause], axis=0), reliable.actions)
        assert moment < 150


def test_moments_and_durations_of_pauses_are_uniform() -> None:
    paused = strategies.hesitate(lambda env, generator: iter(np.arange(200)))
    played = [np.array(list(paused(None, np.random.default_rng(seed)))) for seed in range(400)]
    pauses = np.array([len(actions) - 200 for actions in played])
    moments = np.array([np.bincount(actions).argmax() for actions in played])
    assert (pauses.min(), pauses.max()) == pytest.approx(strategies.PAUSE, abs=2)
    assert (moments.min(), moments.max()) == pytest.approx((0, 149), abs=4)
    assert pauses.mean() == pytest.approx(np.mean(strategies.PAUSE), abs=5)
    assert moments.mean() == pytest.approx(74.5, abs=8)

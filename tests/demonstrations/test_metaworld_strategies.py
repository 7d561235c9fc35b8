"""The four demonstrators of Meta-World's tasks."""

from itertools import islice

import numpy as np
import pytest
from conftest import one_line_error
from demo_score.config.settings import compose_settings
from demo_score.demonstrations.collect import collect_demonstrations, demonstrate
from demo_score.demonstrations.metaworld_strategies import (
    DRIFT,
    HAND_NOISE,
    MEMORY,
    OFF_CENTRE,
    WRONG,
    _drifting,
    _steady,
)
from demo_score.demonstrations.paths import effector_positions
from demo_score.demonstrations.strategies import get_strategy, strategies_of
from demo_score.envs import make_env
from omegaconf import OmegaConf

SETTINGS = OmegaConf.to_container(compose_settings(["env=metaworld_shelf_place"])[0].env)
STRATEGIES = list(strategies_of("metaworld", SETTINGS["task"]))
STARTS = range(20, 32)


@pytest.fixture(scope="module")
def env():
    return make_env(SETTINGS)


def actions_of(env, strategy, seed):
    env.reset(seed=seed)
    made = []
    for action in strategies_of(env.simulator, env.task)[strategy].actions(env, np.random.default_rng(seed)):
        made.append(action)
        env.step(action)
    return np.array(made)


def test_every_strategy_is_found_by_the_simulator_s_name() -> None:
    assert STRATEGIES == ["expert", "noisy", "defective", "risky"]
    assert list(strategies_of("metaworld", "any-task-v3")) == STRATEGIES[:3]


def test_a_task_without_strategies_is_told_which_have_some() -> None:
    with one_line_error("no scripted strategy for task 'Door'", "Lift, PickPlaceCan, all of metaworld"):
        get_strategy("robosuite", "Door", "better")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_succeeds_is_kept_and_all_are_equally_long(strategy) -> None:
    episodes = collect_demonstrations(SETTINGS, strategy, 2, 5000, 1)
    again = collect_demonstrations(SETTINGS, strategy, 2, 5000, 1)
    assert [len(episode) for episode in episodes] == [140, 140]
    for first, second in zip(episodes, again, strict=True):
        np.testing.assert_array_equal(first.actions, second.actions)
        assert first.actions.dtype == np.float32 and np.abs(first.actions).max() <= 1


def test_the_expert_succeeds_more_often_than_any_other(env) -> None:
    rates = {name: np.mean([demonstrate(env, name, seed) is not None for seed in STARTS]) for name in STRATEGIES}
    assert rates["expert"] > max(rates[name] for name in STRATEGIES[1:])
    assert rates["expert"] >= 0.9 and 0 < rates["risky"] <= 0.6


@pytest.mark.parametrize(("noise", "deviation", "memory"), [(_steady, HAND_NOISE, 0.0), (_drifting, DRIFT, MEMORY)])
def test_noise_is_as_strong_and_as_correlated_as_it_says(noise, deviation, memory) -> None:
    drawn = np.array([list(islice(noise(np.random.default_rng(seed)), 60)) for seed in range(300)])
    np.testing.assert_allclose(drawn.std(axis=0), deviation, rtol=0.2)  # at every step, the first included
    found = (drawn[:, 1:] * drawn[:, :-1]).mean() / (drawn**2).mean()
    assert found == pytest.approx(memory, abs=0.03)


def test_defective_moves_wrongly_for_a_moment_only(env) -> None:
    actions = actions_of(env, "defective", 21)[:, :3]
    still = np.all(actions[1:] == actions[:-1], axis=1)
    longest = max(len(run) for run in "".join("x" if same else " " for same in still).split())
    assert WRONG[0] <= longest + 1 <= WRONG[1]


def grip_of(strategy) -> np.ndarray:
    """Hand minus object, as the fingers begin to close, mean over demonstrations."""
    found = []
    for episode in collect_demonstrations(SETTINGS, strategy, 4, 5000, 1):
        closing = np.argmax(episode.actions[:, 3] > 0)
        hand, thing = (episode.observations[f"observation.{key}"][closing] for key in ("state", "environment_state"))
        found.append(hand[:3] - thing[:3])
    return np.mean(found, axis=0)


def test_risky_takes_hold_at_the_edge() -> None:
    away = grip_of("risky") - grip_of("expert")
    np.testing.assert_allclose(away, [*OFF_CENTRE[SETTINGS["task"]], 0], atol=0.012)  # it is still on its way


def test_the_hand_is_what_moves(env) -> None:
    episode = demonstrate(env, "expert", 20)
    np.testing.assert_array_equal(
        effector_positions(SETTINGS)(episode)[:, 0], episode.observations["observation.state"][:, :3]
    )

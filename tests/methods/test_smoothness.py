"""Spectral arc length against a direct Fourier transform, and on profiles of which the order is known."""

from pathlib import Path

import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.config.settings import compose_settings
from demo_score.demonstrations.paths import effector_positions
from demo_score.methods.base import Evidence
from demo_score.methods.smoothness import METHOD, Settings, spectral_arc_length
from omegaconf import OmegaConf


def direct(speed: np.ndarray, fps: float, cutoff: float = 10, amplitude: float = 0.05, padding: int = 4) -> float:
    """SPARC by sums of cosines and sines, frequency by frequency."""
    size = 2
    while size < len(speed):
        size *= 2
    size *= 2**padding
    spectrum = []
    for index in range(size // 2 + 1):
        if index * fps / size <= cutoff:
            angles = 2 * np.pi * index * np.arange(len(speed)) / size
            spectrum.append(np.hypot((speed * np.cos(angles)).sum(), (speed * np.sin(angles)).sum()))
    strengths = np.array(spectrum) / max(spectrum)  # a speed is strongest at frequency 0
    strong = [index for index, strength in enumerate(strengths) if strength >= amplitude]
    first, last = strong[0], strong[-1]
    arc = 0.0
    for index in range(first, last):
        arc += np.hypot(1 / (last - first), strengths[index + 1] - strengths[index])
    return -arc


def bell(n: int) -> np.ndarray:
    """The speed of a minimum-jerk movement."""
    t = np.linspace(0, 1, n)
    return 30 * t**2 * (1 - t) ** 2


def along(positions: np.ndarray, **attributes):
    """An episode whose state is `positions` (T, D)."""
    episode = random_episode(len(positions), **attributes)
    episode.observations["observation.state"] = positions.astype(np.float32)
    return episode


def evidence(*episodes, fps: float = 50, effectors=None) -> Evidence:
    return Evidence(list(episodes), fps=fps, seed=0, effectors=effectors)


@pytest.mark.parametrize(("n", "fps"), [(50, 50), (64, 50), (33, 10), (2, 50), (90, 24.5)])
def test_arc_length_is_that_of_a_direct_transform(n, fps) -> None:
    speed = np.random.default_rng(n).uniform(0, 1, n)
    assert spectral_arc_length(speed, fps, Settings()) == pytest.approx(direct(speed, fps), rel=1e-9)


@pytest.mark.parametrize("change", [{"cutoff": 4}, {"amplitude": 0.3}, {"padding": 2}])
def test_settings_act_as_in_the_formula(change) -> None:
    speed = bell(60) + np.sin(0.3 * np.arange(60)) ** 2
    changed = spectral_arc_length(speed, 50, Settings.read(change, "smoothness"))
    assert changed == pytest.approx(direct(speed, 50, **change), rel=1e-9)
    assert changed != pytest.approx(direct(speed, 50), rel=1e-3)


def test_a_minimum_jerk_movement_is_as_smooth_as_is_published() -> None:
    """About -1.4 (Balasubramanian et al. 2015, figure 3), whatever its size and duration."""
    lengths = [spectral_arc_length(scale * bell(n), 100, Settings()) for scale in (1, 40) for n in (100, 200)]
    np.testing.assert_allclose(lengths, lengths[0], atol=0.02)
    assert -1.5 < lengths[0] < -1.35


def test_a_movement_in_two_parts_is_less_smooth() -> None:
    whole, parts = np.cumsum(bell(100)), np.cumsum(np.concatenate([bell(40), np.zeros(20), bell(40)]))
    scores = METHOD.score(evidence(along(whole[:, None]), along(parts[:, None])), Settings())
    assert scores[0] > scores[1] + 0.5


def test_effectors_count_alike_and_those_that_rest_not_at_all() -> None:
    generator = np.random.default_rng(4)
    walks = generator.normal(size=(40, 2, 3)).cumsum(axis=0)
    positions = np.concatenate([walks, np.ones((40, 1, 3))], axis=1)
    (score,) = METHOD.score(evidence(random_episode(40), effectors=lambda episode: positions), Settings())
    speeds = [np.sqrt((np.diff(walks[:, hand], axis=0) ** 2).sum(1)) * 50 for hand in range(2)]
    assert score == pytest.approx(np.mean([direct(speed, 50) for speed in speeds]), rel=1e-9)


def test_without_effectors_the_whole_state_moves() -> None:
    episode = random_episode(30)
    states = episode.observations["observation.state"].astype(float)
    speed = np.sqrt((np.diff(states, axis=0) ** 2).sum(1))
    (score,) = METHOD.score(evidence(episode, fps=24), Settings())
    assert score == pytest.approx(direct(speed, 24), rel=1e-6)


def test_what_cannot_be_judged_is_one_line() -> None:
    with one_line_error("demonstration 1", "has 2 steps"):
        METHOD.score(evidence(random_episode(9), random_episode(2)), Settings())
    with one_line_error("data.hdf5 episode 4", "nothing moves"):
        METHOD.score(evidence(along(np.ones((9, 2)), origin=(Path("data.hdf5"), 4))), Settings())
    episode = random_episode(9)
    del episode.observations["observation.state"]
    with one_line_error("demonstration 0", "has no observation.state"):
        METHOD.score(evidence(episode), Settings())


def test_the_pusher_is_where_it_is_observed_and_unknown_simulators_have_no_effectors() -> None:
    settings = OmegaConf.to_container(compose_settings(["env=pusht_state"])[0].env, resolve=True)
    episode = random_episode(5)
    positions = effector_positions(settings)(episode)
    np.testing.assert_array_equal(positions, episode.observations["observation.state"][:, None, :2])
    assert effector_positions({"name": "xarm"}) is None
    assert effector_positions({}) is None

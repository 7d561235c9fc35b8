"""The planner that pushes the T: its table, its paths, its plans, and what it demonstrates."""

from functools import cache
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from conftest import one_line_error
from demo_score.config.settings import compose_settings
from demo_score.data.formats import read_episodes
from demo_score.demonstrations import pusht_strategies
from demo_score.demonstrations.collect import collect_demonstrations, demonstrate
from demo_score.demonstrations.pusht_paths import lengths_after_pushes, paths_from, turning_points
from demo_score.demonstrations.pusht_planner import Planner
from demo_score.demonstrations.pusht_primitives import AGENT_RADIUS, GAP, contacts, pushes
from demo_score.envs import make_env
from demo_score.envs.pusht_block import CENTRE, OUTLINE, Pose, block_pose
from guide import run
from omegaconf import OmegaConf
from shapely import LineString, Polygon

BLOCK = Polygon(np.stack([OUTLINE.real, OUTLINE.imag], axis=1))
GOAL = Pose(256 + 256j + np.exp(0.25j * np.pi) * CENTRE, np.exp(0.25j * np.pi))
ALL = np.ones(len(contacts().points), dtype=bool)
FREE = np.zeros(len(ALL))  # no contact costs extra


@cache
def settings(name: str = "pusht_state") -> dict:
    return OmegaConf.to_container(compose_settings([f"env={name}"])[0].env)


@pytest.fixture(scope="module")
def env():
    return make_env(settings())


@pytest.fixture(scope="module")
def stock():
    return gymnasium.make("gym_pusht/PushT-v0", obs_type="state").unwrapped


def place(stock, block: Pose, agent: complex) -> None:
    stock.reset(seed=0)
    position = block.centre - block.rotation * CENTRE
    stock.block.angle = float(np.angle(block.rotation))
    stock.block.position = position.real, position.imag
    stock.agent.position = agent.real, agent.imag


def clearance(path: np.ndarray) -> float:
    """Distance, px, from the T to a path in its frame."""
    return BLOCK.distance(LineString(np.stack([path.real, path.imag], axis=1)))


def test_contacts_lie_on_the_outline_and_leave_the_agent_room() -> None:
    points = contacts()
    assert (len(points.points), points.at_edge.sum()) == (44, 12)
    for point, start in zip(points.points, points.starts, strict=True):
        assert clearance(np.array([point, start])) == pytest.approx(0, abs=1e-9)
        assert clearance(np.array([start, start])) == pytest.approx(AGENT_RADIUS + GAP)


def test_table_is_mirrored_as_the_block_is() -> None:
    table, faces = pushes(), contacts()
    mirrored = abs(faces.points[:, None] + faces.points.conj()).argmin(axis=1)
    other = np.concatenate([np.flatnonzero(table.contacts == contact) for contact in mirrored])
    np.testing.assert_allclose(table.shifts[other], -table.shifts.conj(), atol=0.5)
    np.testing.assert_allclose(table.rotations[other], table.rotations.conj(), atol=0.02)
    assert abs(table.shifts).max() > 100 and abs(np.angle(table.rotations)).max() > 0.9


@pytest.mark.parametrize("push", [100, 240, 300, 505, 610, 780])
def test_table_tells_what_the_environment_does(stock, push) -> None:
    before = Pose(230 + 260j, np.exp(2.1j))
    table = pushes()
    place(stock, before, before.to_table(table.starts[push]))
    end = before.to_table(table.ends[push])
    for _ in range(25):
        stock.step(np.array([end.real, end.imag]))
    after = Pose(before.to_table(table.shifts[push]), before.rotation * table.rotations[push])
    assert pusht_strategies._distance(after, block_pose(stock)) < 0.05 * table.lengths[push] + 0.5


@pytest.mark.parametrize("position", [-150 + 20j, 10 - 100j, 40 + 60j, 150j])
def test_paths_lead_round_the_block(position) -> None:
    paths = paths_from(position, np.ones(6, dtype=bool))
    for contact, start in enumerate(contacts().starts):
        path = np.array([position, *paths.to(contact)])
        assert path[-1] == start
        assert clearance(path) > AGENT_RADIUS
        assert sum(abs(change) for change in np.diff(path)) == pytest.approx(paths.lengths[contact])
        if clearance(np.array([position, start])) > AGENT_RADIUS + 3:
            assert len(path) == 2


def test_paths_avoid_corners_that_are_off_the_table() -> None:
    position = 100j
    barred = np.array([False, True, True, False, True, True])
    paths = paths_from(position, barred)
    used = {point for contact in range(len(ALL)) for point in paths.to(contact)}
    assert not used & set(turning_points()[~barred])
    assert (paths.lengths >= paths_from(position, np.ones(6, dtype=bool)).lengths - 1e-9).all()
    assert np.isinf(paths_from(position, np.zeros(6, dtype=bool)).lengths).any()


def test_paths_after_pushes_are_known_beforehand() -> None:
    for push in (5, 333, 700):
        table = pushes()
        agent = (table.ends[push] - table.shifts[push]) / table.rotations[push]
        np.testing.assert_allclose(lengths_after_pushes()[push], paths_from(agent, np.ones(6, dtype=bool)).lengths)


def test_one_push_is_planned_where_one_is_enough() -> None:
    table = pushes()
    push = 9 * 18 + 12  # a contact on the top
    rotation = GOAL.rotation / table.rotations[push]
    block = Pose(GOAL.centre - rotation * table.shifts[push], rotation)
    plan = Planner(ALL, FREE).next_push(block, block.to_table(table.starts[push]), GOAL)
    assert plan.end == pytest.approx(block.to_table(table.ends[push]))
    assert plan.path[-1] == pytest.approx(block.to_table(table.starts[push]))


def test_plans_follow_preferences_and_use_only_usable_contacts() -> None:
    block, agent = Pose(200 + 180j, 1.0 + 0j), 60 + 60j
    free = Planner(ALL, FREE).next_push(block, agent, GOAL)
    (contact,) = np.flatnonzero(abs(block.to_table(contacts().starts) - free.path[-1]) < 1e-6)
    for planner in (Planner(np.arange(44) != contact, FREE), Planner(ALL, 100.0 * (np.arange(44) == contact))):
        assert abs(planner.next_push(block, agent, GOAL).path[-1] - free.path[-1]) > 1


@pytest.mark.parametrize("centre", [86 + 86j, 425 + 256j, 256 + 425j])
def test_plans_keep_the_agent_on_the_table(centre) -> None:
    for angle in range(6):
        plan = Planner(ALL, FREE).next_push(Pose(centre, np.exp(1j * angle)), 256 + 150j, GOAL)
        positions = np.array([*plan.path, plan.end])
        assert (np.minimum(positions.real, positions.imag) > 0).all()
        assert (np.maximum(positions.real, positions.imag) < 512).all()


def test_no_push_is_planned_where_none_is_possible() -> None:
    assert Planner(ALL, FREE).next_push(Pose(-300 - 300j, 1 + 0j), 256 + 256j, GOAL) is None


@pytest.mark.parametrize("strategy", ["reliable", "unreliable"])
def test_demonstrations_seen_from_the_block_are_those_on_the_table(env, strategy) -> None:
    from_block = make_env(settings("pusht_block"))
    for seed in (6_100_000, 6_100_001):
        seen, on_table = demonstrate(from_block, strategy, seed), demonstrate(env, strategy, seed)
        np.testing.assert_allclose(seen.rewards, on_table.rewards, atol=1e-3)
        from_block.reset(seed=seed)
        np.testing.assert_allclose(from_block.action_to(complex(*on_table.actions[0])), seen.actions[0], atol=1e-3)
        assert seen.observations["observation.environment_state"].shape == (len(seen), 13)


def test_reliable_attempts_succeed_by_the_stock_environments_own_judgement(env, stock) -> None:
    for seed in range(6_100_000, 6_100_008):
        episode = demonstrate(env, "reliable", seed)
        stock.reset(seed=seed)
        outcomes = [stock.step(action) for action in episode.actions]
        coverage = np.array([info["coverage"] for *_, info in outcomes])
        assert coverage[-1] > 0.95 and (coverage[:-1] <= 0.95).all()
        np.testing.assert_allclose(episode.rewards, (coverage / 0.95).clip(0, 1), atol=1e-6)
        assert len(episode) < 150


def test_unreliable_attempts_succeed_mostly(env) -> None:
    assert sum(demonstrate(env, "unreliable", seed) is not None for seed in range(6_100_000, 6_100_008)) >= 6


def test_unreliable_pushes_are_at_edges_and_faster(monkeypatch, env) -> None:
    planners, plan = [], Planner.next_push
    monkeypatch.setattr(Planner, "next_push", lambda planner, *a: planners.append(planner) or plan(planner, *a))
    steps = {}
    for strategy, share in (("reliable", 44), ("unreliable", 12)):
        episode = demonstrate(env, strategy, 6_100_001)
        states = [*episode.observations["observation.state"]]
        steps[strategy] = max(abs(complex(*(b - a))) for a, b in pairwise(states))
        assert len(set(planners[-1].pushes.contacts)) == share
        assert contacts().at_edge[planners[-1].pushes.contacts].all() == (strategy == "unreliable")
    assert steps["unreliable"] > 1.2 * steps["reliable"]


def test_favourite_contacts_differ_between_demonstrations(monkeypatch, env) -> None:
    extra, prepare = [], Planner.__init__
    monkeypatch.setattr(Planner, "__init__", lambda planner, *a: extra.append(a[1]) or prepare(planner, *a))
    for strategy, seed in (("unreliable", 6_100_000), ("unreliable", 6_100_000), ("unreliable", 1), ("reliable", 1)):
        demonstrate(env, strategy, seed)
    np.testing.assert_array_equal(extra[0], extra[1])
    assert (extra[0] != extra[2]).all() and extra[0].std() == pytest.approx(6, rel=0.5)
    assert not extra[3].any()


def test_images_change_nothing_but_the_observations(env) -> None:
    seen = demonstrate(make_env(settings("pusht")), "reliable", 6_100_001)
    unseen = demonstrate(env, "reliable", 6_100_001)
    np.testing.assert_array_equal(seen.actions, unseen.actions)
    assert seen.observations["observation.image"].shape == (len(seen), 96, 96, 3)
    assert unseen.observations["observation.environment_state"].shape == (len(unseen), 16)


def test_command_collects_what_the_same_attempts_in_another_order_give(env, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    out = tmp_path / "demonstrations.hdf5"
    command = f"env=pusht_state --strategy unreliable --n-episodes 3 --seed 6100010 --out {out}"
    run("collect_demonstrations.py", command)
    collected = read_episodes(out)
    assert len(collected) == 3
    for stored in reversed(collected):
        episode = demonstrate(env, "unreliable", stored.seed)
        np.testing.assert_array_equal(stored.actions, episode.actions)
        for key, values in episode.observations.items():
            np.testing.assert_array_equal(stored.observations[key], values)
        assert (stored.success, stored.seed, stored.strategy) == (True, episode.seed, "unreliable")
        assert stored.actions.dtype == np.float32
        assert (stored.actions >= 0).all() and (stored.actions <= 512).all()


def test_another_rate_than_the_strategies_is_refused() -> None:
    with one_line_error("fps=10"):
        collect_demonstrations(settings() | {"fps": 20}, "reliable", n_episodes=1, seed=6_100_000, n_processes=1)

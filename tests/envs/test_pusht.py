"""PushT beside gym-pusht's own environment: same bits, drawn only when asked to."""

from functools import cache

import gymnasium
import numpy as np
import pytest
from conftest import assert_half_the_rate_is_two_steps, one_line_error
from demo_score.config.settings import compose_settings
from demo_score.envs import make_env
from demo_score.envs.base import substeps
from demo_score.envs.pusht_block import observe
from gym_pusht.envs import PushTEnv as StockEnv
from omegaconf import OmegaConf

STATE, ENVIRONMENT_STATE, IMAGE = "observation.state", "observation.environment_state", "observation.image"


def settings(obs_type: str = "pixels_agent_pos", **changes) -> dict:
    name = {"block_frame": "pusht_block"}.get(obs_type, "pusht" if obs_type.startswith("pixels") else "pusht_state")
    return _defaults(name) | {"obs_type": obs_type} | changes


@cache
def _defaults(name: str) -> dict:
    return OmegaConf.to_container(compose_settings([f"env={name}"])[0].env)


def targets(steps: int, seed: int = 0) -> np.ndarray:
    """Pushes through the middle of the table, where the block lies."""
    return np.random.default_rng(seed).uniform(100, 400, (steps, 2)).astype(np.float32)


@pytest.fixture
def drawings(monkeypatch) -> list[None]:
    """One entry for each time that the stock environment draws."""
    calls, draw = [], StockEnv._draw
    monkeypatch.setattr(StockEnv, "_draw", lambda env: calls.append(None) or draw(env))
    return calls


def block_pose(env: StockEnv) -> tuple[float, ...]:
    return *env.block.position, env.block.angle


@pytest.mark.parametrize("seed", [0, 1])
def test_steps_and_images_are_bit_identical_to_the_stock_environment(seed) -> None:
    env, stock = make_env(settings()), gymnasium.make("gym_pusht/PushT-v0", obs_type="pixels_agent_pos")
    env.reset(seed=seed)
    np.testing.assert_array_equal(env.images()[IMAGE], stock.reset(seed=seed)[0]["pixels"])
    start = block_pose(stock.unwrapped)
    for index, action in enumerate(targets(60, seed)):
        observation, reward, terminated, truncated, info = env.step(action)
        stock_observation, stock_reward, *stock_ends, stock_info = stock.step(action)
        np.testing.assert_array_equal(observation[STATE], np.float32(stock_observation["agent_pos"]))
        assert block_pose(env.env.unwrapped) == block_pose(stock.unwrapped)
        assert reward == pytest.approx(stock_reward, abs=1e-15)  # the areas of GEOS differ in the last bit now and then
        assert [terminated, truncated, info["is_success"]] == [*stock_ends, stock_info["is_success"]]
        if index % 7 == 0:
            np.testing.assert_array_equal(env.images()[IMAGE], stock_observation["pixels"])
    assert block_pose(stock.unwrapped) != start


STARTS = {"agent_x": [50, 60], "agent_y": [70, 80], "block_x": [200, 230], "block_y": [150, 190]}
STARTS["block_angle"] = [1.0, 1.5]


def test_episodes_start_where_the_settings_say() -> None:
    env = make_env(settings(starts=STARTS))
    seen = []
    for seed in (*range(40), 0):
        env.reset(seed=seed)
        seen.append([*env.pusht.agent.position, *block_pose(env.pusht)])
    seen, least, most = np.array(seen), *np.transpose([STARTS[name] for name in STARTS])
    slack = [0.01, 0.01, 25, 25, 0.01]  # the block is turned about its centre of mass, 45 px from its position
    assert (seen[:, [0, 1, 4]] >= least[[0, 1, 4]]).all() and (seen[:, [0, 1, 4]] <= most[[0, 1, 4]]).all()
    assert (np.ptp(seen, axis=0) > 0.7 * (most - least)).all() and (np.ptp(seen, axis=0) < most - least + slack).all()
    np.testing.assert_array_equal(seen[0], seen[-1])


def test_without_them_episodes_start_as_in_the_stock_environment() -> None:
    env, stock = make_env(settings()), gymnasium.make("gym_pusht/PushT-v0")
    for seed in range(3):
        env.reset(seed=seed)
        stock.reset(seed=seed)
        assert block_pose(env.pusht) == block_pose(stock.unwrapped)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("env.starts.agent_x=[300,200]", "env.starts.agent_x: from 300 to 200 there is nothing; put the smaller one"),
        ("env.starts.agent_x=[300,600]", "env.starts.agent_x"),
        ("env.starts.agent_x=[300]", "env.starts.agent_x"),
        ("~env.starts.agent_x", "env.starts"),
        ("+env.starts.agent_z=[1,2]", "env.starts"),
        ("env.name=aloha", "env.starts: aloha draws its starts itself"),
    ],
)
def test_starts_that_cannot_be_are_refused(override, problem) -> None:
    with one_line_error(problem):
        compose_settings(["env=pusht_small", "policy=diffusion", "policy.crop_shape=null", "seed=1", override])


def test_success_is_the_stock_environment_s() -> None:
    env = make_env(settings())
    env.reset(seed=0)
    env.env.unwrapped.block.angle = np.pi / 4
    env.env.unwrapped.block.position = (256, 256)
    _, reward, terminated, _, info = env.step(np.array([50, 50], np.float32))
    assert (reward, terminated, bool(info["is_success"])) == (1.0, True, True)


def test_it_is_drawn_only_when_images_are_asked_for(drawings) -> None:
    env = make_env(settings())
    env.reset(seed=0)
    for action in targets(5):
        env.step(action)
    assert drawings == []
    env.images()
    assert len(drawings) == 1


@pytest.mark.parametrize(
    ("obs_type", "changes", "numbers", "images"),
    [
        ("state", {"state_dim": 5, "environment_state_dim": None}, {STATE: 5}, []),
        ("environment_state_agent_pos", {}, {STATE: 2, ENVIRONMENT_STATE: 16}, []),
        ("block_frame", {}, {STATE: 2, ENVIRONMENT_STATE: 13}, []),
        ("pixels", {}, {}, [IMAGE]),
        ("pixels_agent_pos", {}, {STATE: 2}, [IMAGE]),
        ("pixels_agent_pos", {"environment_state_dim": 16}, {STATE: 2, ENVIRONMENT_STATE: 16}, [IMAGE]),
    ],
)
def test_every_observation_type_gives_what_its_space_declares(obs_type, changes, numbers, images) -> None:
    env = make_env(settings(obs_type, **changes))
    observation, _ = env.reset(seed=3)
    assert {key: len(values) for key, values in observation.items()} == numbers
    assert list(env.images()) == images
    assert env.observation_space.contains(observation)
    assert env.image_space.contains(env.images())


def _turned(stock: StockEnv, angle: float) -> dict[str, np.ndarray]:
    """What is seen from the block when block, agent and goal are turned by `angle` round a corner of the table."""
    turn = np.exp(1j * angle)
    stock.reset(seed=0)
    for body, position in ((stock.block, 90 + 240j), (stock.agent, 60 + 100j)):
        turned = turn * position
        body.angle, body.position = 0.4 + angle, (turned.real, turned.imag)
    goal = turn * (256 + 256j)
    stock.goal_pose = np.array([goal.real, goal.imag, np.pi / 4 + angle])
    return observe(stock)


def test_seen_from_the_block_a_turned_table_is_the_same() -> None:
    stock = make_env(settings("block_frame")).pusht
    first, second = _turned(stock, 0.0), _turned(stock, 2.0)
    for key, values in first.items():
        np.testing.assert_allclose(values, second[key], atol=1e-4)
    assert np.ptp(first[STATE]) > 10 and np.ptp(first[ENVIRONMENT_STATE]) > 100


def test_seen_from_the_block_nothing_is_left_to_push_at_the_goal() -> None:
    env = make_env(settings("block_frame"))
    env.reset(seed=0)
    env.pusht.block.angle = np.pi / 4
    env.pusht.block.position = (256, 256)
    seen = observe(env.pusht)[ENVIRONMENT_STATE]
    np.testing.assert_allclose(seen, [0, 0, 1, 0] + [0] * 9, atol=1e-4)
    env.pusht.block.position = (256, 262)
    assert abs(observe(env.pusht)[ENVIRONMENT_STATE][[4, 7, 10]]).max() > 0.5  # 6 px are much


def test_targets_seen_from_the_block_move_the_agent_as_those_on_the_table_do() -> None:
    block, table = make_env(settings("block_frame")), make_env(settings("environment_state_agent_pos"))
    block.reset(seed=5), table.reset(seed=5)
    for target in targets(40, 5).astype(np.float64):
        _, reward, *_ = block.step(block.action_to(complex(*target)))
        assert reward == pytest.approx(table.step(table.action_to(complex(*target)))[1], abs=1e-3)
        np.testing.assert_allclose(block.pusht.agent.position, table.pusht.agent.position, atol=0.05)
        np.testing.assert_allclose(block_pose(block.pusht), block_pose(table.pusht), atol=0.05)


def test_targets_beyond_the_walls_are_on_them() -> None:
    env = make_env(settings("block_frame"))
    env.reset(seed=1)
    for _ in range(30):
        env.step(env.action_to(-400 - 300j))
    assert min(env.pusht.agent.position) > -1


def test_image_size_is_the_size_drawn() -> None:
    env = make_env(settings(image_size=[48, 64]))
    env.reset(seed=0)
    assert env.images()[IMAGE].shape == (48, 64, 3)


def test_fps_is_the_rate_at_which_actions_change() -> None:
    slow, fast = make_env(settings(fps=5)), make_env(settings(fps=10))
    assert_half_the_rate_is_two_steps(slow, fast, targets(10))


@pytest.mark.parametrize("fps", [1, 2, 4, 5, 10, 20, 25, 50, 100])
def test_the_stock_environment_takes_the_substeps_that_fps_means(fps) -> None:
    """It cuts its quotient down to a whole number, which rounding could make one too small."""
    stock = make_env(settings(fps=fps)).env.unwrapped
    assert int(1 / (stock.dt * stock.control_hz)) == substeps(settings(fps=fps), 100) == 100 / fps


def test_truncates_after_episode_length() -> None:
    env = make_env(settings(episode_length=3))
    for _ in range(2):
        env.reset(seed=1)
        assert [env.step(action)[3] for action in targets(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"task": "PushB-v0"}, ["PushB-v0", "PushT-v0"]),
        ({"obs_type": "sound"}, ["sound", "state, pixels, pixels_agent_pos, environment_state_agent_pos"]),
        ({"state_dim": 5}, ["env.state_dim=2"]),
        ({"action_dim": 3}, ["env.action_dim=2"]),
        ({"environment_state_dim": 7}, ["env.environment_state_dim=16"]),
        ({"image_size": None}, ["env.image_size"]),
        ({"cameras": ["top"]}, ["observation.images.top", "observation.image", "env.cameras"]),
        ({"fps": 30}, ["fps=30", "100 Hz", "10, 20, 25"]),
    ],
)
def test_settings_that_cannot_be_met_are_named_with_the_remedy(changes, parts) -> None:
    with one_line_error(*parts):
        make_env(settings() | changes)

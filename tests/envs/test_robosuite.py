"""robosuite's tasks beside robosuite itself: same bits; and as a robomimic file describes them."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("robosuite", reason="make robosuite installs it")

from conftest import one_line_error
from demo_score import envs
from demo_score.config.settings import compose_settings
from demo_score.data.formats import open_dataset
from demo_score.demonstrations.paths import effector_positions
from demo_score.demonstrations.robosuite_strategies import STEPS, better
from demo_score.demonstrations.strategies import get_strategy
from demo_score.envs import make_env
from demo_score.runtime.hardware import memory_advice
from demo_score.training.sources import training_episodes
from omegaconf import OmegaConf
from places import SCRIPTS
from robosuite.environments.base import REGISTERED_ENVS
from robosuite_recording import KWARGS, Stock, record

pytestmark = pytest.mark.slow

TASKS = {"lift": "Lift", "can": "PickPlaceCan"}
STATE, ENVIRONMENT_STATE = "observation.state", "observation.environment_state"
HAND = ["observation.robot0_eef_pos", "observation.robot0_eef_quat", "observation.robot0_gripper_qpos"]


def settings(name: str = "lift", *overrides: str, **changes: object) -> dict:
    composed, _ = compose_settings([f"env=robosuite_{name}", "policy=act_state", "seed=0", *TRAINING, *overrides])
    return OmegaConf.to_container(composed.env) | changes


NO_MEMORY = "Error: engine error: Could not allocate memory"  # MuJoCo's
TRAINING = ["experiment=small_act"]


@pytest.fixture(scope="module")
def lift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("lift") / "low_dim.hdf5", "Lift", {"better": 3, "worse": 2})


@pytest.mark.parametrize("name", TASKS)
def test_observations_rewards_and_success_are_bit_identical_to_robosuites(name) -> None:
    env, stock = make_env(settings(name)), Stock(TASKS[name])
    env.reset(seed=3)
    observation, _ = env.reset(seed=11)
    stock.reset(11)
    flags = []
    for key in (ENVIRONMENT_STATE, "observation.object"):  # at the first look alone: see the next test
        observation[key] = np.float32(stock.named["observation.object"])
    for action in better(env, np.random.default_rng(11)):
        _assert_observed(observation, stock.named)
        observation, reward, terminated, _, info = env.step(action)
        seen, stock_reward, *_ = stock.robosuite.step(action.astype(float))
        stock.observe(seen)
        assert reward == stock_reward
        assert info["is_success"] == terminated == bool(stock.robosuite._check_success())
        flags.append(terminated)
    _assert_observed(observation, stock.named)
    assert any(flags) and not all(flags) and len(flags) == STEPS[env.task]


def _assert_observed(observation: dict, named: dict) -> None:
    assert observation.keys() == {STATE, ENVIRONMENT_STATE, *named}
    for key, values in named.items():
        np.testing.assert_array_equal(observation[key], np.float32(values))
    np.testing.assert_array_equal(observation[STATE], np.float32(np.hstack([named[name] for name in HAND])))
    np.testing.assert_array_equal(observation[ENVIRONMENT_STATE], np.float32(named["observation.object"]))


def test_a_seed_alone_decides_the_start() -> None:
    env, fresh = make_env(settings()), make_env(settings())
    env.reset(seed=1)
    env.step(np.ones(7))
    first, again, other = env.reset(seed=7)[0], fresh.reset(seed=7)[0], fresh.reset(seed=8)[0]
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert not np.array_equal(again[ENVIRONMENT_STATE], other[ENVIRONMENT_STATE])
    with pytest.raises(ValueError, match="seed"):
        env.reset()


@pytest.mark.parametrize("name", TASKS)
def test_an_episode_begins_with_what_the_first_frame_of_robomimic_s_files_shows(name) -> None:
    """Of Can, the object as the hand of a straight arm sees it; robosuite itself tells zeros there."""
    env, stock, converter = make_env(settings(name)), Stock(TASKS[name]), Stock(TASKS[name])
    observation, _ = env.reset(seed=5)
    stock.reset(5)
    converter.begin_at(stock.robosuite.sim.model.get_xml(), stock.robosuite.sim.get_state().flatten())
    named = converter.named
    assert all(np.abs(observation[key] - values).max() < 1e-5 for key, values in named.items() if "acc" not in key)
    assert (np.abs(stock.named["observation.object"] - named["observation.object"]).max() > 0.5) == (name == "can")


def test_fifty_environments_fit_into_memory() -> None:
    """MuJoCo reserves what robosuite asks for, 1.3 GB each, of which no task uses a thousandth."""
    env = make_env(settings())
    env.reset(seed=0)
    data, model = env.robosuite.sim.data._data, env.robosuite.sim.model._model
    assert 20 * data.maxuse_arena < model.narena < 100e6
    assert type(env.robosuite).__name__ == "Lift" and type(env.robosuite) is not REGISTERED_ENVS["Lift"]


def test_time_runs_out_and_broken_physics_is_a_failure() -> None:
    env = make_env(settings(episode_length=2))
    env.reset(seed=0)
    assert [env.step(np.zeros(7))[2:4] for _ in range(2)] == [(False, False), (False, True)]
    env.reset(seed=0)
    env.robosuite.sim.data._data.qvel[:] = np.nan
    _, _, terminated, _, info = env.step(np.zeros(7))
    assert terminated and info == {"is_success": False, "physics_error": True}
    env.reset(seed=0)
    assert env.step(np.zeros(7))[4] == {"is_success": False, "physics_error": False}


@pytest.mark.parametrize("task", STEPS)
def test_operators_succeed_and_take_equally_long(task) -> None:
    stock = Stock(task)
    for operator in ("better", "okay", "worse"):
        stock.reset(2)
        acts = get_strategy("robosuite", task, operator).actions(stock, np.random.default_rng(2))
        assert len([stock.observe(stock.robosuite.step(act.astype(float))[0]) for act in acts]) == STEPS[task]


def test_task_arguments_and_sizes_come_from_the_file(lift, tmp_path) -> None:
    composed, _ = compose_settings(
        ["env=robosuite", f"env.recorded_in={lift}", "env.task=NoSuch", "policy=act_state", "seed=0", *TRAINING]
    )
    env = OmegaConf.to_container(composed.env)
    assert env["task"] == "Lift" and env["env_kwargs"]["controller_configs"]["type"] == "OSC_POSE"
    assert (env["state_dim"], env["environment_state_dim"], env["action_dim"]) == (9, 10, 7)
    assert composed.policy.input_shapes == {STATE: [9], ENVIRONMENT_STATE: [10]}
    make_env(env).reset(seed=0)


def test_recorded_actions_end_as_recorded_and_observations_are_the_same(lift, tmp_path) -> None:
    """But for the digits that the model lacks where it is written as text."""
    run = _play_back(lift, tmp_path / "playback.csv")
    assert run.returncode == 0 and "5 of 5 episodes end as recorded, 5 in success" in run.stdout
    table = pd.read_csv(tmp_path / "playback.csv")
    assert (table["recorded"] == 1).all() and (table["success"] == 1).all() and (table["difference"] < 1e-3).all()


def _play_back(file: Path, out: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, SCRIPTS / "play_back.py", file, "--out", out]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["env=robosuite_can"], ["recorded with task Lift, not PickPlaceCan", "env.recorded_in="]),
        (
            ["env=robosuite_lift", "env.env_kwargs.robots=[Sawyer]"],
            ["with robots", "Panda", "env.recorded_in="],
        ),
        (["env=robosuite_lift", "+env.env_kwargs.controller_configs={type: IK_POSE}"], ["controller_configs another"]),
    ],
)
def test_data_of_another_environment_are_refused(lift, overrides, parts) -> None:
    composed, _ = compose_settings([*overrides, "policy=act_state", "seed=0", f"dataset_repo_id={lift}", *TRAINING])
    with one_line_error(*parts):
        training_episodes(composed)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, ["no such file", "robomimic file"]),
        ("{}", ["name no environment of robosuite", "instead of env.recorded_in"]),
    ],
)
def test_a_file_that_describes_no_environment_is_one_line(lift, tmp_path, text, parts) -> None:
    file = tmp_path / "mine.hdf5"
    if text:
        shutil.copy(lift, file)
        with h5py.File(file, "a") as opened:
            opened["data"].attrs["env_args"] = text
    with one_line_error("mine.hdf5", *parts):
        compose_settings(["env=robosuite", f"env.recorded_in={file}", "policy=act_state", "seed=0", *TRAINING])


def test_a_robomimic_file_s_hands_are_where_smoothness_looks(lift) -> None:
    dataset = open_dataset(lift)
    (episode,) = dataset.read([0])
    hands = effector_positions(dataset.env_args())(episode)
    np.testing.assert_array_equal(hands[:, 0], episode.observations[HAND[0]])


def test_sizes_that_nobody_gives_are_asked_for() -> None:
    with one_line_error("env.state_dim", "env.recorded_in"):
        compose_settings(["env=robosuite", "policy=act_state", "seed=0", *TRAINING])


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"task": "Lyft"}, ["no task 'Lyft'", "Lift"]),
        ({"environment_state_dim": 7}, ["environment_state_dim 10, not 7"]),
        ({"action_dim": 6}, ["action_dim 7, not 6"]),
        ({"fps": 10}, ["20 Hz", "fps=20"]),
        ({"env_kwargs": {"robots": ["Panda"], "hours": 3}}, ["env.env_kwargs", "hours"]),
        ({"env_kwargs": {"robots": ["Robby"]}}, ["env.env_kwargs", "Robby"]),
        (
            {"observed": {STATE: ["observation.arm"], ENVIRONMENT_STATE: ["observation.object"]}},
            ["no observation.arm", "dataset_keys.observation.state"],
        ),
    ],
)
def test_what_it_cannot_meet_is_one_line(changes, parts) -> None:
    with one_line_error(*parts):
        make_env(settings() | changes)


def test_memory_that_runs_out_is_no_fault_of_arguments(monkeypatch) -> None:
    made = type("Lift", (), {"__init__": lambda self, **kwargs: (_ for _ in ()).throw(ValueError(NO_MEMORY))})
    monkeypatch.setattr("demo_score.envs.robosuite._with_small_arena", lambda task: made)
    with one_line_error("eval.batch_size=50", "set eval.batch_size=25"), memory_advice("eval.batch_size", 50):
        make_env(settings())


def test_where_it_is_not_installed_one_line_says_what_to_type(monkeypatch) -> None:
    monkeypatch.setattr(envs, "find_spec", lambda name: None)
    with one_line_error("not installed", "make robosuite"):
        make_env(settings())


def test_a_robot_s_controller_may_be_described_as_robosuite_1_5_does() -> None:
    env = make_env(settings(env_kwargs={**KWARGS, "controller_configs": None}))
    assert env.reset(seed=0)[0][STATE].shape == (9,)

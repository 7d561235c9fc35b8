"""A policy that only LeRobot knows, in a process of its own; a stand-in is there for lerobot (tests/tiny)."""

import json
import sys
from pathlib import Path

import pytest
import torch
from conftest import one_line_error
from demo_score.policies.checkpoints import load_policy, read_checkpoint_settings
from demo_score.policies.lerobot.process import PYTHON, LeRobotProcess
from places import TESTS

RECORDED = ["env=recorded", "env.state_dim=2", "env.action_dim=2", "training.eval_freq=0", "seed=1"]
STATES = torch.tensor([[[0.0, 1.0]], [[2.0, 3.0]]])
FEATURE = {"type": "STATE", "shape": [2]}


@pytest.fixture
def folder(tmp_path) -> Path:
    config = {"type": "stub", "n_obs_steps": 1, "n_action_steps": 3}
    config |= {"input_features": {"observation.state": FEATURE}, "output_features": {"action": FEATURE}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    for name in ("policy_preprocessor", "policy_postprocessor"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, "steps": []}))
    return tmp_path


@pytest.fixture(autouse=True)
def stub(tmp_path, monkeypatch) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={TESTS / "tiny/lerobot_stub"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv(PYTHON, str(python))


def opened(folder: Path, *overrides: str) -> LeRobotProcess:
    return load_policy(folder, read_checkpoint_settings(folder, [*RECORDED, *overrides]), torch.device("cpu"))


def closed(policy: LeRobotProcess) -> int:
    policy.process.stdin.close()
    policy.process.stdout.close()
    return policy.process.wait(timeout=60)


def test_it_acts_as_lerobot_does_and_its_draws_follow_from_the_seeds(folder) -> None:
    policy = opened(folder)
    chunks = []
    for seeds in ([1, 2], [1, 2], [1, 3]):
        policy.reset(seeds)
        chunks.append(policy.act({"observation.state": STATES}))
    assert chunks[0].shape == (2, 3, 2)
    torch.testing.assert_close(chunks[0][1] - chunks[0][0], torch.full((3, 2), 4.0))
    assert torch.equal(chunks[0], chunks[1]) and not torch.equal(chunks[0], chunks[2])
    assert closed(policy) == 0


def test_a_policy_that_remembers_observations_looks_at_every_step(folder) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_obs_steps": 2}))
    policy = opened(folder)
    policy.reset([1, 2])
    assert policy.act({"observation.state": STATES}).shape == (2, 1, 2)
    closed(policy)


@pytest.mark.parametrize(
    ("task", "told"), [("fail", "LeRobot says ValueError: no such thing"), ("die", "ended with status 7")]
)
def test_what_goes_wrong_over_there_is_one_line(folder, task, told) -> None:
    policy = opened(folder, f"+policy.task={task}")
    policy.reset([1, 2])
    with one_line_error(folder, told):
        policy.act({"observation.state": STATES})
    closed(policy)


def test_without_lerobot_it_is_said_how_to_get_it(folder, monkeypatch) -> None:
    monkeypatch.setenv(PYTHON, str(folder / "nowhere"))
    with one_line_error(folder, "type stub", "make lerobot", PYTHON):
        opened(folder).reset([1])


def test_it_only_acts_and_its_settings_are_lerobot_s(folder) -> None:
    with one_line_error(folder, "only acts"):
        _ = opened(folder).loss
    with one_line_error("policy.n_action_steps", "config.json"):
        opened(folder, "policy.n_action_steps=1")

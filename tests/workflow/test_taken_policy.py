"""An experiment whose base policy was trained elsewhere: LeRobot's checkpoints, and ours of another experiment."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import one_line_error, tiny_settings
from demo_score.data.formats import open_dataset
from demo_score.experiments.checks import check_config
from demo_score.policies import make_policy
from demo_score.policies.checkpoints import save_checkpoint
from demo_score.policies.lerobot.folder import write_folder
from demo_score.policies.lerobot.process import NAME
from demo_score.policies.taking import take_checkpoint, taken_settings
from miniature import copy_repository, snakemake
from places import TESTS

CONFIG = "tests/tiny/taken.yaml"
RUN = "results/taken/seed10000"
TARGETS = [f"{RUN}/rollouts.csv", f"{RUN}/base/evaluation.csv"]
THEIRS, OURS = "data/seed10000/000006/pretrained_model", "data/ours/000012"
SETTINGS = ["policy.actions_per_query=1", "policy.n_action_steps=10"]


def make_checkpoints(folder: Path) -> None:
    settings = tiny_settings(*SETTINGS)
    write_folder(folder / THEIRS, make_policy(settings).eval(), settings)
    save_checkpoint(folder / OURS, make_policy(settings).eval(), settings)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    make_checkpoints(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(**changes: object) -> dict:
    values = yaml.safe_load((TESTS / "tiny/taken.yaml").read_text())
    values["experiments"]["taken"]["base_policy"] |= changes
    return values


@pytest.mark.slow
def test_rollouts_are_collected_with_checkpoints_from_elsewhere(tmp_path) -> None:
    folder = copy_repository(tmp_path)
    make_checkpoints(folder)
    run = snakemake(folder, *TARGETS, configfile=CONFIG)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    rollouts = pd.read_csv(folder / RUN / "rollouts.csv", dtype={"step": int})
    assert sorted(rollouts["step"]) == [6] * 6 + [12] * 6
    assert 0 < rollouts["success"].mean() < 1
    assert len(open_dataset(folder / RUN / "rollouts/000006.hdf5").episode_indices) == 6
    assert len(pd.read_csv(folder / RUN / "base/evaluation.csv")) == 3
    assert "Nothing to be done" in snakemake(folder, *TARGETS, "--dry-run", configfile=CONFIG).stdout
    described = folder / THEIRS / "config.json"
    described.write_text(described.read_text().replace('"n_action_steps": 10', '"n_action_steps": 5'))
    assert "take_checkpoint" in snakemake(folder, *TARGETS, "--dry-run", configfile=CONFIG).stdout


def test_what_an_experiment_to_run_takes_must_be_there(folder) -> None:
    check_config(config())
    (folder / OURS / "settings.yaml").unlink()
    with one_line_error(OURS, "not a checkpoint (no settings.yaml)"):
        check_config(config())
    shutil.rmtree(folder / OURS)
    with one_line_error("base_policy.checkpoints", OURS, "no such folder"):
        check_config(config())


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (["data/mine", OURS], "data/mine is not called by a training step"),
        ([OURS, "data/theirs/000012/pretrained_model"], "two are called 000012"),
        ([THEIRS], "rollouts.eps"),
    ],
)
def test_checkpoints_are_called_by_different_steps(folder, paths, told) -> None:
    with one_line_error(told):
        check_config(config(checkpoints=paths))


def test_a_base_policy_is_trained_or_taken(folder) -> None:
    values = config()
    values["experiments"]["taken"]["base_policy"] = {}
    with one_line_error("base_policy: has no overrides", "checkpoints"):
        check_config(values)


def test_our_checkpoint_of_another_environment_is_told(folder) -> None:
    assert taken_settings(folder / OURS, ["env=aloha_cube_state", "seed=5"]).seed == 5
    with one_line_error(OURS, "env.task=AlohaTransferCube-v0, not AlohaInsertion-v0"):
        taken_settings(folder / OURS, ["env=aloha_state", "seed=5"])


def test_what_stands_for_a_policy_that_lerobot_runs_follows_its_files(folder, tmp_path) -> None:
    config = folder / THEIRS / "config.json"
    config.write_text(config.read_text().replace('"type": "act"', '"type": "smolvla"'))
    overrides = ["env=aloha_cube_state", "seed=5"]
    contents = []
    for text in ('{"steps": []}', '{"name": "policy_preprocessor", "steps": []}'):
        (folder / THEIRS / "policy_preprocessor.json").write_text(text)
        take_checkpoint(folder / THEIRS, overrides, tmp_path / "taken/000006")
        contents.append((tmp_path / "taken/000006/model.safetensors").read_bytes())
    assert contents[0] != contents[1]
    settings = taken_settings(tmp_path / "taken/000006", overrides)
    with one_line_error("policy_preprocessor.json: holds no steps"):
        (folder / THEIRS / "policy_preprocessor.json").write_text("{}")
        taken_settings(folder / THEIRS, overrides)
    assert settings.policy.name == NAME and settings.policy.path == str(folder / THEIRS)

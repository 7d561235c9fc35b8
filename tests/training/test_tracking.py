"""Weights & Biases: what a training tells it, offline, read back from its own file."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY, one_line_error, random_episode, tiny_settings
from demo_score.data.formats.robomimic import write_episodes
from demo_score.training import loop
from demo_score.training.loop import take_step, train
from omegaconf import OmegaConf
from places import SCRIPTS
from wandb_log import read_run

# Also because without the slow files before it, wandb-core has been seen to spin without end.
pytestmark = pytest.mark.slow

TRAIN = SCRIPTS / "train.py"
WANDB = ["wandb.enable=true", "wandb.project=curation", "hydra.job.name=trial", "wandb.notes=a remark"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WANDB_MODE", "offline")
    write_episodes(tmp_path / "data.hdf5", [random_episode(30)], {})
    return f"+datasets_file={tmp_path / 'data.hdf5'}"


def test_curves_settings_and_name_are_logged(tmp_path, data) -> None:
    settings = tiny_settings(data, *WANDB, "training.eval_freq=6", "eval.n_episodes=2")
    train(settings, tmp_path / "run")
    logged = read_run(tmp_path / "run")
    assert (logged["project"], logged["name"], logged["notes"]) == ("curation", "trial", "a remark")
    assert OmegaConf.create({key: logged["config"][key] for key in settings}) == settings
    rows = pd.read_csv(tmp_path / "run/metrics.csv").set_index("step")
    assert sorted(logged["history"]) == sorted(set(rows.index))
    for step, row in rows[rows["loss"].notna()].iterrows():
        assert logged["history"][step]["train/loss"] == pytest.approx(row["loss"], rel=1e-5)
    for step, row in rows[rows["eval_n"].notna()].iterrows():
        assert logged["history"][step]["eval/success"] == row["eval_success"]
        assert logged["history"][step]["eval/n"] == 2


def test_a_resumed_training_goes_on_in_the_same_curves(tmp_path, data, monkeypatch) -> None:
    def failing(run, *arguments) -> None:
        if run.step == 8:
            raise InterruptedError
        take_step(run, *arguments)

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(loop, "take_step", failing)
        train(tiny_settings(data, *WANDB), tmp_path / "run")
    first = read_run(tmp_path / "run")["id"]
    train(tiny_settings(data, *WANDB), tmp_path / "run")
    logged = read_run(tmp_path / "run")
    assert logged["id"] == first
    assert sorted(logged["history"]) == [4, 8, 12]


def test_nothing_is_logged_or_imported_unless_asked_for(tmp_path, data, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    train(tiny_settings(data), tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*wandb*"))


def test_a_missing_package_is_one_line(tmp_path, data, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with one_line_error("make wandb", "wandb.enable=false"):
        train(tiny_settings(data, *WANDB), tmp_path / "run")


def test_without_an_account_the_way_out_is_named(tmp_path, data) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    run = subprocess.run(
        [sys.executable, str(TRAIN), *TINY, *WANDB, data, f"hydra.run.dir={tmp_path / 'run'}"],
        env={**kept, "HOME": str(tmp_path), "WANDB_MODE": "online"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "error: wandb.enable=true: " in run.stderr and run.stderr.endswith("or set WANDB_MODE=offline\n")

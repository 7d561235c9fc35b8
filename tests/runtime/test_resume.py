"""Jobs that are killed or said to stop: they go on where they were, to the same bits, and leave nothing behind."""

import signal
from pathlib import Path

import pytest
import torch
from conftest import TINY, random_episode, tiny_settings
from curation_runs import make_rollouts, write_settings
from demo_score.curation import sweep
from demo_score.curation.sweep import train_classifiers
from demo_score.curation.training import Trainer
from demo_score.data.formats.robomimic import write_episodes
from demo_score.rollout import loop as rollout_loop
from demo_score.runtime.digests import digest
from demo_score.runtime.resume import ResumeFolder
from demo_score.training import loop as training_loop
from processes import PATIENCE, struck_training
from strikes import Killed, contents, handler, kill, stop, strike, truncate

__all__ = ["handler", "strike"]  # the fixtures

pytestmark = pytest.mark.slow


# Training


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    """The override that names the training data."""
    path = tmp_path_factory.mktemp("data") / "demos.hdf5"
    write_episodes(path, [random_episode(length, seed=length) for length in (12, 30)], {})
    return f"+datasets_file={path}"


def train(folder: Path, *overrides: str) -> None:
    training_loop.train(tiny_settings(*overrides), folder)


def test_stopped_training_goes_on_after_the_step_at_hand(tmp_path, data, strike, monkeypatch) -> None:
    train(tmp_path / "whole", data)
    with monkeypatch.context():
        strike(training_loop, "check_finite", at=1)  # of the row of step 4: in the midst of what a step does
        stop(train, tmp_path / "stopped", data)
    monkeypatch.undo()
    steps = strike(training_loop, "take_step")
    train(tmp_path / "stopped", data)
    assert len(steps) == 12 - 4
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_training_stopped_while_it_evaluates_evaluates_again(tmp_path, data, strike, monkeypatch) -> None:
    overrides = [data, "training.eval_freq=5", "eval.n_episodes=2", "eval.batch_size=1", "env.episode_length=5"]
    train(tmp_path / "whole", *overrides)
    strike(rollout_loop, "_run_batch", at=2)
    stop(train, tmp_path / "stopped", *overrides)
    monkeypatch.undo()
    steps, evaluations = (strike(training_loop, name) for name in ("take_step", "evaluate_in_training"))
    train(tmp_path / "stopped", *overrides)
    assert (len(steps), len(evaluations)) == (12 - 5, 2)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_training_told_to_stop_while_it_publishes_ends_first(tmp_path, data, strike) -> None:
    strike(ResumeFolder, "publish", at=1)
    train(tmp_path / "said", data)
    train(tmp_path / "whole", data)
    assert contents(tmp_path / "said") == contents(tmp_path / "whole")


def test_state_is_stored_whole_or_not_at_all(tmp_path) -> None:
    folder = ResumeFolder(tmp_path, "job", "0123456789abcdef")
    folder.save({"step": 1})
    with pytest.raises(AttributeError):
        folder.save({"step": 2, "function": lambda: None})
    assert folder.load() == {"step": 1}
    assert [path.name for path in folder.path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGKILL])
def test_script_ends_at_once_and_goes_on_to_the_same_bits(tmp_path, data, strike, blow) -> None:
    long = [data, "training.offline_steps=300", "training.save_freq=150", "training.resume_freq=10"]
    process = struck_training(25, blow, *TINY, *long, f"hydra.run.dir={tmp_path / 'run'}")
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == (143 if blow == signal.SIGTERM else -signal.SIGKILL)
    assert "Traceback" not in said and "Exception" not in said
    if blow == signal.SIGTERM:
        assert said.splitlines()[-1].startswith("stopped: ") and "same command again" in said
    stored = torch.load(next(tmp_path.glob("run/.unfinished_*/state.pt")), weights_only=True)["step"]
    steps = strike(training_loop, "take_step")
    train(tmp_path / "run", *long)
    assert (stored, len(steps)) == ((26, 274) if blow == signal.SIGTERM else (20, 280))
    train(tmp_path / "whole", *long)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


# Sweeps


@pytest.fixture(scope="module")
def rollouts(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rollouts")
    for number in (1, 2):
        make_rollouts(folder / f"{number}.hdf5", number)
    write_settings(folder / "settings.yaml", epochs=12, tr_dataset_size=None, cross_val_dataset_size=None)
    return folder


def train_sweep(rollouts: Path, out: Path) -> None:
    files = out / "small_stepwise.safetensors", out / "small_stepwise.csv"
    train_classifiers(
        rollouts / "settings.yaml", "small_stepwise", [rollouts / "1.hdf5"], [rollouts / "2.hdf5"], *files
    )


def test_stopped_sweep_goes_on_at_the_next_epoch(tmp_path, rollouts, strike, monkeypatch) -> None:
    train_sweep(rollouts, tmp_path / "whole")
    strike(Trainer, "_train_step", at=30)
    stop(train_sweep, rollouts, tmp_path / "stopped")
    monkeypatch.undo()
    stored = torch.load(next(tmp_path.glob("stopped/.unfinished_*/state.pt")), weights_only=True)["progress"]["epoch"]
    epochs = strike(Trainer, "train_epoch")
    train_sweep(rollouts, tmp_path / "stopped")
    assert 0 < stored < 12 and len(epochs) == 12 - stored
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_killed_sweep_goes_on_where_its_state_was_stored(tmp_path, rollouts, strike, monkeypatch) -> None:
    train_sweep(rollouts, tmp_path / "whole")
    assert sorted(contents(tmp_path / "whole")) == ["small_stepwise.csv", "small_stepwise.safetensors"]
    monkeypatch.setattr(sweep, "STORED_EVERY", 0)
    strike(Trainer, "train_epoch", at=9, blow=kill)
    stop(train_sweep, rollouts, tmp_path / "killed", error=Killed)
    monkeypatch.undo()
    epochs = strike(Trainer, "train_epoch")
    train_sweep(rollouts, tmp_path / "killed")
    assert len(epochs) == 12 - 8
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_sweep_whose_state_is_truncated_starts_afresh(tmp_path, rollouts, strike, monkeypatch) -> None:
    train_sweep(rollouts, tmp_path / "whole")
    strike(Trainer, "train_epoch", at=9)
    stop(train_sweep, rollouts, tmp_path / "stopped")
    monkeypatch.undo()
    truncate(next(tmp_path.glob("stopped/.unfinished_*/state.pt")))
    epochs = strike(Trainer, "train_epoch")
    train_sweep(rollouts, tmp_path / "stopped")
    assert len(epochs) == 12
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


# The folder of states


def test_folder_removes_states_of_other_digests_but_not_of_other_jobs(tmp_path) -> None:
    old, other = ResumeFolder(tmp_path, "a", digest("old")), ResumeFolder(tmp_path, "a_b", digest("old"))
    for folder in (old, other):
        folder.save({"step": 1})
    new = ResumeFolder(tmp_path, "a", digest("new"))
    assert new.load() is None and not old.path.exists()
    assert other.load() == {"step": 1}


def test_digest_tells_parts_apart() -> None:
    assert len({digest("a", "b"), digest("ab"), digest("", "ab"), digest(b"b", b"a")}) == 4
    assert digest("a") == digest(b"a")

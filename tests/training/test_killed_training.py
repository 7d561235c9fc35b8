"""A training that was killed ends with the same bytes, and uses no state but its own."""

import re
import shutil
import signal
from pathlib import Path

import pytest
import torch
from conftest import TINY, random_episode, tiny_settings
from demo_score.data.formats.robomimic import write_episodes
from demo_score.training.loop import train
from processes import PATIENCE, struck_training
from training_runs import (
    SAMPLED,
    StoppedError,
    data,
    data_file,
    files_of,
    interrupt,
    one_thread,
    script,
    steps_taken,
    trained,
)

__all__ = ["data", "data_file", "interrupt", "one_thread", "steps_taken"]  # the fixtures

pytestmark = pytest.mark.slow

LONG = ["training.offline_steps=200", "training.save_freq=75", "training.log_freq=20", "training.resume_freq=25"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, data_file) -> dict[str, bytes]:
    """What a run leaves that nothing interrupts."""
    return trained(tmp_path_factory.mktemp("uninterrupted"), f"+datasets_file={data_file}", *SAMPLED, *LONG)


def stored_step(run_dir: Path) -> int:
    """The step of the state that a run under way has stored."""
    states = list(run_dir.glob(".unfinished_*/state.pt"))
    return torch.load(states[0], weights_only=True)["step"] if states else 0


@pytest.mark.parametrize("kill_at", [30, 80])
def test_killed_run_ends_with_the_same_bytes(tmp_path, data, uninterrupted, steps_taken, kill_at) -> None:
    settings = [*TINY, data, *SAMPLED, *LONG, f"hydra.run.dir={tmp_path}"]
    process = struck_training(kill_at, signal.SIGKILL, *settings)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "metrics.csv").exists() and not (tmp_path / "checkpoints").exists()
    assert stored_step(tmp_path) == kill_at - 5
    assert trained(tmp_path, data, *SAMPLED, *LONG) == uninterrupted
    assert steps_taken == list(range(kill_at - 4, 201))
    assert not list(tmp_path.glob(".unfinished_*"))


def test_script_goes_on_where_it_was_stopped(tmp_path, data, uninterrupted, interrupt) -> None:
    interrupt(190, tmp_path, data, *SAMPLED, *LONG)
    assert stored_step(tmp_path) == 175
    process = script(tmp_path, data, *SAMPLED, *LONG)
    _, errors = process.communicate(timeout=PATIENCE)
    said = [line for line in errors.splitlines() if not re.match(r".+: +\d+% \d+ of 200 steps, ", line)]
    assert (process.returncode, said) == (0, [])  # nothing but progress, where it takes long
    assert files_of(tmp_path) == uninterrupted


def test_run_interrupted_while_it_publishes_ends_with_the_same_bytes(tmp_path, data, monkeypatch) -> None:
    copied = []

    def failing_copy(source: Path, target: Path) -> None:
        copied.append(target.write_bytes(source.read_bytes()))
        if len(copied) == 4:
            raise StoppedError

    with monkeypatch.context() as patch, pytest.raises(StoppedError):
        patch.setattr(shutil, "copyfile", failing_copy)
        train(tiny_settings(data), tmp_path / "b")
    assert (tmp_path / "b/checkpoints/000005/model.safetensors").exists()
    assert trained(tmp_path / "b", data) == trained(tmp_path / "a", data)


@pytest.mark.parametrize("override", ["training.lr=2e-3", "seed=1", "policy.n_action_steps=7"])
def test_state_of_other_settings_is_not_used(tmp_path, data, interrupt, steps_taken, override) -> None:
    interrupt(8, tmp_path / "a", data)
    assert stored_step(tmp_path / "a") == 6
    assert trained(tmp_path / "a", data, override) == trained(tmp_path / "b", data, override)
    assert steps_taken == [*range(1, 13)] * 2


def test_state_of_other_data_is_not_used(tmp_path, interrupt, steps_taken) -> None:
    path = tmp_path / "demos.hdf5"
    write_episodes(path, [random_episode(20, seed=0)], {})
    interrupt(8, tmp_path / "a", f"+datasets_file={path}")
    write_episodes(path, [random_episode(20, seed=1)], {})
    assert trained(tmp_path / "a", f"+datasets_file={path}") == trained(tmp_path / "b", f"+datasets_file={path}")
    assert steps_taken == [*range(1, 13)] * 2


def test_resume_can_be_switched_off(tmp_path, data, interrupt, steps_taken) -> None:
    interrupt(8, tmp_path, data, "resume=false")
    trained(tmp_path, data, "resume=false")
    assert steps_taken == [*range(1, 13)]


@pytest.mark.parametrize("content", [b"", b"no torch file", b"PK\x03\x04 no zip file"])
def test_state_that_cannot_be_read_is_not_used(tmp_path, data, interrupt, steps_taken, content) -> None:
    interrupt(8, tmp_path, data)
    next(tmp_path.glob(".unfinished_*/state.pt")).write_bytes(content)
    trained(tmp_path, data)
    assert steps_taken == [*range(1, 13)]

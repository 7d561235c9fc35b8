"""Rollouts, evaluations and demonstrations that are killed or asked to stop: they go on, and leave nobody behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import tiny_settings
from demo_score.policies.checkpoints import save_checkpoint
from demo_score.rollout import loop as rollout_loop
from demo_score.rollout import runs
from demo_score.runtime.stopping import STOPPED, StoppedError
from places import SCRIPTS
from processes import PATIENCE, is_running, wait_for
from rollout_policies import Chaser, pusht_settings, untrained
from strikes import Killed, contents, handler, kill, stop, strike, terminate, truncate

__all__ = ["handler", "strike"]  # the fixtures

pytestmark = pytest.mark.slow


# Rollouts and evaluations


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A policy whose latents are drawn, and three batches of one episode."""
    folder = tmp_path_factory.mktemp("run") / "checkpoints/003000"
    overrides = ["policy.sample_latent=true", "policy.n_action_steps=10", "eval.n_episodes=3", "eval.batch_size=1"]
    save_checkpoint(folder, untrained(), tiny_settings(*overrides))
    return folder


@pytest.mark.parametrize("blow, error", [(terminate, StoppedError), (kill, Killed)])
@pytest.mark.parametrize("job", [runs.collect_rollouts, runs.evaluate])
def test_interrupted_rollouts_go_on_at_the_next_batch(
    tmp_path, checkpoint, strike, monkeypatch, job, blow, error
) -> None:
    job(checkpoint, [], tmp_path / "whole")
    strike(rollout_loop, "_act", at=8, blow=blow)  # three looks a batch: in the midst of the third
    stop(job, checkpoint, [], tmp_path / "stopped", error=error)
    monkeypatch.undo()
    assert not list(tmp_path.glob("stopped/[!.]*"))
    batches = strike(rollout_loop, "_run_batch")
    job(checkpoint, [], tmp_path / "stopped")
    assert len(batches) == 1
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_interrupted_rollouts_with_images_end_in_the_same_bits(tmp_path, strike, monkeypatch) -> None:
    settings = pusht_settings("eval.batch_size=2", "eval.n_episodes=4")
    job = checkpoint_of_chaser(tmp_path, settings)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "read_checkpoint_settings", lambda *_: settings)
        patch.setattr(runs, "load_policy", lambda *_: Chaser())
        runs.collect_rollouts(job, [], tmp_path / "whole")
        strike(runs, "write_episodes", at=1, blow=kill)
        stop(runs.collect_rollouts, job, [], tmp_path / "stopped", error=Killed)
        batches = strike(rollout_loop, "_run_batch")
        runs.collect_rollouts(job, [], tmp_path / "stopped")
    assert not batches
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def checkpoint_of_chaser(folder: Path, settings) -> Path:
    save_checkpoint(folder / "000001", Chaser(), settings)
    return folder / "000001"


def test_batch_that_cannot_be_read_is_rolled_out_again(tmp_path, checkpoint, strike, monkeypatch) -> None:
    runs.evaluate(checkpoint, [], tmp_path / "whole")
    strike(runs, "report", at=1, blow=kill)
    stop(runs.evaluate, checkpoint, [], tmp_path / "stopped", error=Killed)
    monkeypatch.undo()
    truncate(next(tmp_path.glob("stopped/.unfinished_*/batch000001.pt")))
    batches = strike(rollout_loop, "_run_batch")
    runs.evaluate(checkpoint, [], tmp_path / "stopped")
    assert len(batches) == 1
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.parametrize("override", ["seed=7", "eval.batch_size=2", "policy.n_action_steps=5"])
def test_batches_of_other_settings_are_not_used_but_removed(tmp_path, checkpoint, strike, monkeypatch, override):
    strike(runs, "report", at=1, blow=kill)
    stop(runs.evaluate, checkpoint, [], tmp_path, error=Killed)
    monkeypatch.undo()
    batches = strike(rollout_loop, "_run_batch")
    runs.evaluate(checkpoint, [override], tmp_path)
    assert len(batches) == (2 if "batch_size" in override else 3)
    assert list(contents(tmp_path)) == ["evaluation.csv"]


def test_a_single_batch_is_not_stored(tmp_path, checkpoint, strike) -> None:
    strike(runs, "report", at=1, blow=kill)
    stop(runs.evaluate, checkpoint, ["eval.batch_size=3"], tmp_path, error=Killed)
    assert not contents(tmp_path)


def test_stopped_environments_in_processes_leave_nobody_and_say_one_line(tmp_path, checkpoint) -> None:
    """The signal goes to the whole group, as that of a batch system."""
    overrides = ["eval.use_async_envs=true", "eval.n_episodes=1000", "eval.batch_size=2", "env.episode_length=200"]
    overrides += ["seed=0"]
    command = [sys.executable, SCRIPTS / "eval.py", "-p", checkpoint, "--out-dir", tmp_path, *overrides]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: list(tmp_path.glob(".unfinished_*/batch000001.pt")))
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)  # until all of them have closed it
    assert process.returncode == 143
    assert "Traceback" not in said and said.splitlines()[-1].startswith("stopped: ")
    assert list(tmp_path.glob(".unfinished_evaluation_*/batch000001.pt"))


# Demonstrations


def collecting(folder: Path, **options) -> subprocess.Popen:
    """A command that has begun to collect in two processes."""
    arguments = ["env=aloha_cube_state", "--strategy", "unreliable", "--n-episodes", "1000", "--seed", "5"]
    command = [sys.executable, SCRIPTS / "collect_demonstrations.py", *arguments, "--out", folder / "a.hdf5"]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, **options)
    wait_for(
        lambda: len(psutil.Process(process.pid).children()) == 3
    )  # two that collect, and multiprocessing's tracker
    return process


def test_processes_that_collect_end_when_the_command_is_killed(tmp_path) -> None:
    process = collecting(tmp_path)
    children = [child.pid for child in psutil.Process(process.pid).children()]
    process.kill()
    process.communicate(timeout=PATIENCE)  # until all of them have closed it
    wait_for(lambda: not any(map(is_running, children)))  # a process closes its files a moment before it is gone


def test_stopped_processes_that_collect_say_one_line(tmp_path) -> None:
    """The signal goes to the whole group, as that of a batch system."""
    process = collecting(tmp_path, start_new_session=True)
    children = [child.pid for child in psutil.Process(process.pid).children()]
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.splitlines()[-1]) == (143, STOPPED) and "Traceback" not in said
    wait_for(lambda: not any(map(is_running, children)))
    assert not list(tmp_path.iterdir())

"""Jobs that are killed or told to stop: they go on where they were, to the same bits, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch
from conftest import TINY, random_episode, tiny_settings
from demo_score.curation import sweep
from demo_score.curation.sweep import train_classifiers
from demo_score.curation.training import Trainer
from demo_score.data.formats.robomimic import write_episodes
from demo_score.policies.checkpoints import save_checkpoint
from demo_score.rollout import loop as rollout_loop
from demo_score.rollout import runs
from demo_score.runtime import stopping
from demo_score.runtime.digests import digest
from demo_score.runtime.resume import ResumeFolder
from demo_score.runtime.stopping import STOPPED, StoppedError
from demo_score.training import loop as training_loop
from places import SCRIPTS
from processes import PATIENCE, is_running, struck_training, wait_for
from test_curation import make_rollouts, write_settings
from test_rollouts import Chaser, pusht_settings, untrained

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """In place of SIGKILL, where the process is the test's own: nothing may do anything about it."""


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """SIGTERM as commands heed it, but for the thread that would end the process."""
    with stopping.sets_flag():
        yield


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def kill() -> None:
    raise Killed


@pytest.fixture
def strike(monkeypatch) -> Callable:
    """Calls of a function are counted, and one of them is struck, before or after its work."""

    def prepare(owner: object, name: str, at: int | None = None, blow=terminate, after: bool = False) -> list[int]:
        function, calls = getattr(owner, name), []

        def struck(*arguments, **options):
            calls.append(len(calls) + 1)
            if calls[-1] == at and not after:
                blow()
            result = function(*arguments, **options)
            if calls[-1] == at and after:
                blow()
            return result

        monkeypatch.setattr(owner, name, struck)
        return calls

    return prepare


def contents(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def stop(function: Callable, *arguments: object, error: type[BaseException] = StoppedError) -> None:
    """Run what SIGTERM, or `error`, ends, as if in a process of its own."""
    with pytest.raises(error), stopping.sets_flag():
        function(*arguments)


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
    train(tmp_path / "told", data)
    train(tmp_path / "whole", data)
    assert contents(tmp_path / "told") == contents(tmp_path / "whole")


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
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == (143 if blow == signal.SIGTERM else -signal.SIGKILL)
    assert "Traceback" not in told and "Exception" not in told
    if blow == signal.SIGTERM:
        assert told.splitlines()[-1].startswith("stopped: ") and "same command again" in told
    stored = torch.load(next(tmp_path.glob("run/.unfinished_*/state.pt")), weights_only=True)["step"]
    steps = strike(training_loop, "take_step")
    train(tmp_path / "run", *long)
    assert (stored, len(steps)) == ((26, 274) if blow == signal.SIGTERM else (20, 280))
    train(tmp_path / "whole", *long)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


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
    _, told = process.communicate(timeout=PATIENCE)  # until all of them have closed it
    assert process.returncode == 143
    assert "Traceback" not in told and told.splitlines()[-1].startswith("stopped: ")
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
    _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told.splitlines()[-1]) == (143, STOPPED) and "Traceback" not in told
    wait_for(lambda: not any(map(is_running, children)))
    assert not list(tmp_path.iterdir())


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

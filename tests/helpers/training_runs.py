"""Trainings in milliseconds, what they leave, and their interruption."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import TINY, random_episode, tiny_settings
from demo_score.data.formats.robomimic import write_episodes
from demo_score.training import loop
from demo_score.training.loop import take_step, train
from places import SCRIPTS

SCRIPT = SCRIPTS / "train.py"
SAMPLED = ["policy.sample_latent=true", "training.start_fraction=0.2"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def data_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "demos.hdf5"
    write_episodes(path, [random_episode(length, seed=length) for length in (12, 30, 25)], {})
    return path


@pytest.fixture
def data(data_file) -> str:
    """The override that names the training data."""
    return f"+datasets_file={data_file}"


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of all files in a folder, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trained(run_dir: Path, *overrides: str) -> dict[str, bytes]:
    train(tiny_settings(*overrides), run_dir)
    return files_of(run_dir)


class StoppedError(Exception):
    """In place of a kill, where the process is the test's own."""


@pytest.fixture
def steps_taken(monkeypatch) -> list[int]:
    """Records the gradient steps of `train`."""
    steps: list[int] = []

    def recorded(run, *arguments) -> None:
        take_step(run, *arguments)
        steps.append(run.step)

    monkeypatch.setattr(loop, "take_step", recorded)
    return steps


@pytest.fixture
def interrupt(monkeypatch) -> Callable:
    """Train and stop after some steps."""

    def interrupted_run(after: int, run_dir: Path, *overrides: str) -> None:
        def failing(run, *arguments) -> None:
            if run.step == after:
                raise StoppedError
            take_step(run, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "take_step", failing)
            with pytest.raises(StoppedError):
                train(tiny_settings(*overrides), run_dir)

    return interrupted_run


def script(run_dir: Path, *overrides: str) -> subprocess.Popen:
    command = [sys.executable, SCRIPT, *TINY, *overrides, f"hydra.run.dir={run_dir}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

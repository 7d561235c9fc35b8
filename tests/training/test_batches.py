"""Batches: the same bits whoever reads them, also after a resume, and no worker stays behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import one_line_error, random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.frames import MAX_OPEN_FILES, OpenFiles
from demo_score.runtime.stopping import StoppedError, polled, sets_flag
from demo_score.training.batches import Batch, Batches, _Reader
from demo_score.training.chunks import ChunkDataset
from lerobot_fixture import write_lerobot
from places import WORKFLOW
from processes import is_running, wait_for

pytestmark = pytest.mark.slow

STATE, IMAGE = "observation.state", "observation.image"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("batches")


@pytest.fixture(scope="module")
def sources(folder) -> dict[str, list[Episode]]:
    """The same kind of episodes from an HDF5 file, from PNG images in rows, and from videos."""
    size = {"images": {IMAGE: (32, 48)}}
    episodes = [random_episode(12, seed=seed) for seed in range(3)]
    for seed, episode in enumerate(episodes):
        episode.observations[IMAGE] = np.random.default_rng(seed).integers(0, 256, (12, 32, 48, 3), dtype=np.uint8)
    write_episodes(folder / "hdf5.hdf5", episodes, {})
    found = {"hdf5": read_episodes(folder / "hdf5.hdf5")}
    for name, video in (("png", False), ("video", True)):
        dataset = write_lerobot(folder / name, n_episodes=3, video=video, **size)
        found[name] = read_episodes(dataset, None, [STATE, IMAGE])
    return found


def batches(episodes: list[Episode], num_workers: int, seed: int = 0, images: bool = True) -> Batches:
    dataset = ChunkDataset(episodes, [STATE, IMAGE] if images else [STATE], 2, range(-1, 5), start_fraction=0.25)
    return Batches(dataset, 4, torch.Generator().manual_seed(seed), num_workers, CPU)


def take(source: Batches, n: int) -> list[Batch]:
    return [{key: values.clone() for key, values in next(source).items()} for _ in range(n)]


def equal(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
        for one, other in zip(first, second, strict=True)
    )


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    monkeypatch.delenv("OMP_NUM_THREADS")


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("name", ["hdf5", "png", "video"])
def test_number_of_workers_changes_nothing(sources, name) -> None:
    expected = take(batches(sources[name], 0), 8)
    assert expected[0][IMAGE].shape == (4, 2, 32, 48, 3)
    assert not equal(expected, take(batches(sources[name], 0, seed=1), 8))
    for num_workers in (1, 2):
        source = batches(sources[name], num_workers)
        assert equal(take(source, 8), expected)
        assert len(multiprocessing.active_children()) == num_workers
        source.close()


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_resumed_batches_go_on_where_the_state_was_taken(sources, num_workers) -> None:
    expected = take(batches(sources["hdf5"], 0), 9)
    first = batches(sources["hdf5"], num_workers)
    start = first.generator_state()
    assert equal(take(first, 5), expected[:5])
    state = first.generator_state()
    assert equal(take(first, 4), expected[5:])
    for at, wanted in ((state, expected[5:]), (start, expected[:4])):
        resumed = batches(sources["hdf5"], num_workers, seed=123)
        resumed.generator.set_state(at)
        assert equal(take(resumed, 4), wanted)


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_torchs_own_randomness_is_left_alone(sources, num_workers) -> None:
    before = torch.get_rng_state()
    take(batches(sources["hdf5"], num_workers), 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_without_images_need_no_workers(sources) -> None:
    expected = take(batches(sources["hdf5"], 0, images=False), 3)
    source = batches(sources["hdf5"], 2, images=False)
    assert equal(take(source, 3), expected)
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("two_cores")
def test_workers_end_with_the_batches(sources) -> None:
    sources_of_batches = [batches(sources["hdf5"], 2) for _ in range(2)]
    for source in sources_of_batches:
        take(source, 1)
    workers = multiprocessing.active_children()
    assert len(workers) == 4
    sources_of_batches[0].close()
    wait_for(lambda: sum(worker.is_alive() for worker in workers) == 2)
    del source, sources_of_batches
    wait_for(lambda: not any(worker.is_alive() for worker in workers))


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_image_that_cannot_be_read_is_reported_in_one_line(folder, num_workers) -> None:
    dataset = write_lerobot(folder / f"damaged{num_workers}")
    episodes = read_episodes(dataset, None, [STATE, IMAGE])
    for path in dataset.rglob("*.mp4"):
        path.write_bytes(b"")
    with one_line_error("file-000.mp4", "changed"):
        take(batches(episodes, num_workers), 3)


@pytest.mark.usefixtures("two_cores")
def test_worker_that_is_killed_is_reported_in_one_line(sources) -> None:
    source = batches(sources["hdf5"], 2)
    take(source, 1)
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGKILL)
    with one_line_error("died", "training.num_workers", "training.batch_size"):
        take(source, 20)


@pytest.mark.usefixtures("two_cores")
def test_worker_that_the_signal_ended_too_is_not_reported(sources) -> None:
    source = batches(sources["hdf5"], 2)
    with sets_flag(), pytest.raises(StoppedError), polled():
        take(source, 1)
        for process in (*multiprocessing.active_children(), multiprocessing.current_process()):
            os.kill(process.pid, signal.SIGTERM)
        take(source, 20)


SCRIPT = """
import multiprocessing, sys, torch
from demo_score.training.chunks import ChunkDataset
from demo_score.data.formats import read_episodes
from demo_score.training.batches import Batches
dataset = ChunkDataset(read_episodes({path!r}), ["observation.image"], 1, range(2))
batches = Batches(dataset, 2, torch.Generator(), 1, torch.device("cpu"))
next(batches)
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
sys.stdin.read()
"""


def test_workers_end_when_the_training_is_killed(sources, folder) -> None:
    script = SCRIPT.format(path=str(folder / "hdf5.hdf5"))
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        worker = int(process.stdout.readline())
        assert is_running(worker)
        process.kill()
    wait_for(lambda: not is_running(worker))  # torch's workers look for their parent every five seconds


class Handle:
    """An open file that must not be closed by another process than its own."""

    def __init__(self, number: int):
        self.owner = os.getpid()

    def __del__(self):
        if os.getpid() != self.owner:
            os._exit(7)


def test_a_forked_process_closes_no_file_that_it_inherits() -> None:
    files = OpenFiles(Handle)
    files(0)
    if (child := os.fork()) == 0:
        for number in range(MAX_OPEN_FILES + 2):
            files(number)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.usefixtures("two_cores")
def test_a_batch_that_cannot_be_handed_over_ends_in_one_line(sources, monkeypatch) -> None:
    """As where no shared memory is left: torch prints a traceback in the worker, and waits for ever."""
    monkeypatch.setattr(_Reader, "__getitems__", lambda reader, frames: {"image": lambda: "cannot be pickled"})
    with one_line_error("a process that reads images died", "/dev/shm"):
        take(batches(sources["hdf5"], 2), 1)
    assert multiprocessing.active_children() == []

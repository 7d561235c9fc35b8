"""Files appear whole or not at all; a full or read-only disk ends in one line; what kills left is removed."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch
from conftest import one_line_error, random_episode, tiny_settings
from demo_score.curation.classifiers import build_architecture
from demo_score.curation.storage import Classifiers, save_classifiers
from demo_score.data.formats import read_episodes
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.hdf5 import new_hdf5
from demo_score.data.formats.lerobot_writer import write_lerobot
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.inputs import Standardization
from demo_score.policies.checkpoints import save_checkpoint
from demo_score.reporting import report
from demo_score.reporting.report import make_report
from demo_score.runtime.digests import digest
from demo_score.runtime.files import ABANDONED_AFTER, atomic_path, check_file_name, write_text
from demo_score.runtime.resume import ResumeFolder

SPACE = 2**21  # bytes


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A file system of two megabytes."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SPACE}", "tmpfs", str(tmp_path)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def store_state(disk: Path, size: int) -> None:
    ResumeFolder(disk, "job", digest("a")).save({"a": torch.rand(size // 4), "b": torch.rand(size // 8)})


def store_episodes(disk: Path, size: int) -> None:
    write_episodes(disk / "episodes.hdf5", [random_episode(size // 400, seed) for seed in range(2)], {})


def store_checkpoint(disk: Path, size: int) -> None:
    save_checkpoint(disk / "000100", torch.nn.Linear(size // 4, 1), tiny_settings())


def store_classifiers(disk: Path, size: int) -> None:
    architecture = {"type": "stepwise", "hidden_sizes": [size // 4], "dropout": 0.3}
    parameters = dict(build_architecture(architecture).module(1).named_parameters())
    standardization = Standardization(torch.zeros(1), torch.ones(1))
    save_classifiers(disk / "a.safetensors", Classifiers("a", architecture, [], None, []), parameters, standardization)


def store_text(disk: Path, size: int) -> None:
    write_text(disk / "table.csv", "x" * size)


def store_aloha(disk: Path, size: int) -> None:
    write_aloha(disk / "aloha", [random_episode(size // 400, seed) for seed in range(2)])


def store_lerobot(disk: Path, size: int) -> None:
    write_lerobot(disk / "set", [random_episode(size // 400, seed) for seed in range(2)], fps=10)


@pytest.mark.parametrize(
    "store",
    [store_state, store_episodes, store_checkpoint, store_classifiers, store_text, store_aloha, store_lerobot],
)
def test_full_disk_is_told_in_one_line_and_nothing_stays_half_written(disk, store) -> None:
    for fraction in (0.3, 0.9, 0.999, 1.001, 1.2, 5):  # of what is free: it ends anywhere in a file
        fill = disk / "fill"
        fill.write_bytes(bytes(SPACE // 2))
        try:
            store(disk, int(fraction * SPACE // 2))
        except Exception:
            with one_line_error("cannot write", disk, "no space left on device", "run the same command again"):
                store(disk, int(fraction * SPACE // 2))
            assert not [path for path in disk.rglob("*") if path.is_file() and path.suffix not in ("", ".yaml")]
            failed = True
        else:
            failed = False
        for path in disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert failed
    store(disk, SPACE // 10)


def test_report_on_a_full_disk_leaves_nothing_and_says_why(tmp_path, monkeypatch) -> None:
    def snakemake(command: list[str], stderr: IO, **_) -> int:
        Path(command[command.index("--report") + 1]).write_text("half")
        stderr.write("OSError: [Errno 28] No space left on device: 'report'\n")
        return 1

    monkeypatch.setattr(report, "run", snakemake)
    with one_line_error(tmp_path / "report.html", "no space left on device"):
        make_report(tmp_path / "report.html", videos=False, cores="1", options=[])
    assert list(tmp_path.iterdir()) == []


def test_read_only_disk_is_told_in_one_line(disk) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for path in (disk / "table.csv", disk / "new/folder/table.csv"):
        with one_line_error(f"cannot write {path}: read-only file system"):
            write_text(path, "text")


def test_claimed_space_does_not_change_a_file(tmp_path) -> None:
    with new_hdf5(tmp_path / "a.hdf5") as (file, claim):
        claim(10**6)
        file.create_dataset("values", data=np.arange(1000))
    size = (tmp_path / "a.hdf5").stat().st_size
    with new_hdf5(tmp_path / "b.hdf5") as (file, _):
        file.create_dataset("values", data=np.arange(1000))
    assert size < 20_000
    assert (tmp_path / "a.hdf5").read_bytes() == (tmp_path / "b.hdf5").read_bytes()


def test_episodes_may_be_written_where_no_space_can_be_claimed(tmp_path, monkeypatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    store_episodes(tmp_path, 4000)
    assert len(read_episodes(tmp_path / "episodes.hdf5")) == 2


def leftover(path: Path, writer: str, age: float = 0) -> Path:
    left = path.with_name(f".{path.name}.{writer}.tmp")
    left.write_text("half")
    os.utime(left, (time.time() - age, time.time() - age))
    return left


def test_leftovers_of_writers_that_are_gone_are_removed(tmp_path) -> None:
    host, target = socket.gethostname(), tmp_path / "table.csv"
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    gone = [leftover(target, f"{host}.{child}"), leftover(target, "node7.example.1", 2 * ABANDONED_AFTER)]
    kept = [leftover(target, f"{host}.1", 2 * ABANDONED_AFTER), leftover(target, "node7.example.1234")]
    kept += [leftover(tmp_path / "other.csv", f"{host}.{child}")]
    write_text(target, "whole")
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert target.read_text() == "whole"


def test_temporary_names_of_several_machines_differ(tmp_path, monkeypatch) -> None:
    with atomic_path(tmp_path / "a") as one:
        monkeypatch.setattr(socket, "gethostname", lambda: "another")
        with atomic_path(tmp_path / "a") as other:
            assert one != other
            other.touch()
        one.touch()


def test_a_name_that_leads_elsewhere_is_refused() -> None:
    check_file_name("evaluation", "--name")
    for name in ("../x", "/x", "a/b", "..", ""):
        with one_line_error(f"--name {name}", "no name of a file"):
            check_file_name(name, "--name")

"""Where a LeRobot data set of a name lies: in a folder, in lerobot's own, or on the hub."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.data.formats.lerobot_folders import resolve_dataset
from lerobot_fixture import write_lerobot
from places import WORKFLOW


@pytest.fixture
def lerobot_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_data_set_is_a_folder_or_lies_in_lerobots_own(tmp_path, lerobot_home) -> None:
    write_lerobot(lerobot_home / "lerobot/pusht")
    assert resolve_dataset("lerobot/pusht") == lerobot_home / "lerobot/pusht"
    write_lerobot(tmp_path / "lerobot/pusht")
    assert resolve_dataset("lerobot/pusht") == Path("lerobot/pusht")
    assert resolve_dataset(str(tmp_path / "lerobot/pusht")) == tmp_path / "lerobot/pusht"


def test_other_data_sets_come_from_the_hub(lerobot_home, tmp_path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download",
        lambda *a, **k: asked.append((a, k)) or str(tmp_path),
    )
    assert resolve_dataset("lerobot/pusht") == tmp_path
    assert asked == [(("lerobot/pusht",), {"repo_type": "dataset"})]


@pytest.mark.parametrize(
    ("name", "words"),
    [("lerobot/pusht", "the hub cannot be reached"), ("/no/such/folder", "no such data set"), ("a/b/c", "hub name")],
)
def test_data_set_that_is_nowhere_is_reported(lerobot_home, name, words) -> None:
    with one_line_error(f"dataset_repo_id={name}", words, "set dataset_repo_id=FOLDER"):
        resolve_dataset(name)


def test_a_hub_that_does_not_answer_is_not_waited_for(tmp_path) -> None:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code = "from demo_score.data.formats import hub, lerobot_folders as l; hub.PATIENCE = 0.3; "
        code += "l.resolve_dataset('a/b')"
        hub = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, "PYTHONPATH": str(WORKFLOW)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (
        "UserError: dataset_repo_id=a/b: lies neither here nor in the cache, and the hub cannot be reached"
        in run.stderr
    )

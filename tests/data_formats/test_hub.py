"""Data of the Hugging Face hub, from a stand-in for it: download, cache, offline, and what is not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import random_episode
from demo_score.data.formats.robomimic import write_episodes
from hub import Hub, serve
from lerobot_fixture import write_lerobot
from places import SCRIPTS, WORKFLOW

FILE = "v1.5/square/mh/low_dim_v15.hdf5"
MIMIC, LEROBOT = "robomimic/robomimic_datasets", "lerobot/pusht"


@pytest.fixture
def hub(tmp_path: Path):
    """With a data set of one file, and LeRobot's."""
    root = tmp_path / "served"
    (root / MIMIC / FILE).parent.mkdir(parents=True)
    write_episodes(root / MIMIC / FILE, [random_episode(9, seed=seed) for seed in range(3)], {})
    write_lerobot(root / LEROBOT)
    with serve(root) as made:
        yield made


def prepare(hub: Hub, folder: Path, source: dict, **environment: str) -> subprocess.CompletedProcess:
    folder.mkdir(exist_ok=True)
    (folder / "data.yaml").write_text(yaml.safe_dump({"demonstrations": {"mine": source}}))
    command = [sys.executable, SCRIPTS / "prepare_data.py", "--settings", "data.yaml", "--out-dir", "out"]
    home = {"HF_HOME": str(folder / "cache"), "HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0"}
    variables = {**os.environ, **home, "PYTHONPATH": str(WORKFLOW), **environment}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=120)


def test_one_file_is_downloaded_once_and_then_used_from_the_cache_offline_too(hub, tmp_path) -> None:
    source = {"repo_id": MIMIC, "file": FILE}
    first = prepare(hub, tmp_path / "mine", source)
    assert first.returncode == 0, first.stderr
    assert hub.sent == [FILE]
    assert prepare(hub, tmp_path / "mine", source).returncode == 0
    assert prepare(hub, tmp_path / "mine", source, HF_HUB_OFFLINE="1").returncode == 0
    assert hub.sent == [FILE]


def test_a_lerobot_data_set_comes_whole(hub, tmp_path) -> None:
    run = prepare(hub, tmp_path / "mine", {"repo_id": LEROBOT})
    assert run.returncode == 0, run.stderr
    files = {str(path.relative_to(hub.root / LEROBOT)) for path in (hub.root / LEROBOT).rglob("*") if path.is_file()}
    assert {*hub.sent} == files


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"repo_id": MIMIC, "file": "v1.5/no.hdf5"}, ["has no file v1.5/no.hdf5", "correct file"]),
        ({"repo_id": "no/such", "file": FILE}, ["repo_id=no/such", "no such data set", "path=FILE"]),
        ({"repo_id": "no/such"}, ["repo_id=no/such", "no such data set", "repo_id=FOLDER"]),
        ({"path": "x", "file": FILE}, ["demonstrations.mine.file", "give its repo_id"]),
    ],
)
def test_what_is_not_there_is_one_line(hub, tmp_path, source, words) -> None:
    assert_one_line(prepare(hub, tmp_path / "mine", source), words)
    assert not hub.sent


def test_offline_is_said(hub, tmp_path) -> None:
    source = {"repo_id": MIMIC, "file": FILE}
    words = [f"repo_id={MIMIC}", "neither here nor in the cache", "HF_HUB_OFFLINE", "path=FILE"]
    assert_one_line(prepare(hub, tmp_path / "mine", source, HF_HUB_OFFLINE="1"), words)


def test_a_download_that_broke_off_is_no_data_set(hub, tmp_path) -> None:
    """The file on the hub is cut short: what says so is reading it, in one line."""
    content = (hub.root / MIMIC / FILE).read_bytes()
    (hub.root / MIMIC / FILE).write_bytes(content[: len(content) // 2])
    assert_one_line(prepare(hub, tmp_path / "mine", {"repo_id": MIMIC, "file": FILE}), [Path(FILE).name])


def assert_one_line(run: subprocess.CompletedProcess, words: list[str]) -> None:
    assert run.returncode == 2, run.stdout + run.stderr
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert all(word in line for word in words), line
    assert "Traceback" not in run.stderr

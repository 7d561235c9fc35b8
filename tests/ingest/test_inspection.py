"""What inspect tells of a data set, as an object, as text, as JSON, and as an exit status."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import write_episodes
from demo_score.ingest.inspection import Frame, Lengths, inspect, report
from demo_score.runtime.errors import run_command
from lerobot_fixture import write_lerobot
from scripts import inspect_data

STATE, IMAGE = "observation.state", "observation.image"


@pytest.fixture
def robomimic(tmp_path: Path) -> Path:
    path = tmp_path / "my rollouts.hdf5"
    said = [(True, "003000"), (False, "003000"), (None, "006000")]
    episodes = [
        random_episode(4 + number, number, success=success, checkpoint=checkpoint, task="lift")
        for number, (success, checkpoint) in enumerate(said)
    ]
    write_episodes(path, [*episodes, random_episode(20, 9, strategy="careful")], {"env_name": "Lift", "fps": 20})
    with h5py.File(path, "r+") as file:
        file["mask/train"] = np.array([b"demo_0", b"demo_3"])
    return path


def command(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the command."""
    monkeypatch.setattr(sys, "argv", ["inspect_data.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        run_command(inspect_data.main)
    return caught.value.code, *capsys.readouterr()


def test_what_a_robomimic_file_tells(robomimic) -> None:
    found = inspect(robomimic)
    assert (found.format, found.version, found.fps, found.env_name) == ("robomimic", None, 20, "Lift")
    assert (found.episodes, found.frames) == (4, Lengths(35, 4, 5.5, 20))
    assert found.keys == {
        STATE: Frame((14,), "float32"),
        "observation.environment_state": Frame((7,), "float32"),
        "action": Frame((14,), "float32"),
    }
    assert found.success == {"successes": 2, "failures": 1, "unknown": 1}
    assert found.checkpoints == {"003000": 2, "006000": 1}
    assert (found.strategies, found.tasks, found.filter_keys) == ({"careful": 1}, {"lift": 3}, {"train": 2})
    assert found.problems == []


@pytest.mark.parametrize(("version", "video"), [("v2.1", True), ("v3.0", False)])
def test_what_a_lerobot_folder_tells(tmp_path, version, video) -> None:
    found = inspect(write_lerobot(tmp_path / "a set", version, 3, images={IMAGE: (48, 64)}, video=video))
    assert (found.format, found.version, found.fps, found.env_name) == ("lerobot", version, 10, None)
    assert found.frames == Lengths(36, 12, 12, 12)
    assert found.keys[IMAGE] == Frame((48, 64, 3), "video" if video else "image")
    assert found.keys["action"] == Frame((2,), "float32")
    assert found.success == {"successes": 2, "failures": 1, "unknown": 0}
    assert found.tasks == {"a task": 3}


def test_labels_from_outside_hold(tmp_path) -> None:
    write_aloha(tmp_path / "set", [random_episode(5, seed, success=seed == 0) for seed in range(3)])
    labels = tmp_path / "my labels.csv"
    labels.write_text("episode,success,checkpoint\n0,0,1000\n1,1,\n2,1,1000\n5,1,1000\n")
    assert inspect(tmp_path / "set").success == {"successes": 1, "failures": 2, "unknown": 0}
    found = inspect(tmp_path / "set", labels)
    assert found.success == {"successes": 2, "failures": 1, "unknown": 0}
    assert found.checkpoints == {"001000": 2}
    assert [problem.file for problem in found.problems] == [labels]


def test_keys_are_those_of_most_episodes(tmp_path) -> None:
    episodes = [random_episode(5, seed) for seed in range(3)]
    episodes[0].observations[STATE] = episodes[0].observations[STATE][:, :7]
    write_episodes(tmp_path / "a.hdf5", episodes, {})
    assert inspect(tmp_path / "a.hdf5").keys[STATE].shape == (14,)


def test_damaged_episodes_are_counted_but_add_no_frames(robomimic) -> None:
    with h5py.File(robomimic, "r+") as file:
        del file["data/demo_3/actions"]
    found = inspect(robomimic)
    assert (found.episodes, found.frames.total, len(found.problems)) == (4, 15, 1)


def test_text_tells_all(robomimic) -> None:
    lines = report(inspect(robomimic)).splitlines()
    assert f"path:        {robomimic}" in lines
    assert "frames:      35 (shortest episode 4, median 5.5, longest 20)" in lines
    assert "success:     successes 2, failures 1, unknown 1" in lines
    assert "checkpoints: 003000 (2), 006000 (1)" in lines
    assert "  observation.environment_state  (7,)   float32" in lines
    assert lines[-1] == "problems:    none"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_command_ends_with_0_without_problems(robomimic, monkeypatch, capsys, form) -> None:
    status, out, _ = command(monkeypatch, capsys, robomimic, *form)
    assert (status, str(robomimic) in out) == (0, True)


def test_command_tells_everything_and_ends_with_1_where_there_are_problems(robomimic, monkeypatch, capsys) -> None:
    with h5py.File(robomimic, "r+") as file:
        file["data/demo_1/actions"][2, 0] = np.nan
    status, out, _ = command(monkeypatch, capsys, robomimic)
    lines = out.splitlines()
    assert (status, lines[-2]) == (1, "problems:    1")
    assert lines[-1] == f"  {robomimic} episode 1: action holds NaN or infinite values"
    status, out, _ = command(monkeypatch, capsys, robomimic, "--json")
    found = json.loads(out)
    assert (status, found["frames"]["total"], found["keys"][STATE]["shape"]) == (1, 35, [14])
    assert found["problems"] == [
        {"file": str(robomimic), "episode": 1, "what": "action holds NaN or infinite values"},
    ]


def test_command_looks_into_videos_unless_told_not_to(tmp_path, monkeypatch, capsys) -> None:
    folder = write_lerobot(tmp_path / "set", images={IMAGE: (48, 64)})
    (video,) = folder.rglob("*.mp4")
    video.write_bytes(video.read_bytes()[:900])
    assert command(monkeypatch, capsys, folder)[0] == 1
    assert command(monkeypatch, capsys, folder, "--no-images")[0] == 0


def test_command_ends_with_2_where_nothing_can_be_opened(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "bad.hdf5").write_bytes(b"no HDF5")
    for path in (tmp_path / "missing", tmp_path / "bad.hdf5", tmp_path):
        status, out, err = command(monkeypatch, capsys, path)
        assert (status, out) == (2, "")
        assert err.startswith(f"error: {path}: ") and err.count("\n") == 1


def test_version_that_is_not_read_is_an_error(tmp_path) -> None:
    folder = write_lerobot(tmp_path / "set", images={})
    info = json.loads((folder / "meta/info.json").read_text())
    (folder / "meta/info.json").write_text(json.dumps(info | {"codebase_version": "v2.0"}))
    with one_line_error("v2.0", "v2.1 and v3.0"):
        inspect(folder)

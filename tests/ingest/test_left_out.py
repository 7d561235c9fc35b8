"""What data say besides what is read goes along where its new place holds it, or is named in one line."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats import open_dataset, read_episodes
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.lerobot_writer import write_lerobot
from demo_score.data.formats.robomimic import write_episodes
from demo_score.ingest.conversion import export_data, import_data
from demo_score.ingest.inspection import inspect
from demo_score.ingest.preparation import prepare_data
from pyarrow import parquet

STATE, ROWS, EPISODES = (
    "observation.state",
    "data/chunk-000/file-000.parquet",
    "meta/episodes/chunk-000/file-000.parquet",
)
NAMES = [f"joint_{number}.pos" for number in range(14)]


def lerobot(folder: Path, n: int = 3, **options) -> Path:
    write_lerobot(folder, [random_episode(5 + k, k, success=True, task="reach") for k in range(n)], 10, **options)
    return folder


def robomimic(path: Path, change, n: int = 2) -> Path:
    """Episodes, each of whose groups is then changed."""
    write_episodes(path, [random_episode(5 + number, number) for number in range(n)], {"env_name": "Lift", "fps": 10})
    with h5py.File(path, "r+") as file:
        for group in file["data"].values():
            change(group)
    return path


def add_column(folder: Path, name: str, feature: dict | None) -> None:
    table = parquet.read_table(folder / ROWS)
    parquet.write_table(table.append_column(name, pa.array(np.arange(len(table), dtype=np.float32))), folder / ROWS)
    if feature is not None:
        change_info(folder, lambda info: info["features"].update({name: feature}))


def change_info(folder: Path, change) -> dict:
    info = json.loads((folder / "meta/info.json").read_text())
    change(info)
    (folder / "meta/info.json").write_text(json.dumps(info))
    return info


def info_of(folder: Path) -> dict:
    return change_info(folder, lambda info: None)


def test_robot_and_names_go_from_lerobot_to_lerobot(tmp_path, capsys) -> None:
    source = lerobot(tmp_path / "a", robot_type="so101", names={STATE: NAMES, "action": NAMES})
    export_data(source, tmp_path / "b", "lerobot")
    assert info_of(tmp_path / "b")["robot_type"] == "so101"
    assert [info_of(tmp_path / "b")["features"][key]["names"] for key in (STATE, "action")] == [NAMES, NAMES]
    assert "left out" not in capsys.readouterr().err


def test_what_sources_tell_differently_is_named_and_left_out(tmp_path, capsys) -> None:
    for number, robot in enumerate(["so100", "so101"]):
        episode = random_episode(5, number, success=True)
        write_lerobot(tmp_path / robot, [episode], 10, robot_type=robot, names={"action": NAMES})
    (tmp_path / "list.txt").write_text("so100 0\nso101 0\n")
    export_data(tmp_path / "list.txt", tmp_path / "c", "lerobot")
    assert info_of(tmp_path / "c")["robot_type"] is None
    assert info_of(tmp_path / "c")["features"]["action"]["names"] == NAMES
    assert f"{tmp_path / 'so100'}: left out: robot_type (sources differ)\n" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["aloha", "robomimic"])
def test_what_has_no_place_in_another_format_is_named(tmp_path, capsys, to) -> None:
    export_data(lerobot(tmp_path / "a", robot_type="so101", names={"action": NAMES}), tmp_path / "b", to)
    err = capsys.readouterr().err
    assert "robot_type, names of action" in err
    assert ("rewards, tasks" in err) == (to == "aloha")


def test_columns_that_are_not_read_are_named_by_inspect_prepare_import_and_export(tmp_path, capsys) -> None:
    source = lerobot(tmp_path / "a")
    add_column(source, "action.gripper", {"dtype": "float32", "shape": [1], "names": None})
    add_column(source, "stray", None)
    change_info(source, lambda info: info.update(rig="left", splits={"train": "0:2", "val": "2:3"}))
    (source / "meta/modality.json").write_text("{}")
    table = parquet.read_table(source / EPISODES)
    parquet.write_table(table.append_column("quality", pa.array([1] * len(table))), source / EPISODES)
    named = [
        *("action.gripper (float32)", "stray (column)", "rig (meta/info.json)", "splits (meta/info.json)"),
        *("quality (meta/episodes)", "meta/modality.json (file)"),
    ]
    assert inspect(source).not_read == named
    prepare_data({"demonstrations": {"mine": {"path": str(source)}}}, tmp_path / "tables")
    assert f"{source}: not read: {', '.join(named)}\n" in capsys.readouterr().out
    import_data(source, tmp_path / "b.hdf5")
    export_data(source, tmp_path / "b", "lerobot")
    assert capsys.readouterr().err.count(f"{source}: left out: {', '.join(named)}\n") == 2


def test_tasks_of_frames_go_along_or_are_named(tmp_path, capsys) -> None:
    tasks = ["reach", "reach", "touch", "touch", "lift"]
    episodes = [replace(random_episode(5, k, success=True), task="reach", frame_tasks=tasks) for k in range(2)]
    write_lerobot(tmp_path / "a", episodes, 10)
    assert inspect(tmp_path / "a").tasks == {"lift": 2, "reach": 2, "touch": 2}
    export_data(tmp_path / "a", tmp_path / "b", "lerobot")
    assert [episode.frame_tasks for episode in read_episodes(tmp_path / "b")] == [tasks, tasks]
    assert parquet.read_table(tmp_path / "b" / EPISODES)["tasks"].to_pylist() == [["reach", "touch", "lift"]] * 2
    assert "tasks" not in capsys.readouterr().err
    export_data(tmp_path / "b", tmp_path / "c.hdf5", "robomimic")
    assert "left out: tasks of frames, but for each episode's first" in capsys.readouterr().err
    assert [episode.task for episode in read_episodes(tmp_path / "c.hdf5")] == ["reach", "reach"]


@pytest.mark.parametrize("name", [None, "task"])
def test_tasks_are_read_as_every_lerobot_writes_them(tmp_path, name) -> None:
    episode = replace(random_episode(3, 0, success=True), task="a", frame_tasks=["a", "b", "b"])
    write_lerobot(tmp_path / "a", [episode], 10)
    tasks = pd.DataFrame({"task_index": [0, 1]}, index=pd.Index(["a", "b"], name=name))
    tasks.to_parquet(tmp_path / "a/meta/tasks.parquet")
    assert read_episodes(tmp_path / "a")[0].frame_tasks == ["a", "b", "b"]
    tasks.iloc[:1].to_parquet(tmp_path / "a/meta/tasks.parquet")
    with one_line_error("episode 0", "task_index 1", "meta/tasks"):
        read_episodes(tmp_path / "a")


def test_rollouts_and_demonstrations_without_success_or_rewards_are_written_together(tmp_path, capsys) -> None:
    rollouts = [random_episode(5, k, success=k == 0) for k in range(2)]
    demos = [replace(random_episode(6, 7), success=None, rewards=None)]
    write_episodes(tmp_path / "rollouts.hdf5", rollouts, {"fps": 10})
    write_episodes(tmp_path / "demos.hdf5", demos, {"fps": 10})
    (tmp_path / "list.txt").write_text("rollouts.hdf5 0,1\ndemos.hdf5 0\n")
    export_data(tmp_path / "list.txt", tmp_path / "new", "lerobot")
    assert not {"next.success", "next.reward"} & info_of(tmp_path / "new")["features"].keys()
    assert [episode.success for episode in read_episodes(tmp_path / "new")] == [True, False, None]
    err = capsys.readouterr().err
    for column in ("next.success", "next.reward"):
        assert f"{tmp_path / 'new'}: without the column {column}: 1 of 3 episodes have none\n" in err


def test_what_differs_is_named_by_file_and_episode(tmp_path) -> None:
    write_episodes(tmp_path / "a.hdf5", [random_episode(5, k) for k in range(2)], {"fps": 10})
    other = random_episode(5, 9)
    write_episodes(tmp_path / "b.hdf5", [replace(other, actions=other.actions.astype(np.float64))], {"fps": 10})
    (tmp_path / "list.txt").write_text("a.hdf5 1\nb.hdf5 0\n")
    with one_line_error(f"{tmp_path / 'b.hdf5'} episode 0: action is float64", f"in {tmp_path / 'a.hdf5'} episode 1"):
        export_data(tmp_path / "list.txt", tmp_path / "new", "lerobot")


def test_robomimic_names_what_it_does_not_read(tmp_path, capsys) -> None:
    def change(group: h5py.Group) -> None:
        n = len(group["actions"])
        group["states"], group["next_obs/state"] = np.zeros((n, 9)), np.zeros((n, 4))
        group.attrs["model_file"] = "<mujoco/>"
        group.create_dataset("obs/lang", data=["cup"] * n, dtype=h5py.string_dtype())

    source = robomimic(tmp_path / "a.hdf5", change)
    with h5py.File(source, "r+") as file:
        file["notes"], file["mask/train"], file["data"].attrs["date"] = [1.0], np.array([b"demo_0"]), "today"
    not_read = ["notes (float64 ())", "date (attribute)", "observation.lang (text)", "next_obs (group)"]
    assert inspect(source).not_read == [*not_read, "states (float64 (9,))", "model_file (attribute)"]
    assert inspect(source).problems == []
    export_data(source, tmp_path / "b", "lerobot")
    assert ", ".join(not_read) in (err := capsys.readouterr().err)
    assert "filter keys train" in err


def test_text_alone_beside_cameras_is_left_out(tmp_path) -> None:
    def change(group: h5py.Group) -> None:
        n = len(group["actions"])
        del group["obs"]
        group["obs/cam"] = np.random.default_rng(n).integers(0, 255, (n, 16, 16, 3), np.uint8)
        group.create_dataset("obs/lang", data=[b"cup"] * n)

    source = robomimic(tmp_path / "a.hdf5", change)
    assert (inspect(source).not_read, inspect(source).problems) == (["observation.lang (text)"], [])
    assert export_data(source, tmp_path / "b", "lerobot", images="image") == 2


def test_aloha_names_the_base_and_all_else(tmp_path) -> None:
    write_aloha(tmp_path / "a", [random_episode(5, 0)])
    with h5py.File(tmp_path / "a/episode_0.hdf5", "r+") as file:
        file["base_action"], file["compress_len"] = np.zeros((5, 2)), np.zeros((1, 5))
        file.attrs["operator"] = "me"
        file.create_dataset("observations/words", data=["cup"] * 5, dtype=h5py.string_dtype())
    named = ["observation.words (text)", "base_action (float64 (2,))", "operator (attribute)"]
    assert open_dataset(tmp_path / "a").not_read() == named

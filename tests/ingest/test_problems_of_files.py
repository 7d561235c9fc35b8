"""Bad data: episodes and files that are missing, cut, or not as many as the data set says are found."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from bad_data import IMAGE, LEROBOT, assert_one, change, found, part, written
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.labels import Label
from demo_score.ingest.problems import Problem, find_problems, settle, usable
from lerobot_fixture import write_lerobot


def test_parts_of_one_data_set_tell_of_it_once(tmp_path) -> None:
    path = written(tmp_path, "v3.0")
    count_episodes(path, 9)
    assert len(find_problems([part(path, [0, 1]), part(path, [2])])) == 1


def count_episodes(path: Path, count: int) -> None:
    info = json.loads((path / "meta/info.json").read_text())
    (path / "meta/info.json").write_text(json.dumps(info | {"total_episodes": count}))


@pytest.mark.parametrize("version", LEROBOT)
def test_other_count_than_the_data_set_says_is_found(tmp_path, version, capfd) -> None:
    path = written(tmp_path, version)
    count_episodes(path, 5)
    assert found(path) == [f"{path}: meta/info.json counts 5 episodes, but 4 are listed in meta/episodes"]
    kept, _ = settle([part(path)], "skip")
    assert kept == [replace(part(path), dataset=kept[0].dataset)]
    assert capfd.readouterr().err.startswith(f"ignored: {path}")


def test_labels_of_other_episodes_are_found(tmp_path) -> None:
    path, labels = written(tmp_path, "robomimic"), tmp_path / "labels.csv"
    supplied = {0: Label(True), 7: Label(False), 4: Label(True)}
    (problem,) = find_problems([part(path, labels=supplied, labels_file=labels)])
    assert problem == Problem(labels, None, f"labels episodes that {path} does not have: 4, 7")


def test_labels_of_other_episodes_in_a_folder_of_aloha_are_found(tmp_path) -> None:
    path = written(tmp_path, "aloha")
    (path / "episode_2.hdf5").unlink()
    assert found(path) == [f"{path / 'labels.csv'}: labels episodes that {path} does not have: 2"]


def test_episodes_that_are_not_there_are_found(tmp_path) -> None:
    path = written(tmp_path, "robomimic")
    problems = find_problems([part(path, [0, 8])])
    assert [(problem.episode, problem.what) for problem in problems] == [
        (8, "has no episode 8; it holds 4 episodes, numbered from 0")
    ]


def test_data_set_without_episodes_is_found(tmp_path) -> None:
    path = tmp_path / "none.hdf5"
    write_episodes(path, [], {})
    assert found(path) == [f"{path}: holds no episode"]


@pytest.mark.parametrize("share", [None, 0.5])
@pytest.mark.parametrize("name", ["data/chunk-000/episode_000002.parquet", "videos/chunk-000/{}/episode_000002.mp4"])
def test_missing_and_truncated_files_of_lerobot_are_found(tmp_path, name, share) -> None:
    path = written(tmp_path, "v2.1")
    cut(path / name.format(IMAGE), share)
    assert_one(path, 2, name.format(IMAGE), "download the data set again")


def cut(path: Path, share: float | None) -> None:
    content = path.read_bytes()
    path.unlink()
    if share is not None:
        path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize("name", ["data/chunk-000/file-001.parquet", "videos/{}/chunk-000/file-001.mp4"])
def test_all_episodes_of_a_shared_file_are_found(tmp_path, name) -> None:
    path = written(tmp_path, "v3.0")
    cut(path / name.format(IMAGE), 0.5)
    problems = find_problems([part(path)])
    assert [problem.episode for problem in problems] == [2, 3]
    assert usable([part(path)], problems)[0].episode_indices == [0, 1]


def test_video_that_ends_too_early_is_found(tmp_path) -> None:
    path, other = written(tmp_path, "v2.1"), write_lerobot(tmp_path / "other", "v2.1", 4, 8, images={IMAGE: (48, 64)})
    name = f"videos/chunk-000/{IMAGE}/episode_000002.mp4"
    (path / name).write_bytes((other / name).read_bytes())
    assert_one(path, 2, name, "has no frame at 1.1000 s")
    assert find_problems([part(path)], images=False) == []


@pytest.mark.parametrize("number", [0, 2])
def test_truncated_aloha_files_are_found(tmp_path, number) -> None:
    path = written(tmp_path, "aloha")
    cut(path / f"episode_{number}.hdf5", 0.5)
    assert_one(path, number, f"episode_{number}.hdf5", "truncated")


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("name", ["actions", "obs"])
def test_missing_arrays_of_robomimic_are_found(tmp_path, number, name) -> None:
    path = written(tmp_path, "robomimic")
    with h5py.File(path, "r+") as file:
        del file[f"data/demo_{number}/{name}"]
    assert_one(path, number, name)


def test_other_lengths_than_num_samples_are_found(tmp_path) -> None:
    path = written(tmp_path, "robomimic")
    change(path, "robomimic", 2, "action", lambda values: values[:4])
    assert_one(path, 2, "num_samples=6")


def test_every_episode_that_can_be_read_is_visited(tmp_path) -> None:
    path = written(tmp_path, "aloha")
    (path / "episode_2.hdf5").write_bytes(b"")
    seen: list[int] = []
    find_problems([part(path)], visit=lambda number, episode: seen.append(number))
    assert seen == [0, 1, 3]

"""Bad data: each kind in each format is found, named, and refused or skipped as chosen; folders have spaces."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from bad_data import HDF5, IMAGE, LEROBOT, STATE, assert_one, change, found, part, spoil, written
from conftest import one_line_error, random_episode
from demo_score.data.formats import open_dataset
from demo_score.ingest.problems import Problem, find_problems, settle
from pyarrow import parquet


def shorten(folder: Path, number: int, length: int) -> None:
    """Leave the first frames of an episode of v2.1."""
    path = folder / f"data/chunk-000/episode_{number:06d}.parquet"
    parquet.write_table(parquet.read_table(path).slice(0, length), path)
    lines = [json.loads(line) for line in (folder / "meta/episodes.jsonl").read_text().splitlines()]
    lines[number]["length"] = length
    (folder / "meta/episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("kind", [*HDF5, *LEROBOT])
def test_nothing_is_found_in_good_data(tmp_path, kind, capfd) -> None:
    parts = [part(written(tmp_path, kind))]
    for choice in ("refuse", "skip"):
        assert settle(parts, choice) == (parts, [])
    assert capfd.readouterr().err == ""


def test_every_problem_is_told_whether_refused_or_skipped(tmp_path, capfd) -> None:
    path = written(tmp_path, "robomimic")
    for number, key in [(1, "action"), (2, STATE)]:
        change(path, "robomimic", number, key, spoil)
    lines = [f"{path} episode 1: action holds NaN", f"{path} episode 2: {STATE} holds NaN"]
    with one_line_error("2 problems", "--problems skip"):
        settle([part(path)], "refuse")
    refused = capfd.readouterr().err.splitlines()
    kept, _ = settle([part(path)], "skip")
    skipped = capfd.readouterr().err.splitlines()
    assert [line.startswith(start) for line, start in zip(refused, lines, strict=True)] == [True, True]
    assert skipped == [f"skipped: {line}" for line in refused]
    assert kept[0].episode_indices == [0, 3]


def test_problems_known_before_count_too(tmp_path) -> None:
    path = written(tmp_path, "robomimic")
    change(path, "robomimic", 1, "action", spoil)
    known = [*find_problems([part(path)]), Problem(path, 3, "names no checkpoint")]
    with one_line_error("2 problems"):
        settle([part(path)], "refuse", known)
    kept, problems = settle([part(path)], "skip", known)
    assert (kept[0].episode_indices, problems) == ([0, 2], known)


def test_unknown_choice_is_reported_with_those_there_are(tmp_path) -> None:
    with one_line_error("problems=ignore", "refuse, skip"):
        settle([part(written(tmp_path, "robomimic"))], "ignore")


def test_skipping_everything_is_refused(tmp_path) -> None:
    path = written(tmp_path, "robomimic", [random_episode(1, seed) for seed in range(2)])
    with one_line_error("every episode"):
        settle([part(path)], "skip")


@pytest.mark.parametrize("kind", [*HDF5, *LEROBOT])
@pytest.mark.parametrize("key", [STATE, "action"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_values_that_are_no_numbers_are_found_by_key(tmp_path, kind, key, value) -> None:
    path = written(tmp_path, kind)
    change(path, kind, 2, key, lambda values: spoil(values, value))
    assert_one(path, 2, f"{key} holds NaN or infinite values")


def test_all_keys_with_values_that_are_no_numbers_stand_in_one_line(tmp_path) -> None:
    path = written(tmp_path, "aloha")
    change(path, "aloha", 2, STATE, spoil)
    change(path, "aloha", 2, "action", spoil)
    assert_one(path, 2, f"action and {STATE} hold NaN")


@pytest.mark.parametrize("kind", HDF5)
@pytest.mark.parametrize(("length", "words"), [(0, "has 0 frames"), (1, "has 1 frame:")])
def test_episodes_too_short_to_learn_from_are_found(tmp_path, kind, length, words) -> None:
    path = written(tmp_path, kind, [random_episode(length if seed == 1 else 6, seed) for seed in range(4)])
    assert_one(path, 1, words)


@pytest.mark.parametrize(("length", "words"), [(0, "has 0 frames"), (1, "has 1 frame:")])
def test_lerobot_episodes_too_short_to_learn_from_are_found(tmp_path, length, words) -> None:
    path = written(tmp_path, "v2.1", results=False)
    shorten(path, 1, length)
    assert_one(path, 1, words)


@pytest.mark.parametrize("kind", HDF5)
@pytest.mark.parametrize("key", [STATE, "action"])
def test_other_widths_are_found_with_both(tmp_path, kind, key) -> None:
    path = written(tmp_path, kind)
    change(path, kind, 2, key, lambda values: values[:, :7])
    assert_one(path, 2, f"{key} has width 7, but width 14 in most episodes")


def test_what_most_episodes_have_decides_not_the_first(tmp_path) -> None:
    path = written(tmp_path, "robomimic")
    change(path, "robomimic", 0, "action", lambda values: values[:, :7])
    assert_one(path, 0, "action has width 7")


@pytest.mark.parametrize("version", LEROBOT)
def test_other_widths_of_a_lerobot_data_set_are_found(tmp_path, version) -> None:
    path = written(tmp_path, version, converted=True, episodes_per_file=1)
    name = {"v2.1": "episode_000002", "v3.0": "file-002"}[version]
    file = path / f"data/chunk-000/{name}.parquet"
    table = parquet.read_table(file)
    column = pa.array([[1.0, 2.0, 3.0]] * len(table), pa.list_(pa.float32()))
    parquet.write_table(table.set_column(table.column_names.index("action"), "action", column), file)
    assert_one(path, 2, file.name, "damaged")


def test_missing_and_additional_keys_are_found(tmp_path) -> None:
    episodes = [random_episode(6, seed) for seed in range(5)]
    del episodes[1].observations["observation.environment_state"]
    episodes[3].observations["observation.force"] = np.zeros((6, 3), np.float32)
    path = written(tmp_path, "robomimic", episodes)
    assert found(path) == [
        f"{path} episode 1: has no observation.environment_state, which most episodes have",
        f"{path} episode 3: has observation.force, which most episodes have not",
    ]


def test_keys_that_are_not_used_need_not_agree(tmp_path) -> None:
    episodes = [random_episode(6, seed) for seed in range(3)]
    episodes[1].observations["observation.force"] = np.full((6, 3), np.nan)
    assert find_problems([part(written(tmp_path, "robomimic", episodes), keys=[STATE])]) == []


@pytest.mark.parametrize("kind", [*HDF5, *LEROBOT])
def test_second_of_two_equal_episodes_is_found(tmp_path, kind) -> None:
    path = written(tmp_path, kind)
    stored = list(open_dataset(path).read(keys=[STATE]))
    change(path, kind, 3, "action", lambda values: stored[1].actions)
    assert found(path) == []
    change(path, kind, 3, STATE, lambda values: stored[1].observations[STATE])
    if kind in HDF5:
        copy_rest(path, kind)
    assert_one(path, 3, f"is the same as episode 1 of {path}")


def copy_rest(path: Path, kind: str) -> None:
    """Make episode 3's poses of objects those of episode 1 as well."""
    name = "observations/environment_state" if kind == "aloha" else "obs/environment_state"
    files = [path / f"episode_{number}.hdf5" if kind == "aloha" else path for number in (1, 3)]
    groups = ["/" if kind == "aloha" else f"data/demo_{number}" for number in (1, 3)]
    with h5py.File(files[0]) as file:
        values = file[groups[0]][name][()]
    with h5py.File(files[1], "r+") as file:
        file[groups[1]][name][...] = values


def test_equal_episodes_of_two_formats_are_found(tmp_path) -> None:
    episodes = [random_episode(6, seed) for seed in range(4)]
    wider = replace(episodes[2], actions=episodes[2].actions.astype(np.float64))
    first, second = written(tmp_path, "robomimic", episodes), written(tmp_path, "aloha", [random_episode(6, 9), wider])
    assert found(first, second) == [f"{second} episode 1: is the same as episode 2 of {first}"]


def test_episodes_of_images_alone_are_told_apart_by_them(tmp_path) -> None:
    images = [np.full((6, 8, 8, 3), shade, np.uint8) for shade in (0, 1, 0)]
    episodes = [replace(random_episode(6), observations={IMAGE: values}) for values in images]
    path = written(tmp_path, "robomimic", episodes)
    assert found(path) == [f"{path} episode 2: is the same as episode 0 of {path}"]


def test_a_good_copy_of_a_bad_episode_stays(tmp_path) -> None:
    path = written(tmp_path, "v2.1")
    stored = next(open_dataset(path).read([1], [STATE]))
    change(path, "v2.1", 3, "action", lambda values: stored.actions)
    change(path, "v2.1", 3, STATE, lambda values: stored.observations[STATE])
    (path / f"videos/chunk-000/{IMAGE}/episode_000001.mp4").unlink()
    assert_one(path, 1, "no such file")


def test_an_episode_given_twice_is_refused(tmp_path) -> None:
    path = written(tmp_path, "robomimic")
    with one_line_error(path, "episode 1 is listed twice"):
        find_problems([part(path, [0, 1]), part(path, [1])])


@pytest.mark.parametrize("kind", HDF5)
def test_what_the_first_episode_lacks_can_be_read_of_the_others(tmp_path, kind) -> None:
    episodes = [random_episode(6, seed) for seed in range(3)]
    del episodes[0].observations["observation.environment_state"]
    dataset = open_dataset(written(tmp_path, kind, episodes))
    assert len(list(dataset.read([1, 2], ["observation.environment_state"]))) == 2


def test_actions_that_are_no_real_numbers_are_found(tmp_path) -> None:
    path = written(tmp_path, "robomimic")
    with h5py.File(path, "r+") as file:
        for group in file["data"].values():
            values = group["actions"][()]
            del group["actions"]
            group["actions"] = values.astype(complex)
    assert all("action holds complex" in what for what in found(path))
    assert found(path)

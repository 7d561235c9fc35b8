"""LeRobot data sets that are not as they should be: one line tells of each, and other episodes can be read."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import one_line_error
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from lerobot_fixture import write_lerobot
from pyarrow import parquet

STATE, IMAGE = "observation.state", "observation.image"
SIZE = (48, 64)
VERSIONS = ["v3.0", "v2.1"]


def written(folder: Path, **options) -> Path:
    return write_lerobot(folder / "data set", **{"n_episodes": 3, "images": {IMAGE: SIZE}, **options})


def read(folder: Path, keys: tuple[str, ...] = (STATE, IMAGE), indices: list[int] | None = None) -> list[Episode]:
    return list(open_dataset(folder).read(indices, keys))


def change_table(folder: Path, name: str, change: Callable[[pa.Table], pa.Table]) -> Path:
    """Change a parquet file, which is returned."""
    (path,) = folder.glob(name)
    parquet.write_table(change(parquet.read_table(path)), path)
    return path


def set_cell(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    values = table[column].to_pylist()
    values[row] = value
    return table.set_column(table.column_names.index(column), column, pa.array(values, table.schema.field(column).type))


def change_episode(folder: Path, number: int, **changes) -> None:
    """Change what meta/episodes tells of an episode: None is null, where it can be."""
    if (path := folder / "meta/episodes.jsonl").is_file():
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows[number] |= changes
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return
    for name, value in changes.items():
        change_table(folder, "meta/episodes/*/*", lambda table: set_cell(table, name, number, value))  # noqa: B023


def assert_only_episode_1_is_bad(folder: Path, *parts: object) -> None:
    with one_line_error(*parts):
        read(folder, indices=[1])
    assert len(read(folder, indices=[0, 2])) == 2


START = f"videos/{IMAGE}/from_timestamp"


@pytest.mark.parametrize("start", [None, np.nan])
def test_episode_without_its_place_in_a_video_is_reported_as_others_would_be_shown(tmp_path, start) -> None:
    folder = written(tmp_path)
    change_episode(folder, 1, **{START: start})
    assert_only_episode_1_is_bad(folder, folder / "meta/episodes", "episode 1", START)
    change_table(folder, "meta/episodes/*/*", lambda table: table.drop_columns([START]))
    with one_line_error(folder / "meta/episodes", "episode 0", START):
        read(folder)
    assert len(read(folder, (STATE,))) == 3


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("length", [None, -1, 2**50])
def test_length_that_is_none_is_reported_with_its_episode(tmp_path, version, length) -> None:
    folder = written(tmp_path, version=version)
    change_episode(folder, 1, length=length)
    assert_only_episode_1_is_bad(folder, "episode 1")


@pytest.mark.parametrize("length", [1.5, "12", True, [12]])
def test_length_of_another_type_is_reported_with_its_episode(tmp_path, length) -> None:
    folder = written(tmp_path, version="v2.1")
    change_episode(folder, 1, length=length)
    assert_only_episode_1_is_bad(folder, folder / "meta/episodes.jsonl", "episode 1 has no length")


@pytest.mark.parametrize("changes", [{"tasks": 3}, {"success": "no"}, {"seed": "x"}, {"seed": [1, 2]}])
def test_row_of_an_episode_with_what_cannot_be_is_reported(tmp_path, changes) -> None:
    folder = written(tmp_path, version="v2.1", results=False)
    change_episode(folder, 1, **changes)
    assert_only_episode_1_is_bad(folder, "episode 1")


@pytest.mark.parametrize("number", [None, -1, 0.5, "1", True])
def test_number_of_an_episode_that_is_none_is_reported(tmp_path, number) -> None:
    folder = written(tmp_path, version="v2.1")
    change_episode(folder, 1, episode_index=number)
    with one_line_error(folder / "meta/episodes.jsonl", "numbers"):
        read(folder)


@pytest.mark.parametrize("line", ["[1]", "", "3", "{}"])
def test_line_that_tells_of_no_episode_is_reported(tmp_path, line) -> None:
    folder = written(tmp_path, version="v2.1")
    with (folder / "meta/episodes.jsonl").open("a") as file:
        file.write(line + "\n")
    with one_line_error(folder / "meta/episodes.jsonl", "damaged"):
        read(folder)


@pytest.mark.parametrize("version", VERSIONS)
def test_episode_that_is_listed_twice_is_reported(tmp_path, version) -> None:
    folder = written(tmp_path, version=version)
    change_episode(folder, 1, episode_index=2)
    with one_line_error(folder / "meta/episodes", "lists episode 2 twice"):
        read(folder)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_episode_without_a_frame_is_read_as_such(tmp_path, checkpoint) -> None:
    folder = written(tmp_path, version="v2.1")
    change_episode(folder, 1, length=0)

    def empty(table: pa.Table) -> pa.Table:
        added = table.append_column("checkpoint", pa.array(["003000"] * len(table))) if checkpoint else table
        return added.slice(0, 0)

    change_table(folder, "data/*/episode_000001.parquet", empty)
    (episode,) = read(folder, indices=[1])
    assert (len(episode), episode.success, episode.checkpoint) == (0, None, None)
    assert episode.observations[IMAGE].shape == (0, *SIZE, 3) and episode.observations[IMAGE].identity()


@pytest.mark.parametrize("column", ["frame_index", "episode_index", "timestamp", "action", STATE])
def test_missing_column_and_missing_value_are_reported(tmp_path, column) -> None:
    folder = written(tmp_path, version="v2.1")
    name = "data/*/episode_000001.parquet"
    path = change_table(folder, name, lambda table: set_cell(table, column, 3, None))
    assert_only_episode_1_is_bad(folder, path, "episode 1")
    change_table(folder, name, lambda table: table.drop_columns([column]))
    assert_only_episode_1_is_bad(folder, path, "episode 1", column)


@pytest.mark.parametrize("column", ["action", "timestamp", "next.reward", IMAGE])
def test_column_of_another_kind_is_reported(tmp_path, column) -> None:
    folder = written(tmp_path, version="v2.1", video=column != IMAGE)
    words = pa.array(["words"] * 12)
    path = change_table(
        folder, "data/*/episode_000001.parquet", lambda table: table.drop_columns([column]).append_column(column, words)
    )
    assert_only_episode_1_is_bad(folder, path, "episode 1")


@pytest.mark.parametrize(
    "changes",
    [
        {"features": []},
        {"features": {"action": []}},
        {"features": {"action": {"shape": [2]}}},
        {"features": {"action": {"dtype": "float32"}}},
        {"features": {"action": {"dtype": "float32", "shape": 2}}},
        {"features": {"action": {"dtype": "float32", "shape": [-2]}}},
        {"features": {IMAGE: {"dtype": "video", "shape": [48]}}},
        {"fps": "10"},
        {"fps": 0},
        {"fps": float("nan")},
        {"total_episodes": None},
        {"data_path": 3},
        {"data_path": "{0}"},
        {"chunks_size": 0},
        {"video_path": None},
    ],
    ids=str,
)
def test_description_that_cannot_be_is_reported(tmp_path, changes) -> None:
    folder = written(tmp_path, version="v2.1")
    path = folder / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with one_line_error(path, "damaged"):
        read(folder)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("data/*/*", b"frame_index", b"\xfframe_index"),  # UnicodeDecodeError of pyarrow's
        ("videos/**/*.mp4", b"VideoHandler", b"\x96ideoHandler"),  # and of PyAV's
        ("videos/**/*.mp4", b"av01", b"zzzz"),  # a stream without a codec
    ],
)
def test_file_with_bytes_overwritten_is_reported(tmp_path, kind, old, new) -> None:
    folder = written(tmp_path, version="v2.1", codec="libsvtav1", options={"g": "2"})
    path = sorted(folder.glob(kind))[0]
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    with one_line_error(path, "damaged"):
        read(folder)[0].observations[IMAGE][:]


def without_outcomes(folder: Path) -> Path:
    """A data set whose frames tell no success."""
    for path in folder.glob("data/*/*"):
        parquet.write_table(parquet.read_table(path).drop_columns(["next.success"]), path)
    return folder


@pytest.mark.parametrize("values", [[1.0, np.nan, 0.0], [True, None, False], ["true", "", "0"], [1, None, 0]])
def test_success_by_episode_is_true_false_or_unknown(tmp_path, values) -> None:
    folder = without_outcomes(written(tmp_path))
    change_table(folder, "meta/episodes/*/*", lambda table: table.append_column("success", pa.array(values)))
    assert [episode.success for episode in read(folder, ())] == [True, None, False]


@pytest.mark.parametrize("value", [-1.0, 0.3, 2.0])
def test_success_that_is_neither_is_named(tmp_path, value) -> None:
    folder = without_outcomes(written(tmp_path))
    column = pa.array([1.0, value, 0.0])
    change_table(folder, "meta/episodes/*/*", lambda table: table.append_column("success", column))
    assert_only_episode_1_is_bad(folder, "episode 1", f"success is {value}")


def test_success_of_frames_that_is_not_a_number_is_unknown(tmp_path) -> None:
    folder = written(tmp_path)

    def judge(table: pa.Table) -> pa.Table:
        column = pa.array([np.nan if episode == 1 else 1.0 for episode in table["episode_index"].to_pylist()])
        return table.set_column(table.column_names.index("next.success"), "next.success", column)

    for path in folder.glob("data/*/*"):
        parquet.write_table(judge(parquet.read_table(path)), path)
    assert [episode.success for episode in read(folder, ())] == [True, None, True]


def test_checkpoints_that_became_floats_are_whole_again(tmp_path) -> None:
    folder = written(tmp_path)
    column = pa.array([3000.0, None, 4000.0])
    change_table(folder, "meta/episodes/*/*", lambda table: table.append_column("checkpoint", column))
    assert [episode.checkpoint for episode in read(folder, ())] == ["003000", None, "004000"]

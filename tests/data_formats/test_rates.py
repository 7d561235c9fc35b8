"""Frames a second: what a data set says, what its time stamps show, what is asked for; and rows by their place."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats import open_dataset, read_episodes
from demo_score.data.formats.robomimic import RobomimicFile, write_episodes
from demo_score.data.lists import write_list
from demo_score.data.rates import contradicts, look_at
from demo_score.ingest.conversion import export_data, import_data
from demo_score.ingest.inspection import inspect
from demo_score.ingest.problems import Part, find_problems
from demo_score.training.sources import training_episodes
from omegaconf import OmegaConf
from places import TESTS
from pyarrow import parquet

DEMONSTRATIONS = TESTS / "data/bring_your_own/demonstrations"  # 24 episodes at 10 frames a second
ROWS, EPISODES = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"
Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def demonstrations(tmp_path: Path) -> Path:
    return shutil.copytree(DEMONSTRATIONS, tmp_path / "demos")


def set_column(path: Path, name: str, values: np.ndarray) -> None:
    table = parquet.read_table(path)
    column = pa.array(values, table.schema.field(name).type)
    parquet.write_table(table.set_column(table.column_names.index(name), name, column), path)


def set_stamps(folder: Path, change: Change) -> None:
    """Time stamps as `change` makes them of frames' numbers."""
    set_column(folder / ROWS, "timestamp", change(np.array(parquet.read_table(folder / ROWS)["frame_index"])))


def set_info(folder: Path, **changes) -> None:
    path = folder / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def problems(folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}") for problem in inspect(folder).problems]


def stamps(folder: Path) -> np.ndarray:
    return parquet.read_table(folder / ROWS)["timestamp"].to_numpy()


def test_rate_that_time_stamps_contradict_is_named_once_a_data_set(demonstrations) -> None:
    set_info(demonstrations, fps=30)
    (line,) = problems(demonstrations)
    assert line.startswith(": time stamps are 0.1 s apart, but it says 30 frames a second (0.0333 s)")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda frames: frames / 10 + 3 * (frames >= 10),
            "time stamps leap by 3.1 s after frame 9, where 0.1 s is usual",
        ),
        (lambda frames: frames / 10 + 0.1 * (frames >= 4), "time stamps leap by 0.2 s after frame 3"),
        (lambda frames: frames * 0.0, "time stamps are all 0"),
        (lambda frames: np.minimum(frames, 7) / 10, "time stamps do not rise after frame 7"),
        (lambda frames: np.where(frames == 5, np.nan, frames / 10), "time stamps hold NaN"),
    ],
)
def test_gaps_and_stamps_that_cannot_be_are_named_once_a_data_set(demonstrations, change, words) -> None:
    set_stamps(demonstrations, change)
    (line,) = problems(demonstrations)
    assert line.startswith(f": in every episode, {words}")


def test_a_gap_in_one_episode_is_named_with_it(demonstrations) -> None:
    table = parquet.read_table(demonstrations / ROWS)
    later = (np.array(table["episode_index"]) == 4) & (np.array(table["frame_index"]) >= 6)
    set_column(demonstrations / ROWS, "timestamp", table["timestamp"].to_numpy() + 2.0 * later)
    (line,) = problems(demonstrations)
    assert line.startswith(" episode 4: time stamps leap by 2.1 s after frame 5")


def test_one_episode_of_another_rate_is_named_with_it(demonstrations) -> None:
    other = np.array(parquet.read_table(demonstrations / ROWS)["episode_index"]) == 4
    set_column(demonstrations / ROWS, "timestamp", stamps(demonstrations) * np.where(other, 2, 1))
    (line,) = problems(demonstrations)
    assert line.startswith(" episode 4: time stamps are 0.2 s apart, but it says 10 frames a second")


@pytest.mark.parametrize(
    "change",
    [
        lambda frames: frames / 10 + 0.03 * np.sin(frames),  # a recorder's clock
        lambda frames: 1000 + frames / 10,  # from any time on, in float32
        lambda frames: np.round(frames / 10.1, 2),
    ],
)
def test_stamps_that_waver_are_no_problem(demonstrations, change) -> None:
    set_stamps(demonstrations, change)
    assert problems(demonstrations) == []


def test_what_stamps_show() -> None:
    assert look_at(np.round(np.arange(300) / 60, 3)).step == pytest.approx(1 / 60, rel=1e-3)
    assert contradicts(1 / 28, 30) and not contradicts(1 / 30, 29.97)
    assert look_at(None) == look_at(np.zeros(1))


def test_the_rate_asked_for_holds_and_a_note_tells(demonstrations, tmp_path, capsys) -> None:
    set_info(demonstrations, fps=30)
    with one_line_error("1 problem"):
        export_data(demonstrations, tmp_path / "new", "lerobot")
    export_data(demonstrations, tmp_path / "new", "lerobot", fps=10)
    assert f"note: {demonstrations}: says 30 frames a second; written as 10" in capsys.readouterr().err
    assert open_dataset(tmp_path / "new").fps == 10
    np.testing.assert_array_equal(stamps(tmp_path / "new"), stamps(DEMONSTRATIONS))
    export_data(DEMONSTRATIONS, tmp_path / "ours.hdf5", "robomimic", fps=10)
    assert capsys.readouterr().err.count("note") == 0


def test_fractional_rates_are_read_trained_and_written_where_the_format_can(demonstrations, tmp_path) -> None:
    set_info(demonstrations, fps=29.97)
    set_stamps(demonstrations, lambda frames: frames / 29.97)
    assert (inspect(demonstrations).fps, problems(demonstrations)) == (29.97, [])
    with one_line_error("29.97", "--fps 30"):
        export_data(demonstrations, tmp_path / "new", "lerobot")
    export_data(demonstrations, tmp_path / "new", "lerobot", fps=30)
    assert (open_dataset(tmp_path / "new").fps, problems(tmp_path / "new")) == (30, [])
    import_data(demonstrations, tmp_path / "ours.hdf5")
    assert open_dataset(tmp_path / "ours.hdf5").fps == 29.97


@pytest.mark.parametrize("fps", [0, -5, float("nan"), float("inf")])
def test_a_rate_asked_for_that_is_none_is_refused(tmp_path, fps) -> None:
    with one_line_error(f"fps={fps:g}", "no rate"):
        export_data(DEMONSTRATIONS, tmp_path / "new", "robomimic", fps=fps)


@pytest.mark.parametrize(
    ("env_args", "fps"),
    [
        ({"env_name": "Lift", "env_kwargs": {"control_freq": 20}}, 20),
        ({"fps": 25, "env_kwargs": {"control_freq": 20}}, 25),
        ({"env_kwargs": {}}, None),
        ({}, None),
    ],
)
def test_rate_of_a_robomimic_file_is_one_wherever_it_is_asked_for(tmp_path, env_args, fps) -> None:
    write_episodes(tmp_path / "a.hdf5", [random_episode(4), random_episode(5, 1)], env_args)
    assert RobomimicFile(tmp_path / "a.hdf5").fps == inspect(tmp_path / "a.hdf5").fps == fps
    settings = training(tmp_path / "a.hdf5", env_fps=50)
    if fps is None:
        assert len(training_episodes(settings)) == 2
        return
    with one_line_error(f"recorded at {fps} frames a second", "env.fps=50"):
        training_episodes(settings)
    export_data(tmp_path / "a.hdf5", tmp_path / "set", "lerobot")
    assert open_dataset(tmp_path / "set").fps == fps


@pytest.mark.parametrize("env_args", [{"fps": "20"}, {"fps": 0}, {"env_kwargs": {"control_freq": [20]}}, {"fps": True}])
def test_rate_of_a_robomimic_file_that_is_none_is_named(tmp_path, env_args) -> None:
    write_episodes(tmp_path / "a.hdf5", [random_episode(4)], env_args)
    with one_line_error("a.hdf5", "is no rate"):
        inspect(tmp_path / "a.hdf5")


def training(source: Path, env_fps: float | None = None):
    """Settings of a training on all episodes of a source."""
    policy = {"input_shapes": {"observation.state": [14]}}
    env = {} if env_fps is None else {"fps": env_fps}
    return OmegaConf.create({"policy": policy, "env": env, "video_backend": "pyav", "datasets_file": str(source)})


def test_training_is_not_misled_by_the_rate_that_is_written(demonstrations) -> None:
    set_info(demonstrations, fps=30)
    with one_line_error("time stamps are 0.1 s apart", "30 frames a second"):
        training_episodes(training(demonstrations, env_fps=30))


def test_sources_of_different_rates_are_not_mixed(demonstrations, tmp_path) -> None:
    write_episodes(tmp_path / "a.hdf5", [random_episode(6)], {"fps": 20})
    write_list(tmp_path / "list.txt", {tmp_path / "a.hdf5": [0], demonstrations: [0]})
    with one_line_error("10 and 20 frames a second"):
        training_episodes(training(tmp_path / "list.txt"))
    parts = [
        Part(data, data.episode_indices[:1], kind=path)
        for path in ("a.hdf5", "demos")
        for data in [open_dataset(tmp_path / path)]
    ]
    (problem,) = find_problems(parts)
    assert (
        str(problem)
        == f"{demonstrations}: has 10 frames a second, but {tmp_path / 'a.hdf5'} 20; take sources of one rate"
    )


def trim(folder: Path, keep: Change) -> None:
    """Leave some frames of each episode, numbers and time stamps as they were."""
    table = parquet.read_table(folder / ROWS)
    table = table.filter(pa.array(keep(np.array(table["frame_index"]))))
    parquet.write_table(table, folder / ROWS)
    set_column(folder / ROWS, "index", np.arange(len(table)))
    lengths = np.bincount(np.array(table["episode_index"]))
    for name, values in [("length", lengths), ("dataset_to_index", lengths.cumsum())]:
        set_column(folder / EPISODES, name, values)
    set_column(folder / EPISODES, "dataset_from_index", lengths.cumsum() - lengths)


def test_episodes_without_their_first_frames_are_read_as_lerobot_reads_them(demonstrations) -> None:
    trim(demonstrations, lambda frames: frames >= 5)
    assert problems(demonstrations) == []
    for whole, trimmed in zip(read_episodes(DEMONSTRATIONS), read_episodes(demonstrations), strict=True):
        np.testing.assert_array_equal(trimmed.actions, whole.actions[5:])
        assert trimmed.times[0] == pytest.approx(0.5)


def test_episodes_without_frames_in_between_are_read_and_the_gap_is_named(demonstrations) -> None:
    trim(demonstrations, lambda frames: (frames < 5) | (frames > 7))
    (line,) = problems(demonstrations)
    assert line.startswith(": in every episode, time stamps leap by 0.4 s after frame 4")


def test_frames_that_are_missing_are_named_where_time_stamps_hide_it(demonstrations) -> None:
    frames = np.array(parquet.read_table(demonstrations / ROWS)["frame_index"])
    set_column(demonstrations / ROWS, "frame_index", frames + 3 * (frames >= 5))
    (line,) = problems(demonstrations)
    assert line.startswith(": in every episode, frame_index leaps from 4 to 8, where no time stamp does")


def test_rows_out_of_their_order_are_not_called_damaged(demonstrations) -> None:
    table = parquet.read_table(demonstrations / ROWS)
    parquet.write_table(table.take([1, 0, *range(2, len(table))]), demonstrations / ROWS)
    (line,) = problems(demonstrations)
    assert "episode 0: its rows are not in the order of frame_index" in line and "damaged" not in line


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("dataset_from_index", -4, "dataset_from_index -4"),
        ("dataset_to_index", 2**40, "are no places among 620 rows"),
        ("dataset_from_index", 1, "are not its"),
        ("both", -3, "is a row of episode 1"),
    ],
)
def test_places_of_rows_that_cannot_be_are_named_with_their_episode(demonstrations, name, value, words) -> None:
    table = parquet.read_table(demonstrations / EPISODES)
    for column in ["dataset_from_index", "dataset_to_index"]:
        if name in (column, "both"):
            values = table[column].to_numpy().copy()
            values[2] = values[2] + value if name == "both" else value
            set_column(demonstrations / EPISODES, column, values)
    (line,) = problems(demonstrations)
    assert line.startswith(" episode 2: ") and words in line


@pytest.mark.parametrize(
    "template",
    [
        "../elsewhere/file-{file_index:03d}.parquet",
        "data/../../elsewhere.parquet",
        "/data/file-{file_index:03d}.parquet",
        "data/{chunk_index:999999999d}.parquet",
        "data/{chunk_index:{file_index}}.parquet",
        "data/{chunk_index.__class__}.parquet",
        "data/{chunk_index!r}.parquet",
        "data/{0}.parquet",
        "data/{",
    ],
)
@pytest.mark.parametrize("name", ["data_path", "video_path"])
def test_names_of_files_that_lead_elsewhere_or_expand_are_named(demonstrations, name, template) -> None:
    set_info(demonstrations, **{name: template})
    with one_line_error(demonstrations / "meta/info.json", name):
        open_dataset(demonstrations)

"""Dataset lists: which episodes of which files."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import Entry, all_episodes, check_distinct, read_entries, read_list, write_list
from demo_score.training.sources import training_episodes
from lerobot_fixture import write_lerobot
from omegaconf import DictConfig, OmegaConf
from places import SCRIPTS


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a folder" / "some demos.hdf5"
    write_episodes(path, [random_episode(3, seed=seed) for seed in range(5)], {})
    return path


def settings(**changes) -> DictConfig:
    policy = {"input_shapes": {"observation.state": [14]}}
    return OmegaConf.create({"policy": policy, "env": {"fps": 10}, "video_backend": "pyav", **changes})


def listed(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "list.txt").write_text(text)
    return folder / "list.txt"


def test_written_list_comes_back(tmp_path, source) -> None:
    other = tmp_path / "other.hdf5"
    write_episodes(other, [random_episode(2)], {})
    selection = {other: [0], source: [4, 0, 2]}
    write_list(tmp_path / "lists" / "list.txt", selection)
    assert read_list(tmp_path / "lists" / "list.txt") == selection
    assert list(read_list(tmp_path / "lists" / "list.txt")) == [other, source]


def test_written_paths_are_relative_to_the_list(tmp_path, source) -> None:
    write_list(tmp_path / "lists" / "list.txt", {source: [1, 3]})
    assert (tmp_path / "lists" / "list.txt").read_text() == "../a folder/some demos.hdf5 1,3\n"


def test_list_and_sources_can_be_moved_together(tmp_path, source) -> None:
    write_list(source.parent / "list.txt", {source: [1]})
    moved = tmp_path / "moved"
    source.parent.rename(moved)
    assert read_list(moved / "list.txt") == {moved / source.name: [1]}


def test_sources_without_an_episode_are_left_out(tmp_path, source) -> None:
    write_list(tmp_path / "list.txt", {tmp_path / "unused.hdf5": [], source: [0]})
    assert read_list(tmp_path / "list.txt") == {source: [0]}


def test_path_is_absolute_with_or_without_its_leading_slash(tmp_path, source) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert read_list(listed(elsewhere, f"{source} 2\n")) == {source: [2]}
    assert read_list(listed(elsewhere, f"{str(source).lstrip('/')} 2\n")) == {source: [2]}


def test_path_may_be_relative_to_the_working_directory(tmp_path, source, monkeypatch) -> None:
    monkeypatch.chdir(source.parent)
    assert read_list(listed(tmp_path / "elsewhere", f"{source.name} 0,1\n")) == {Path(source.name): [0, 1]}


def test_path_beside_the_list_comes_before_the_working_directory(tmp_path, source, monkeypatch) -> None:
    beside = tmp_path / "elsewhere" / source.name
    write_episodes(beside, [random_episode(3)], {})
    monkeypatch.chdir(source.parent)
    assert read_list(listed(beside.parent, f"{source.name} 0\n")) == {beside: [0]}


@pytest.mark.parametrize(
    "line",
    ["some demos.hdf5", "some demos.hdf5 ", "0,1", "some demos.hdf5 0,,1", "some demos.hdf5 0,x", "some demos.hdf5 -1"],
)
def test_malformed_line_is_reported_with_its_number(source, line) -> None:
    path = listed(source.parent, f"some demos.hdf5 0\n{line}\n")
    with one_line_error(f"{path}:2", "expected"):
        read_list(path)


def test_episode_listed_twice_is_reported(source) -> None:
    with one_line_error("list.txt:1", "distinct"):
        read_list(listed(source.parent, "some demos.hdf5 1,2,1\n"))


def test_source_listed_twice_is_reported(source) -> None:
    with one_line_error("list.txt:2", "listed twice"):
        read_list(listed(source.parent, "some demos.hdf5 1\n../a folder/some demos.hdf5 2\n"))


def test_missing_source_is_reported(source) -> None:
    with one_line_error("list.txt:1", "cannot find gone.hdf5"):
        read_list(listed(source.parent, "gone.hdf5 1\n"))


def test_a_list_is_no_data_set(source) -> None:
    path = listed(source.parent, "some demos.hdf5 1\n")
    with one_line_error(path, "no data set", "data sets that it names"):
        open_dataset(path)


def test_missing_list_is_reported(tmp_path) -> None:
    with one_line_error(tmp_path / "list.txt", "+datasets_file"):
        read_list(tmp_path / "list.txt")


def test_episodes_are_read_in_the_order_of_the_list(source) -> None:
    path = listed(source.parent, "\nsome demos.hdf5 3,0\n\n")
    assert [episode.seed for episode in training_episodes(settings(datasets_file=str(path)))] == [3, 0]


def test_list_of_an_episode_that_does_not_exist_is_reported(source) -> None:
    with one_line_error(source, "no episode 5"):
        training_episodes(settings(datasets_file=str(listed(source.parent, "some demos.hdf5 5\n"))))


def test_empty_list_has_nothing_to_train_on(tmp_path) -> None:
    path = listed(tmp_path, "")
    assert read_list(path) == {}
    with one_line_error(path, "no episode"):
        training_episodes(settings(datasets_file=str(path)))


def test_source_is_its_own_list(tmp_path, source) -> None:
    dataset = write_lerobot(tmp_path / "data set", n_episodes=3)
    assert read_list(source) == {source: [0, 1, 2, 3, 4]}
    assert read_list(dataset) == {dataset: [0, 1, 2]}
    assert all_episodes([dataset, source]) == {dataset: [0, 1, 2], source: [0, 1, 2, 3, 4]}
    assert [episode.seed for episode in training_episodes(settings(datasets_file=str(source)))] == [0, 1, 2, 3, 4]


def test_list_may_mix_episode_files_and_lerobot_folders(tmp_path, source) -> None:
    dataset = write_lerobot(tmp_path / "data set", n_episodes=3, state_dim=14)
    write_list(tmp_path / "list.txt", {dataset: [2, 0], source: [4]})
    assert (tmp_path / "list.txt").read_text() == "data set 2,0\na folder/some demos.hdf5 4\n"
    assert read_list(tmp_path / "list.txt") == {dataset: [2, 0], source: [4]}
    episodes = training_episodes(settings(datasets_file=str(tmp_path / "list.txt")))
    assert [(episode.seed, len(episode)) for episode in episodes] == [(2, 12), (0, 12), (4, 3)]


def test_data_set_is_what_dataset_repo_id_names_unless_there_is_a_list(tmp_path, source) -> None:
    dataset = str(write_lerobot(tmp_path / "data set", n_episodes=3, state_dim=14))
    assert len(training_episodes(settings(dataset_repo_id=dataset, datasets_file=None))) == 3
    assert len(training_episodes(settings(dataset_repo_id=dataset, datasets_file=str(source)))) == 5


@pytest.mark.parametrize("changes", [{}, {"dataset_repo_id": None, "datasets_file": None}])
def test_no_data_set_at_all_is_reported_with_both_settings(changes) -> None:
    with one_line_error("dataset_repo_id=", "+datasets_file="):
        training_episodes(settings(**changes))


def test_images_of_another_size_than_the_settings_are_reported(tmp_path) -> None:
    dataset = write_lerobot(tmp_path / "data set", images={"observation.image": (48, 64)}, video=False)
    with one_line_error("observation.image", "48x64", "96x96", "env.image_size"):
        policy = {"input_shapes": {"observation.image": [3, 96, 96]}}
        training_episodes(settings(dataset_repo_id=str(dataset), policy=policy))


@pytest.mark.parametrize(
    "line", ["some demos.hdf5 0, 1, 2", "\ufeffsome demos.hdf5  0,1,2 \r", "some demos.hdf5\t0 ,1,2"]
)
def test_blanks_and_marks_of_other_editors_change_nothing(source, line) -> None:
    assert read_list(listed(source.parent, f"{line}\n")) == {source: [0, 1, 2]}


def test_number_at_the_end_of_a_path_is_no_episode(tmp_path) -> None:
    write_episodes(tmp_path / "lab 2", [random_episode(3, seed=seed) for seed in range(3)], {})
    (tmp_path / "lab 2").rename(tmp_path / "lab 2.hdf5")
    assert read_list(listed(tmp_path, "lab 2.hdf5 0,2\n")) == {tmp_path / "lab 2.hdf5": [0, 2]}


def test_list_that_is_not_in_utf_8_is_reported_with_its_line(source) -> None:
    path = listed(source.parent, "")
    path.write_bytes(b"some demos.hdf5 0\nd\xe9mos.hdf5 1\n")
    with one_line_error(path, "UTF-8", "line 2"):
        read_list(path)


@pytest.mark.parametrize("cells", ["0,0.3,", "0,-1,", "0,maybe,", "-1,1,", "1.5,1,", ",1,"])
def test_row_of_a_table_that_means_nothing_is_reported_with_its_line(source, cells) -> None:
    path = source.parent / "table.csv"
    path.write_text(f"file,episode,success,checkpoint\nsome demos.hdf5,0,1,\nsome demos.hdf5,{cells}\n")
    with one_line_error(f"{path}:3"):
        read_entries(path)


def test_table_that_pandas_wrote_is_read(source) -> None:
    path = source.parent / "table.csv"
    path.write_text("file,episode,success,checkpoint\nsome demos.hdf5,0,1.0,3000.0\nsome demos.hdf5,3.0,,\n")
    entries = [(entry.episode, entry.success, entry.checkpoint) for entry in read_entries(path)]
    assert entries == [(0, True, "003000"), (3, None, None)]


def test_source_whose_name_ends_as_numbers_do_comes_back(tmp_path, source) -> None:
    odd = write_lerobot(tmp_path / "set 1, 2,")
    write_list(tmp_path / "list.txt", {odd: [0], source: [1]})
    assert read_list(tmp_path / "list.txt") == {odd: [0], source: [1]}


@pytest.mark.parametrize("numbers", ["1_0", "+1", "1,,2", "1,", "\uff11", "9" * 5000])
def test_what_only_python_takes_for_a_number_is_reported(source, numbers) -> None:
    with one_line_error("list.txt:1", "expected"):
        read_list(listed(source.parent, f"some demos.hdf5 {numbers}\n"))


def test_table_with_a_quote_that_does_not_end_is_reported_with_its_line(source) -> None:
    table = source.parent / "table.csv"
    table.write_text(f'file,episode\n{source.name},1\n"{source.name},3\n')
    with one_line_error(f"{table}:", "not a CSV table"):
        read_list(table)


def test_an_episode_is_given_twice_by_whichever_path(tmp_path, source) -> None:
    link = tmp_path / "link.hdf5"
    link.symlink_to(source)
    check_distinct([Entry(source, 0), Entry(link, 1)])
    with one_line_error(link, "episode 0", "twice"):
        check_distinct([Entry(source, 0), Entry(link, 0)])


def test_list_never_replaces_a_data_set(source) -> None:
    before = source.read_bytes()
    command = [sys.executable, SCRIPTS / "list_episodes.py", source, "--out", source]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, source.read_bytes()) == (2, before)
    assert run.stderr.count("\n") == 1 and "is an input" in run.stderr

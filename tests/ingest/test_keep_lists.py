"""Keep-lists as LeRobot, robomimic and users of ALOHA folders take them."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import RobomimicFile, write_episodes
from demo_score.data.lists import write_list
from demo_score.ingest.keep_lists import export_keep_list, lerobot_options, write_mask
from lerobot_fixture import write_lerobot
from places import SCRIPTS

SCRIPT = SCRIPTS / "export_list.py"


@pytest.fixture
def robomimic(tmp_path: Path) -> Path:
    """Twelve episodes, so that names do not sort like numbers, and a mask."""
    path = tmp_path / "robo" / "some demos.hdf5"
    write_episodes(path, [random_episode(3, seed=seed) for seed in range(12)], {})
    with h5py.File(path, "r+") as file:
        file["mask/train"] = np.array(["demo_1"], dtype="S")
    return path


@pytest.fixture
def sources(tmp_path: Path, robomimic: Path) -> list[Path]:
    """One source of each format."""
    write_aloha(tmp_path / "arms", [random_episode(3, seed=seed) for seed in range(3)])
    return [write_lerobot(tmp_path / "pusht", n_episodes=4), robomimic, tmp_path / "arms"]


def listed(folder: Path, selection: dict[Path, list[int]]) -> Path:
    write_list(folder / "kept.txt", selection)
    return folder / "kept.txt"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_options_of_lerobot_need_no_quotes(tmp_path) -> None:
    dataset = open_dataset(write_lerobot(tmp_path / "set", n_episodes=5))
    assert lerobot_options(dataset, [4, 0, 1]) == ("--dataset.episodes=[0,1,4]", "--dataset.episodes=[2,3]")
    assert lerobot_options(dataset, []) == ("--dataset.episodes=[]", "--dataset.episodes=[0,1,2,3,4]")
    with one_line_error(tmp_path / "set", "no episode 5"):
        lerobot_options(dataset, [0, 5])


def test_mask_holds_names_as_bytes_in_the_order_of_their_numbers(tmp_path, robomimic) -> None:
    write_mask(robomimic, [10, 2, 9], "good", tmp_path / "out/copy.hdf5")
    with h5py.File(tmp_path / "out/copy.hdf5") as file:
        assert list(file["mask/good"][()]) == [b"demo_2", b"demo_9", b"demo_10"]
        assert len(file["mask/good_dropped"]) == 9
        assert list(file["mask/train"][()]) == [b"demo_1"]
    dropped = [0, 1, 3, 4, 5, 6, 7, 8, 11]
    assert RobomimicFile(tmp_path / "out/copy.hdf5").filter_keys() == {
        "good": [2, 9, 10],
        "good_dropped": dropped,
        "train": [1],
    }


def test_mask_leaves_the_source_and_the_episodes_as_they_are(tmp_path, robomimic) -> None:
    before = robomimic.read_bytes()
    write_mask(robomimic, [3], "good", tmp_path / "copy.hdf5")
    assert robomimic.read_bytes() == before
    for old, new in zip(open_dataset(robomimic).read(), open_dataset(tmp_path / "copy.hdf5").read(), strict=True):
        np.testing.assert_array_equal(old.actions, new.actions)


def test_mask_names_groups_as_the_file_does(tmp_path, robomimic) -> None:
    with h5py.File(robomimic, "r+") as file:
        for name in list(file["data"]):
            file["data"].move(name, name.replace("demo", "rollout"))
    write_mask(robomimic, [11], "good", tmp_path / "copy.hdf5")
    with h5py.File(tmp_path / "copy.hdf5") as file:
        assert list(file["mask/good"][()]) == [b"rollout_11"]


def test_mask_of_nothing_is_empty(tmp_path, robomimic) -> None:
    write_mask(robomimic, [], "good", tmp_path / "copy.hdf5")
    with h5py.File(tmp_path / "copy.hdf5") as file:
        assert file["mask/good"].shape == (0,)
        assert len(file["mask/good_dropped"]) == 12


@pytest.mark.parametrize("taken", ["train", "good_dropped"])
def test_filter_key_that_exists_is_refused(tmp_path, robomimic, taken) -> None:
    with h5py.File(robomimic, "r+") as file:
        file["mask/good_dropped"] = np.array(["demo_1"], dtype="S")
    with one_line_error(robomimic, taken, "already"):
        write_mask(robomimic, [0], taken.removesuffix("_dropped"), tmp_path / "copy.hdf5")
    assert not (tmp_path / "copy.hdf5").exists()


@pytest.mark.parametrize("key", ["", "a/b", "."])
def test_filter_key_that_is_no_name_is_refused(tmp_path, robomimic, key) -> None:
    with one_line_error(f"'{key}'"):
        write_mask(robomimic, [0], key, tmp_path / "copy.hdf5")


def test_mask_is_never_written_into_its_source(tmp_path, robomimic) -> None:
    before = robomimic.read_bytes()
    with one_line_error(robomimic, "never modified"):
        write_mask(robomimic, [0], "good", robomimic)
    with one_line_error(robomimic, "no episode 12"):
        write_mask(robomimic, [12], "good", tmp_path / "copy.hdf5")
    assert robomimic.read_bytes() == before
    assert not (tmp_path / "copy.hdf5").exists()


def test_every_source_is_exported_in_its_own_form(tmp_path, sources) -> None:
    lerobot, robomimic, aloha = sources
    before = content(tmp_path)
    keep_list = listed(tmp_path / "lists", {lerobot: [3, 0], robomimic: [4], aloha: [2, 1]})
    export_keep_list(keep_list, tmp_path / "out", key="good")
    assert {path.name: path.read_text() for path in (tmp_path / "out").glob("*.txt")} == {
        "pusht.kept.txt": "--dataset.episodes=[0,3]\n",
        "pusht.remaining.txt": "--dataset.episodes=[1,2]\n",
        "pusht.delete.txt": "--operation.type=delete_episodes --operation.episode_indices=[1,2]\n",
        "arms.kept.txt": "episode_1.hdf5\nepisode_2.hdf5\n",
        "arms.remaining.txt": "episode_0.hdf5\n",
    }
    assert RobomimicFile(tmp_path / "out/some demos.hdf5").filter_keys()["good"] == [4]
    rows = (tmp_path / "out/episodes.csv").read_text().splitlines()
    assert rows[:3] == ["source,format,episode,kept", "../pusht,lerobot,0,1", "../pusht,lerobot,1,0"]
    assert rows[5:7] == ["../robo/some demos.hdf5,robomimic,0,0", "../robo/some demos.hdf5,robomimic,1,0"]
    assert rows[-3:] == ["../arms,aloha,0,0", "../arms,aloha,1,1", "../arms,aloha,2,1"]
    assert len(rows) == 1 + 4 + 12 + 3
    assert {path: data for path, data in content(tmp_path).items() if path in before} == before


def test_sources_of_which_nothing_is_kept_are_exported_too(tmp_path, sources) -> None:
    keep_list = listed(tmp_path / "lists", {sources[1]: [4]})
    export_keep_list(keep_list, tmp_path / "out", sources=sources)
    assert (tmp_path / "out/pusht.kept.txt").read_text() == "--dataset.episodes=[]\n"
    assert (tmp_path / "out/pusht.delete.txt").read_text() == ""  # all cannot be deleted
    assert (tmp_path / "out/arms.kept.txt").read_text() == ""
    assert len((tmp_path / "out/arms.remaining.txt").read_text().split()) == 3
    assert RobomimicFile(tmp_path / "out/some demos.hdf5").filter_keys()["demo_score"] == [4]
    assert "../pusht,lerobot,3,0" in (tmp_path / "out/episodes.csv").read_text().splitlines()


def test_sources_of_one_name_are_numbered_alike_whatever_is_kept(tmp_path) -> None:
    folders = [write_lerobot(tmp_path / name, n_episodes=2) for name in ("a/set", "b/set_2", "c/set")]
    for kept in ({folders[2]: [1]}, {folders[2]: [1], folders[0]: [0]}):
        export_keep_list(listed(tmp_path / "lists", kept), tmp_path / "out", sources=folders)
        texts = {path.name: path.read_text() for path in (tmp_path / "out").glob("*.kept.txt")}
        assert sorted(texts) == ["set.kept.txt", "set_2.kept.txt", "set_3.kept.txt"]
        assert texts["set_3.kept.txt"] == "--dataset.episodes=[1]\n"


def test_export_again_replaces_what_is_there(tmp_path, sources) -> None:
    for kept in ([0], [1, 2]):
        export_keep_list(listed(tmp_path / "lists", dict.fromkeys(sources, kept)), tmp_path / "out")
    assert (tmp_path / "out/pusht.kept.txt").read_text() == "--dataset.episodes=[1,2]\n"
    assert RobomimicFile(tmp_path / "out/some demos.hdf5").filter_keys()["demo_score"] == [1, 2]
    assert len(list((tmp_path / "out").iterdir())) == 7


@pytest.mark.parametrize("place", ["robo", "pusht", "pusht/meta", "lists"])
def test_folder_that_holds_an_input_is_refused(tmp_path, sources, place) -> None:
    keep_list = listed(tmp_path / "lists", {sources[0]: [0], sources[1]: [0]})
    before = content(tmp_path)
    with one_line_error(tmp_path / place, "choose a folder"):
        export_keep_list(keep_list, tmp_path / place)
    assert content(tmp_path) == before


def test_nothing_is_written_where_an_episode_does_not_exist(tmp_path, sources) -> None:
    keep_list = listed(tmp_path / "lists", {sources[0]: [0], sources[2]: [3]})
    with one_line_error(sources[2], "no episode 3"):
        export_keep_list(keep_list, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_empty_list_needs_sources(tmp_path, sources) -> None:
    keep_list = listed(tmp_path / "lists", {})
    with one_line_error(keep_list, "no episode"):
        export_keep_list(keep_list, tmp_path / "out")
    export_keep_list(keep_list, tmp_path / "out", sources=sources[:1])
    assert (tmp_path / "out/pusht.remaining.txt").read_text() == "--dataset.episodes=[0,1,2,3]\n"


def test_command_takes_paths_with_blanks(tmp_path, robomimic) -> None:
    keep_list = listed(tmp_path / "my lists", {robomimic: [0]})
    command = [sys.executable, str(SCRIPT), str(keep_list), "--out", str(tmp_path / "my out"), "--filter-key", "good"]
    subprocess.run([*command, "--sources", str(robomimic)], check=True)
    assert RobomimicFile(tmp_path / "my out/some demos.hdf5").filter_keys()["good"] == [0]


def test_kept_episodes_of_a_source_that_was_not_named_are_reported(tmp_path, sources) -> None:
    keep_list = listed(tmp_path / "lists", {sources[1]: [4]})
    with one_line_error(keep_list, sources[1], "--sources"):
        export_keep_list(keep_list, tmp_path / "out", sources=sources[:1])


def test_kept_episode_that_was_not_listed_as_considered_is_reported(tmp_path, sources) -> None:
    lerobot, robomimic, _ = sources
    keep_list = listed(tmp_path / "lists", {robomimic: [4]})
    write_list(tmp_path / "lists/considered.txt", {lerobot: [0, 1], robomimic: [3]})
    with one_line_error(keep_list, "episode 4", robomimic, "--sources"):
        export_keep_list(keep_list, tmp_path / "out", sources=[tmp_path / "lists/considered.txt"])
    assert not (tmp_path / "out").exists()


def test_source_may_be_named_by_another_path_than_in_the_list(tmp_path, sources) -> None:
    link = tmp_path / "link"
    link.symlink_to(sources[0])
    export_keep_list(listed(tmp_path / "lists", {sources[0]: [0, 2]}), tmp_path / "out", sources=[link])
    assert [path.name for path in (tmp_path / "out").glob("*.kept.txt")] == ["link.kept.txt"]
    assert (tmp_path / "out/link.kept.txt").read_text() == "--dataset.episodes=[0,2]\n"

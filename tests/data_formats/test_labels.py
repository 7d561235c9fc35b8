"""labels.csv: both layouts, and what is refused."""

from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.data.labels import Label, read_labels, write_labels


def written(folder: Path, text: str) -> Path:
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder / "labels.csv"


def test_lines_without_a_header_follow_the_order_of_the_set(tmp_path) -> None:
    labels = read_labels(written(tmp_path, "1\n0.0,a note\n\n1.0\n1.000000000000000000e+00\n"), [7, 0, 3, 2])
    assert labels == {7: Label(True), 0: Label(False), 3: Label(True), 2: Label(True)}


@pytest.mark.parametrize("text", ["1\n0\n", "1\n0\n1\n1\n", ""])
def test_other_than_one_line_an_episode_is_reported_with_both_counts(tmp_path, text) -> None:
    with one_line_error("labels.csv", f"{len(text.split())} lines", "3 episodes"):
        read_labels(written(tmp_path, text), [0, 1, 2])


def test_header_names_episodes_success_and_checkpoint(tmp_path) -> None:
    path = written(tmp_path, "checkpoint,note, success,episode\n003000,x,TRUE,4\n6000,,0.0,0\n,,false,1\n")
    assert read_labels(path, [0, 1, 4]) == {4: Label(True, "003000"), 0: Label(False, "006000"), 1: Label(False)}


def test_checkpoints_are_optional_and_so_is_a_label_for_every_episode(tmp_path) -> None:
    assert read_labels(written(tmp_path, "\ufeffepisode,success\r\n2,1\r\n"), [0, 1, 2]) == {2: Label(True)}


@pytest.mark.parametrize("checkpoint", [None, "003000"])
def test_written_labels_come_back(tmp_path, checkpoint) -> None:
    labels = {3: Label(True, checkpoint), 0: Label(False)}
    write_labels(tmp_path / "labels.csv", labels)
    assert read_labels(tmp_path / "labels.csv", [0]) == labels
    assert ("checkpoint" in (tmp_path / "labels.csv").read_text()) == bool(checkpoint)


def test_labels_of_other_episodes_come_too(tmp_path) -> None:
    assert read_labels(written(tmp_path, "episode,success\n0,1\n9,0\n"), [0]) == {0: Label(True), 9: Label(False)}


@pytest.mark.parametrize("value", ["2", "yes", "nan", "", "0.5"])
def test_malformed_success_is_reported_with_its_line(tmp_path, value) -> None:
    with one_line_error("labels.csv:3", f"'{value}'"):
        read_labels(written(tmp_path, f"episode,success\n0,1\n1,{value}\n"), [0, 1])
    with one_line_error("labels.csv:2", f"'{value}'"):
        read_labels(written(tmp_path, f"1,x\n{value},x\n"), [0, 1])


@pytest.mark.parametrize("number", ["-1", "1.5", "x", "", "1_0"])
def test_malformed_number_is_reported_with_its_line(tmp_path, number) -> None:
    with one_line_error("labels.csv:2", f"'{number}'"):
        read_labels(written(tmp_path, f"episode,success\n{number},1\n"), [0, 1])


def test_episode_labelled_twice_is_reported_with_its_line(tmp_path) -> None:
    with one_line_error("labels.csv:4", "episode 1", "twice"):
        read_labels(written(tmp_path, "episode,success\n0,1\n1,1\n1,1\n"), [0, 1])


@pytest.mark.parametrize(("header", "missing"), [("episode,label", "success"), ("success", "episode"), ("yes", "epis")])
def test_missing_column_is_reported_with_its_line(tmp_path, header, missing) -> None:
    with one_line_error("labels.csv:1", f"no column {missing}"):
        read_labels(written(tmp_path, f"{header}\n1,1\n"), [0])


def test_line_of_another_width_is_reported(tmp_path) -> None:
    with one_line_error("labels.csv:3", "1 values", "2 columns"):
        read_labels(written(tmp_path, "episode,success\n0,1\n1\n"), [0, 1])


@pytest.mark.parametrize(("content", "said"), [(b"\xff\xfe1\n0\n", "UTF-8"), (b'episode,success\n0,"1\n', "CSV")])
def test_what_is_no_csv_is_reported(tmp_path, content, said) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with one_line_error("labels.csv", said):
        read_labels(tmp_path / "labels.csv", [0, 1])

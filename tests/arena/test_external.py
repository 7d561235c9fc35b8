"""Scores that some other program made: taken as they are, or refused in one line."""

from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.arena.external import take_external_scores
from demo_score.tables import ARENA_SCORES
from pools import NAMES, N, make_pool

ROWS = [f"{name},{k},{k + number / 2}" for number, name in enumerate(NAMES) for k in range(N)]


def take(folder: Path, rows: list[str], columns: str = "demonstrations,episode,score", seed: int = 7) -> list[float]:
    """The scores that are taken of a table with these lines, of the good demonstrations first."""
    demonstrations = make_pool(folder)
    (folder / "theirs.csv").write_text("\n".join([columns, *rows]) + "\n")
    out = folder / "scores.csv"
    assert take_external_scores("theirs", folder / "theirs.csv", demonstrations, NAMES, seed, out) == 2 * N
    table = ARENA_SCORES.read(out)
    assert set(table["method"]) == {"theirs"}
    assert list(table["length"]) == [10 + k for k in range(N)] * 2
    return list(table["score"])


def test_scores_are_taken_in_whatever_order(tmp_path: Path) -> None:
    expected = [k + number / 2 for number in range(2) for k in range(N)]
    assert take(tmp_path, ROWS) == expected
    assert take(tmp_path, ROWS[::-1]) == expected


def test_runs_may_have_scores_of_their_own(tmp_path: Path) -> None:
    rows = [f"{row},{seed}" for seed in (7, 8) for row in ROWS]
    rows = [row.replace(",0,0.0,8", ",0,55,8") for row in rows]
    columns = "demonstrations,episode,score,seed"
    assert take(tmp_path, rows, columns)[0] == 0
    assert take(tmp_path, rows, columns, seed=8)[0] == 55
    with one_line_error("theirs.csv", "no score for the run 9"):
        take(tmp_path, rows, columns, seed=9)


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (ROWS[1:], ["no score of good episode 0", "give every"]),
        (ROWS[:-2], ["no score of bad episode 4 and 1 more"]),
        ([*ROWS, ROWS[3]], ["good episode 3 is there twice", "remove"]),
        ([*ROWS, "good,99,1"], ["good episode 99 is no demonstration", "good 0 to 5; bad 0 to 5"]),
        ([*ROWS, "ugly,0,1"], ["ugly episode 0 is no demonstration"]),
        ([*ROWS[1:], "good,0,nan"], ["the score of good episode 0 is no number"]),
        ([*ROWS[1:], "good,0,"], ["the score of good episode 0 is no number"]),
        ([*ROWS[1:], "good,0,high"], ["score must be a number", "high"]),
        ([*ROWS[1:], "good,0,inf"], ["good", "inf"]),
        ([*ROWS[1:], "good,zero,1"], ["episode must be a whole number", "zero"]),
        ([], ["holds no row"]),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, rows: list[str], parts: list[str]) -> None:
    with one_line_error(*parts):
        take(tmp_path, rows)
    assert not (tmp_path / "scores.csv").exists()


def test_missing_column_is_named(tmp_path: Path) -> None:
    with one_line_error("theirs.csv", "no column score"):
        take(tmp_path, ["good,0,1"], "demonstrations,episode,value")


def test_missing_file_is_named(tmp_path: Path) -> None:
    demonstrations = make_pool(tmp_path)
    with one_line_error("none.csv"):
        take_external_scores("theirs", tmp_path / "none.csv", demonstrations, NAMES, 7, tmp_path / "scores.csv")

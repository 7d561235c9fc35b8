"""What an entrant of the arena keeps."""

from pathlib import Path

import numpy as np
import pytest
from conftest import one_line_error
from demo_score.arena.keep import highest, keep_demonstrations
from demo_score.data.lists import read_list
from demo_score.tables import ARENA_KEPT
from pools import N, filter_scores, make_pool, method_scores


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    make_pool(tmp_path)
    return tmp_path


def kept(
    folder: Path, entrant: str, keep: str = "own", scores: Path | None = None, size: int = 4, seed: int = 7
) -> set:
    """The demonstrations that an entrant keeps, as file and number."""
    out = folder / "list.txt"
    table = filter_scores(folder, size)
    n = keep_demonstrations(entrant, keep, table, scores, ["good"], seed, folder / "kept.csv", out)
    found = {(path.stem, episode) for path, episodes in read_list(out).items() for episode in episodes}
    rows = ARENA_KEPT.read(folder / "kept.csv")
    assert len(rows) == 2 * N
    assert {(Path(row.file).stem, row.episode) for row in rows.itertuples() if row.kept} == found
    assert len(found) == n
    return found


def test_method_keeps_its_highest_scores_and_as_many_as_the_filter(pool: Path) -> None:
    scores = method_scores(pool, [0, 9, 1, 1, 1, 1, 8, 7, 0, 0, 0, 6])
    assert kept(pool, "mine", scores=scores) == {("good", 1), ("bad", 0), ("bad", 1), ("bad", 5)}


def test_percentage_is_of_all_demonstrations(pool: Path) -> None:
    scores = method_scores(pool, [*range(N), *range(N, 2 * N)])
    assert kept(pool, "mine", "25", scores) == {("bad", 3), ("bad", 4), ("bad", 5)}


def test_own_size_may_be_a_share_where_the_filter_keeps_all_or_none(pool: Path) -> None:
    scores, table = method_scores(pool, [*range(N), *range(N, 2 * N)]), filter_scores(pool, 0)
    n = keep_demonstrations("mine", "own", table, scores, [], 7, pool / "kept.csv", pool / "list.txt", own_percent=50)
    assert n == N
    assert {path.stem for path in read_list(pool / "list.txt")} == {"bad"}


def test_demo_score_by_rank_keeps_what_its_threshold_keeps(pool: Path) -> None:
    scores = method_scores(pool, [0.9 - k / 100 - bad / 2 for bad in range(2) for k in range(N)])
    assert kept(pool, "mine", scores=scores, size=5) == {("good", k) for k in range(5)}


def test_ties_are_broken_by_the_seed_and_not_by_the_order_of_files() -> None:
    scores = np.zeros(1000)
    chosen = highest(scores, 500, np.random.default_rng(0))
    assert 150 < (chosen < 500).sum() < 350
    assert (chosen == highest(scores, 500, np.random.default_rng(0))).all()
    assert (chosen != highest(scores, 500, np.random.default_rng(1))).any()


def test_random_choices_are_of_equal_size_and_differ(pool: Path) -> None:
    choices = [frozenset(kept(pool, f"random_{number}")) for number in range(1, 6)]
    assert {len(choice) for choice in choices} == {4}
    assert len({*choices}) > 1
    assert choices[0] == kept(pool, "random_1")
    assert any(choice != kept(pool, f"random_{n}", seed=8) for n, choice in enumerate(choices, start=1))


def test_matched_length_has_the_lengths_of_what_demo_score_ranks_highest(pool: Path) -> None:
    chosen = kept(pool, "length_matched", size=3)
    assert sorted(episode for _, episode in chosen) == [0, 1, 2]


def test_oracle_and_all_have_their_own_sizes(pool: Path) -> None:
    assert kept(pool, "oracle", size=2) == {("good", k) for k in range(N)}
    assert len(kept(pool, "all", size=2)) == 2 * N


@pytest.mark.parametrize("size", [0, 2 * N])
def test_filter_that_keeps_none_or_all_gives_no_size(pool: Path, size: int) -> None:
    scores = method_scores(pool, [0.0] * (2 * N))
    table = filter_scores(pool, 0)
    if size:
        table.write_text(table.read_text().replace(",0,\n", ",1,\n"))
    with one_line_error("the filter kept", f"of {2 * N}", "arena.own_percent"):
        keep_demonstrations("mine", "own", table, scores, [], 7, pool / "kept.csv", pool / "list.txt")


def test_scores_of_other_demonstrations_are_refused(pool: Path) -> None:
    scores = method_scores(pool, [0.0] * (2 * N))
    scores.write_text("".join(scores.read_text().splitlines(keepends=True)[:-1]))
    with one_line_error("mine.csv", "other demonstrations"):
        kept(pool, "mine", scores=scores)


def test_oracle_of_no_strategy_is_refused(pool: Path) -> None:
    with one_line_error("oracle", "final_policy.oracle"):
        keep_demonstrations("oracle", "own", filter_scores(pool, 3), None, ["x"], 7, pool / "k.csv", pool / "l.txt")

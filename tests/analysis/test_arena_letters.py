"""Compact letter displays: a published example, and every relation that there may be."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from demo_score.analysis.arena.letters import insert_and_absorb, letters, share_a_letter
from demo_score.analysis.arena.uplift import letters_of, paired_t_p


def test_display_of_four_treatments_by_hand() -> None:
    # Insert 1-3: {2 3 4}, {1 2 4}. Insert 1-4: {2 3 4}, {1 2}, and {2 4}, which {2 3 4} absorbs. Insert 2-4: {3 4},
    # {2 3}, {1 2}. In the order of the treatments: 12, 23, 34.
    different = [("1", "3"), ("1", "4"), ("2", "4")]
    assert letters("1234", different) == {"1": "a", "2": "ab", "3": "bc", "4": "c"}
    assert sorted(insert_and_absorb("1234", different)) == [("1", "2"), ("2", "3"), ("3", "4")]


def test_published_example_of_three_treatments() -> None:
    """The first example of multcompLetters in the R package multcompView: B and C differ, A from none."""
    assert letters("ABC", [("B", "C")]) == {"A": "ab", "B": "a", "C": "b"}


def test_display_of_eight_treatments_by_hand() -> None:
    """Each group: one side of every pair that differs, and all others."""
    different = [(1, 7), (1, 8), (2, 4), (2, 5), (3, 5)]
    groups = insert_and_absorb(list(range(1, 9)), different)
    assert sorted(groups) == [
        (1, 2, 3, 6),
        (1, 3, 4, 6),
        (1, 4, 5, 6),
        (2, 3, 6, 7, 8),
        (3, 4, 6, 7, 8),
        (4, 5, 6, 7, 8),
    ]


def test_nothing_and_everything_different() -> None:
    names = ["x", "y", "z"]
    assert letters(names, []) == dict.fromkeys(names, "a")
    assert letters(names, combinations(names, 2)) == {"x": "a", "y": "b", "z": "c"}
    assert letters([], []) == {} and letters(["x"], []) == {"x": "a"}


@pytest.mark.parametrize("n", [2, 5, 9, 12])
def test_letters_are_shared_exactly_by_pairs_that_do_not_differ(n) -> None:
    generator = np.random.default_rng(n)
    names = [f"m{i}" for i in range(n)]
    pairs = list(combinations(names, 2))
    for share in np.linspace(0, 1, 40):
        different = [pair for pair in pairs if generator.random() < share]
        found = letters(names, [pair[:: generator.choice([-1, 1])] for pair in different])
        assert {pair for pair in pairs if not share_a_letter(found[pair[0]], found[pair[1]])} == {*different}
        groups = [set(group) for group in insert_and_absorb(names, different)]
        assert not [1 for one in groups for other in groups if one < other]


def test_more_groups_than_letters_are_still_told_apart() -> None:
    """Of 2 k names, of which k pairs differ, each group takes one of a pair: 64 groups with k = 6."""
    names = [f"{i}{side}" for i in range(6) for side in "ab"]
    found = letters(names, [(f"{i}a", f"{i}b") for i in range(6)])
    assert any("a′" in text for text in found.values())
    for one, other in combinations(names, 2):
        assert share_a_letter(found[one], found[other]) == (one[0] != other[0])


def test_paired_t_p_is_students_of_the_runs_differences() -> None:
    # Student's sleep data (1908), drug 2 minus drug 1: t = 4.0621 with 9 degrees of freedom, p = 0.002833.
    sleep = pd.Series([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert paired_t_p(sleep) == pytest.approx(0.002833, abs=1e-6)
    assert paired_t_p(pd.Series([0.1, float("nan")])) == 1  # one run has both
    assert paired_t_p(pd.Series([0.0, 0.0])) == 1 and paired_t_p(pd.Series([0.35 - 0.25, 0.6 - 0.5])) == 0


def test_letters_of_methods_go_by_holm_over_all_pairs() -> None:
    rates = pd.DataFrame({"low": [0.1, 0.2, 0.15, 0.1], "high": [0.8, 0.95, 0.85, 0.9], "mid": [0.4, 0.1, 0.8, 0.5]})
    p = {pair: paired_t_p(rates[pair[0]] - rates[pair[1]]) for pair in combinations(("high", "mid", "low"), 2)}
    assert 3 * p["high", "low"] < 0.05 < 2 * min(p["high", "mid"], p["mid", "low"])
    assert letters_of(rates) == {"high": "a", "mid": "ab", "low": "b"}
    assert letters_of(rates.head(1)) == {} and letters_of(rates[["low"]]) == {}

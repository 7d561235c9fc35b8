"""Detection and agreement against brute force and numbers by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from demo_score.analysis.arena.agreement import agreement_table, jaccard, spearman
from demo_score.analysis.arena.costs import cost_table
from demo_score.analysis.arena.detection import (
    arena_detection_table,
    average_precision,
    average_precision_within,
)
from demo_score.analysis.detection import auroc_within
from made_tables import row

NAN = float("nan")


def scored(method: str, scores: list[float], actors: str, lengths: list[int], seed: int = 1) -> pd.DataFrame:
    """Scores of one method, whose strategies are letters."""
    columns = {"seed": seed, "method": method, "file": "a", "episode": range(len(scores))}
    return pd.DataFrame({**columns, "length": lengths, "actor": list(actors), "score": scores})


def kept(entrant: str, flags: str, seed: int = 1, keep: str = "own") -> pd.DataFrame:
    columns = {"seed": seed, "entrant": entrant, "keep": keep, "file": "a", "episode": range(len(flags))}
    return pd.DataFrame({**columns, "kept": [int(flag) for flag in flags]})


def test_average_precision_by_hand() -> None:
    positive = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3, 2, 1]), positive) == pytest.approx((1 / 1 + 2 / 3) / 2)
    # Ties come at once: of {a, b} at the top, one of two is positive; then two of three.
    assert average_precision(np.array([3.0, 3, 2, 1]), positive) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert average_precision(np.zeros(4), positive) == 0.5
    assert np.isnan(average_precision(np.zeros(4), np.zeros(4, dtype=bool)))


def brute_average_precision(values, positive) -> float:
    """The precision among all that are no worse than each positive, averaged."""
    return float(np.mean([positive[values >= value].mean() for value in values[positive]]))


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_areas_within_strata_are_those_of_brute_force(levels) -> None:
    generator = np.random.default_rng(levels)
    values = generator.integers(levels, size=80).astype(float)
    positive, strata = generator.random(80) < 0.3, generator.integers(4, size=80)
    pairs = [
        (values[i] > values[j]) + 0.5 * (values[i] == values[j])
        for i, j in product(range(80), repeat=2)
        if positive[i] and not positive[j] and strata[i] == strata[j]
    ]
    assert auroc_within(values, positive, strata) == pytest.approx(np.mean(pairs))
    assert average_precision(values, positive) == pytest.approx(brute_average_precision(values, positive))
    parts = [(values[strata == part], positive[strata == part]) for part in range(4)]
    expected = sum(hits.sum() * brute_average_precision(some, hits) for some, hits in parts) / positive.sum()
    assert average_precision_within(values, positive, strata) == pytest.approx(expected)


def test_strata_of_one_kind_tell_nothing() -> None:
    positive, strata = np.array([True, True, False, False]), np.array([0, 0, 1, 1])
    assert np.isnan(average_precision_within(np.arange(4.0), positive, strata))
    mixed = np.array([0, 1, 1, 1])  # only the second holds both kinds
    assert average_precision_within(np.array([0.0, 3, 4, 1]), positive, mixed) == 0.5


def test_a_score_that_is_length_alone_finds_nothing_among_like_lengths() -> None:
    lengths = [10, 10, 20, 20]
    table = scored("length", [-10.0, -10, -20, -20], "rruu", lengths)
    found = arena_detection_table(table, kept("length", "1100"), ["r"])
    assert list(found["seed"]) == ["1", "all"]
    first = found.iloc[0]
    assert (first["n"], first["positive"], first["auroc"], first["average_precision"]) == (4, 2, 1.0, 1.0)
    assert first[["auroc_within_length", "average_precision_within_length"]].isna().all()


def test_detection_over_runs_is_the_mean_of_the_runs() -> None:
    tables = [scored("cupid", scores, "ruur", [5] * 4, seed) for seed, scores in ((1, [4, 3, 2, 1]), (2, [4, 1, 2, 3]))]
    choices = pd.concat([kept("cupid", "1100", 1), kept("cupid", "1001", 2), kept("cupid", "1110", 1, keep="75")])
    found = arena_detection_table(pd.concat(tables), choices, ["r"])
    assert found["auroc"].tolist() == [0.5, 1.0, 0.75] and found["kept_positive"].tolist() == [0.5, 1.0, 0.75]
    assert found["n"].tolist() == [4, 4, 8] and found["positive"].tolist() == [2, 2, 4]


def test_without_strategies_of_the_oracle_there_are_no_areas() -> None:
    found = arena_detection_table(scored("cupid", [1, 2], "ru", [5, 6]), kept("cupid", "10"), [])
    assert (found["positive"] == 0).all() and found.drop(columns=["method", "seed", "n", "positive"]).isna().all(
        axis=None
    )


def test_spearman_and_jaccard_by_hand() -> None:
    # Ranks 1 2 3 4 and 2 1 4 3: 1 - 6 * 4 / (4 * 15) = 0.6. With ties, Pearson's of mean ranks.
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3])) == pytest.approx(0.6)
    assert spearman(np.array([1.0, 1, 2]), np.array([5.0, 6, 7])) == pytest.approx(0.75**0.5)
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))
    assert jaccard(np.array([1, 1, 0, 0]), np.array([0, 1, 1, 0])) == pytest.approx(1 / 3)
    assert np.isnan(jaccard(np.zeros(2), np.zeros(2))) and np.isnan(jaccard(np.array([NAN, NAN]), np.array([1, 0])))


def test_agreement_is_of_runs_that_have_both_methods() -> None:
    tables = [scored("cupid", [1, 2, 3, 4], "ruur", [5] * 4, seed) for seed in (1, 2)]
    tables.append(scored("mine", [2, 1, 4, 3], "ruur", [5] * 4, 2))
    tables.append(scored("length", [0, 0, 0, 0], "ruur", [5] * 4, 1))
    choices = pd.concat([kept("cupid", "0011", 2), kept("mine", "0110", 2), kept("random_1", "1100", 2)])
    found = agreement_table(pd.concat(tables), choices)
    assert list(zip(found["method"], found["other"], found["seed"], strict=True)) == [
        *(("cupid", "length", seed) for seed in ("1", "all")),
        *(("cupid", "mine", seed) for seed in ("2", "all")),
    ]
    both = row(found, method="cupid", other="mine", seed="all")
    assert (both["rho"], both["overlap"], both["n"]) == (pytest.approx(0.6), pytest.approx(1 / 3), 4)
    assert found[found["other"] == "length"][["rho", "overlap"]].isna().all(axis=None)


def test_costs_are_means_over_runs() -> None:
    columns = {"needs": "rollouts influence", "rollouts": [300, 301], "core_seconds": [10.0, NAN]}
    table = pd.DataFrame({"seed": [1, 2], "method": "cupid", **columns})
    found = row(cost_table(table), method="cupid", seed="all")
    assert (found["runs"], found["rollouts"], found["core_seconds"]) == (2, 300.5, 10.0)
    assert found["needs"] == "rollouts influence"

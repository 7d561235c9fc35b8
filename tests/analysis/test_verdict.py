"""What an experiment is said to show: no more than its interval over runs."""

import pandas as pd
import pytest
from demo_score.analysis.differences import difference_table
from demo_score.analysis.inputs import read_evaluations
from demo_score.analysis.verdict import effect, effects
from synthetic_results import write_experiment

SHARED = {"seed": "all", "runs": 6, "n": 600}


def table(**against: tuple[float, float, float]) -> pd.DataFrame:
    """Differences of the curated policy over runs: difference, low, high by the condition it is compared with."""
    rows = [
        {
            "condition": "curated_demos",
            "against": other,
            **SHARED,
            "difference": numbers[0],
            "low": numbers[1],
            "high": numbers[2],
        }
        for other, numbers in against.items()
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("base", "random", "finding"),
    [
        ((0.655, 0.557, 0.753), (0.603, 0.5, 0.706), "better than base and random of equal size."),
        ((0.1, -0.076, 0.276), (0.052, -0.108, 0.211), "no effect shown against base or random of equal size."),
        ((0.1, 0.01, 0.19), (0.05, 0.0, 0.1), "better than base; no effect shown against random of equal size."),
        ((-0.2, -0.3, -0.1), (0.1, -0.1, 0.3), "worse than base; no effect shown against random of equal size."),
    ],
)
def test_a_finding_says_no_more_than_the_intervals(base, random, finding) -> None:
    assert effect("curated_demos", table(base=base, random=random)).finding == f"Curated (demos): {finding}"


def test_numbers_name_runs_starts_and_interval() -> None:
    found = effect("curated_demos", table(base=(0.1, -0.076, 0.276), random=(0.052, -0.108, 0.211)))
    assert found.numbers == (
        "Minus base +10.0 [-7.6, +27.6] points, minus random of equal size +5.2 [-10.8, +21.1] points "
        "(6 runs, n = 600 paired starts; 95% t intervals over runs)."
    )


def test_differences_of_other_runs_name_theirs() -> None:
    both = table(base=(0.1, 0.05, 0.15), random=(0.1, 0.05, 0.15)).assign(runs=[6, 5], n=[600, 500])
    numbers = effect("curated_demos", both).numbers
    assert "minus base +10.0 [+5.0, +15.0] points (6 runs, n = 600 paired starts)" in numbers.lower()
    assert numbers.endswith("points (5 runs, n = 500 paired starts) (95% t intervals over runs).")


def test_single_runs_of_other_starts_have_no_empty_brackets() -> None:
    nothing = float("nan")
    both = table(base=(0.1, nothing, nothing), random=(0.1, nothing, nothing)).assign(runs=1, n=[60, 50])
    assert effect("curated_demos", both).numbers.endswith("+10.0 points (1 run, n = 50 paired starts).")


def test_one_run_shows_nothing(tmp_path) -> None:
    paths = write_experiment(tmp_path, seeds=(10000,), n=40)
    found = effect("curated_demos", difference_table(read_evaluations(paths["evaluations"])))
    assert "one run gives no interval: no effect shown against base or random of equal size." in found.finding
    assert "(1 run, n = 40 paired starts)." in found.numbers and "[" not in found.numbers


def test_each_curated_condition_is_judged_against_its_own_control(tmp_path) -> None:
    paths = write_experiment(tmp_path, n=100)
    both = effects(difference_table(read_evaluations(paths["evaluations"])))
    assert [found.finding for found in both] == [
        "Curated (demos): better than base and random of equal size.",
        "Curated (rollouts + demos): better than base and random rollouts + demos of equal size.",
    ]


def test_a_condition_alone_is_compared_with_nothing() -> None:
    only = table(oracle=(0.1, 0.05, 0.15))
    assert effect("curated_demos", only) == ("Curated (demos): nothing to compare with.", "")

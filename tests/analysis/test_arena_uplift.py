"""Uplifts by hand: paired by run with the mean of its random choices, runs that lack something, and errors."""

import pandas as pd
import pytest
from conftest import one_line_error
from demo_score.analysis.arena.inputs import read_costs, read_evaluations, read_kept, read_scores
from demo_score.analysis.arena.tables import make_arena_tables
from demo_score.analysis.arena.uplift import gap_closed, uplift_table
from demo_score.tables import TABLES
from made_tables import outcomes_file, row
from synthetic_arena import write_arena
from synthetic_results import write_table

NO_LIST = pd.DataFrame(columns=["seed", "keep", "entrant", "kept"])


def policy(root, seed: int, entrant: str, success: str, keep: str = "own", first_start: int = 0):
    path = root / f"seed{seed}/arena/{keep}/{entrant}/evaluation.csv"
    return outcomes_file(path, success, first_start, seed=seed, condition=entrant, keep=keep)


@pytest.fixture
def evaluations(tmp_path):
    """Three runs of ten starts; run 3 has no oracle, and cupid is missing there."""
    hits = {
        1: {"cupid": 8, "length": 5, "mine": 2, "random_1": 3, "random_2": 5, "oracle": 9},
        2: {"cupid": 7, "length": 3, "mine": 3, "random_1": 4, "random_2": 4, "oracle": 10},
        3: {"length": 4, "mine": 4, "random_1": 1, "random_2": 5},
    }
    return [
        policy(tmp_path, seed, entrant, "1" * n + "0" * (10 - n))
        for seed, entrants in hits.items()
        for entrant, n in reversed(entrants.items())
    ]


def test_uplift_is_paired_with_the_mean_of_the_runs_random_choices(evaluations) -> None:
    table = uplift_table(read_evaluations(evaluations), NO_LIST)
    assert list(dict.fromkeys(table["entrant"])) == ["cupid", "length", "mine", "random", "oracle"]
    first = row(table, entrant="cupid", seed="1")
    assert (first["n"], first["successes"], first["rate"], first["random_rate"]) == (10, 8, 0.8, 0.4)
    assert first["uplift"] == pytest.approx(0.4) and first["interval"] == "none" and pd.isna(first["low"])
    mean = row(table, entrant="cupid", seed="all")
    assert (mean["runs"], mean["n"], mean["rate"], mean["interval"]) == (2, 20, 0.75, "t over runs")
    # Uplifts .4 and .3: mean .35, half of the t interval 12.7062 * .0707107 / sqrt(2) = .635310.
    assert (mean["uplift"], mean["low"], mean["high"]) == pytest.approx((0.35, -0.285310, 0.985310), abs=1e-5)
    assert (mean["rate_low"], mean["rate_high"]) == pytest.approx((0.114690, 1), abs=1e-5)
    assert mean["sign_flip_p"] == 0.5


def test_random_is_a_row_with_the_spread_of_its_choices(evaluations) -> None:
    table = uplift_table(read_evaluations(evaluations), NO_LIST)
    first, mean = (row(table, entrant="random", seed=seed) for seed in ("1", "all"))
    assert (first["n"], first["successes"], first["rate"], first["subsets"]) == (20, 8, 0.4, 2)
    assert first["sd_subsets"] == pytest.approx(0.02**0.5)  # of .3 and .5
    # SDs .141421, 0, .282843 (of .1 and .5).
    assert (mean["rate"], mean["sd_subsets"]) == pytest.approx((1.1 / 3, 0.141421), abs=1e-6)
    assert mean[["uplift", "sign_flip_p", "holm_p", "gap_closed"]].isna().all() and mean["letters"] == ""
    assert table[table["entrant"] != "random"]["sd_subsets"].isna().all()


def test_family_is_all_methods_and_no_control(evaluations) -> None:
    means = uplift_table(read_evaluations(evaluations), NO_LIST).query("seed == 'all'").set_index("entrant")
    # Length: uplifts .1, -.1, .1; mine: -.2, -.1, .1; all signs: 3 of 4 means as large, each; Holm over three.
    assert means["sign_flip_p"].drop("random").to_dict() == {"cupid": 0.5, "length": 1.0, "mine": 0.75, "oracle": 0.5}
    assert means["holm_p"].dropna().to_dict() == {"cupid": 1.0, "length": 1.0, "mine": 1.0}
    assert (means.loc[["cupid", "length", "mine"], "letters"] != "").all() and means.loc["oracle", "letters"] == ""


def test_gap_is_closed_over_the_runs_that_have_all_three(evaluations) -> None:
    means = uplift_table(read_evaluations(evaluations), NO_LIST).query("seed == 'all'").set_index("entrant")
    # Runs 1 and 2: cupid .75, mine .25, random .4, oracle .95.
    found = means["gap_closed"]
    assert (found["cupid"], found["mine"], found["oracle"]) == pytest.approx((0.35 / 0.55, -0.15 / 0.55, 1))
    rates = [pd.Series([value, value], index=[1, 2]) for value in (0.5, 0.6, 0.6)]
    assert pd.isna(gap_closed(*rates)) and pd.isna(gap_closed(*rates[:2], pd.Series(dtype=float)))


def test_difference_from_length_is_paired_by_run(evaluations) -> None:
    means = uplift_table(read_evaluations(evaluations), NO_LIST).query("seed == 'all'").set_index("entrant")
    # Mine: -.3, 0, 0: mean -.1, half 4.302653 * .173205 / sqrt(3) = .430265.
    limits = means.loc["mine", ["minus_length", "minus_length_low", "minus_length_high"]].tolist()
    assert limits == pytest.approx([-0.1, -0.530265, 0.330265], abs=1e-5)
    assert means.loc["cupid", "minus_length"] == pytest.approx(0.35)
    assert means.loc[["length", "random", "oracle"], "minus_length"].isna().all()


def test_other_sizes_are_compared_with_random_of_their_own(tmp_path, evaluations) -> None:
    evaluations += [
        policy(tmp_path, 2, name, "1100000000", keep) for name in ("cupid", "random_1") for keep in ("75", "5")
    ]
    table = uplift_table(read_evaluations(evaluations), NO_LIST)
    assert list(dict.fromkeys(table["keep"])) == ["own", "5", "75"]
    mean = row(table, entrant="cupid", keep="75", seed="all")
    assert (mean["runs"], mean["uplift"], mean["random_rate"], mean["interval"]) == (1, 0.0, 0.2, "none")
    assert mean["gap_closed"] == 0 and mean["letters"] == "" and pd.isna(mean["low"])


def test_share_kept_is_that_of_the_lists(tmp_path) -> None:
    paths = write_arena(tmp_path, seeds=(1, 2), methods=("cupid", "length"), n=10)
    make_arena_tables(**paths, out=tmp_path / "arena")
    table = TABLES["arena_uplift"].read(tmp_path / "arena/tables/arena_uplift.csv")
    for entrant, keep, share in (("cupid", "own", 0.4), ("random", "25", 0.25), ("all", "own", 1.0)):
        assert row(table, entrant=entrant, keep=keep, seed="all")["share"] == share


def test_tables_are_the_same_bytes_whatever_the_order_of_their_inputs(tmp_path) -> None:
    paths = write_arena(tmp_path, seeds=(1, 2, 3), methods=("deminf", "cupid", "mine", "another"), n=20)
    make_arena_tables(**paths, out=tmp_path / "first", oracle=["reliable"])
    turned = {name: files[::-1] for name, files in paths.items()}
    make_arena_tables(**turned, out=tmp_path / "second", oracle=["reliable"])
    names = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*"))
    assert len(names) == 5
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_evaluations_that_cannot_be_compared_are_refused_in_one_line(tmp_path, evaluations) -> None:
    with one_line_error("seed 1: no random choice of size own", "seed1/arena/own/random_1"):
        read_evaluations([path for path in evaluations if "seed1" in str(path) and "random" not in str(path)])
    with one_line_error(evaluations[0], "not one new entrant and size of seed 1"):
        read_evaluations([*evaluations, evaluations[0]])
    with one_line_error("start seeds differ"):
        read_evaluations([*evaluations, policy(tmp_path, 1, "deminf", "1" * 10, first_start=1)])
    with one_line_error("its size of keep is ''", "--keep own"):
        read_evaluations([policy(tmp_path, 1, "deminf", "1", "")])
    with one_line_error("names no entrant", "--condition"):
        read_evaluations([outcomes_file(tmp_path / "a.csv", "1", condition="", keep="own")])
    with one_line_error("has no column keep"):
        read_evaluations([outcomes_file(tmp_path / "a.csv", "1")])
    with one_line_error("--run-seed"):
        read_evaluations([policy(tmp_path, "", "deminf", "1")])


def test_scores_and_lists_of_other_demonstrations_are_refused_in_one_line(tmp_path) -> None:
    paths = write_arena(tmp_path, seeds=(1,), methods=("cupid", "length"), levels=("own",), n=5)
    cupid, length = paths["scores"]
    with one_line_error(cupid, "cupid of run 1 is in another file"):
        read_scores([cupid, length, cupid])
    kept = [write_table(path, pd.read_csv(path).query("episode > 0")) for path in paths["kept"]]
    with one_line_error("seed 1: kept.csv and scores tell of different demonstrations"):
        make_arena_tables(**paths | {"kept": kept}, out=tmp_path / "arena")
    write_table(length, pd.read_csv(length).replace({"episode": {3: 1000}}))
    with one_line_error(length, f"tells of other demonstrations than {cupid}"):
        read_scores(paths["scores"])
    write_table(length, pd.read_csv(length).assign(score=""))
    with one_line_error(length, "score must be a number"):
        read_scores([length])
    with one_line_error(kept[0], "own cupid of run 1 is in another file"):
        read_kept([kept[0]] * 2)
    with one_line_error("costs of cupid in run 1 are given twice"):
        read_costs(paths["costs"] * 2)

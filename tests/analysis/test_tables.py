"""Tables against numbers worked out by hand."""

import pandas as pd
import pytest
from demo_score.analysis.detection import detection_table, length_strata
from demo_score.analysis.differences import compared_conditions, difference_table
from demo_score.analysis.inputs import read_evaluations, read_rollouts, read_scores
from demo_score.analysis.tables import checkpoint_table, kept_table, success_table
from demo_score.conditions import CONDITIONS, CONTROLS
from made_tables import SCORED, outcomes, outcomes_file, row, scores_file


@pytest.fixture
def evaluations(tmp_path):
    """Two seeds; in seed 2 there is no oracle."""
    return [
        outcomes(tmp_path, 2, "random", "1000"),
        outcomes(tmp_path, 2, "base", "0100"),
        outcomes(tmp_path, 2, "curated_demos", "1101"),
        outcomes(tmp_path, 1, "oracle", "1111"),
        outcomes(tmp_path, 1, "curated_demos", "0111"),
        outcomes(tmp_path, 1, "base", "1100"),
        outcomes(tmp_path, 1, "random", "0000"),
    ]


def test_success_table_has_each_run_and_the_mean_over_runs(evaluations):
    table = success_table(read_evaluations(evaluations))
    assert list(dict.fromkeys(table["condition"])) == ["base", "curated_demos", "random", "oracle"]
    assert list(table["seed"])[:3] == ["1", "2", "all"]
    first = row(table, condition="curated_demos", seed="1")
    assert (first["runs"], first["n"], first["successes"], first["interval"]) == (1, 4, 3, "wilson")
    # Wilson by hand for 3 of 4: (p + z2/2n ± z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n), z = 1.959964.
    assert (first["low"], first["high"]) == pytest.approx((0.300642, 0.954413), abs=1e-5)
    alone = row(table, condition="oracle", seed="all")
    assert (alone["runs"], alone["n"], alone["rate"], alone["interval"]) == (1, 4, 1.0, "none")
    assert pd.isna(alone["low"]) and pd.isna(alone["high"])


def test_success_over_runs_is_the_mean_of_their_rates_whatever_their_sizes(tmp_path):
    paths = [outcomes(tmp_path, seed, "base", success) for seed, success in ((1, "10"), (2, "0111"), (3, "1010"))]
    found = row(success_table(read_evaluations(paths)), condition="base", seed="all")
    assert (found["runs"], found["n"], found["successes"], found["interval"]) == (3, 10, 6, "t over runs")
    assert found["rate"] == pytest.approx((0.5 + 0.75 + 0.5) / 3)
    # By hand: standard deviation 0.144338, t of 2 degrees of freedom 4.302653, so 0.583333 ± 0.358554.
    assert (found["low"], found["high"]) == pytest.approx((0.224779, 0.941887), abs=1e-5)


def test_the_interval_of_a_rate_stays_within_0_and_1(tmp_path):
    paths = [outcomes(tmp_path, seed, "base", success) for seed, success in ((1, "1111"), (2, "0001"), (3, "0000"))]
    table = success_table(read_evaluations(paths))
    assert tuple(row(table, condition="base", seed="all")[["low", "high"]]) == (0, 1)


def test_the_largest_reward_is_the_mean_over_runs_where_all_tell_it(tmp_path):
    said = [outcomes(tmp_path, 1, "base", "10", max_reward=[1, 0.5]), outcomes(tmp_path, 2, "base", "1", max_reward=1)]
    table = success_table(read_evaluations(said))
    assert row(table, condition="base", seed="1")["mean_max_reward"] == 0.75
    assert row(table, condition="base", seed="all")["mean_max_reward"] == 0.875
    unsaid = success_table(read_evaluations([*said, outcomes(tmp_path, 3, "base", "10")]))
    assert pd.isna(row(unsaid, condition="base", seed="all")["mean_max_reward"])


def test_difference_table_pairs_the_same_starts(evaluations):
    table = difference_table(read_evaluations(evaluations))
    first = row(table, condition="curated_demos", against="random", seed="1")
    assert (first["n"], first["difference"], first["only_condition"], first["only_against"]) == (4, 0.75, 3, 0)
    assert (first["interval"], first["mcnemar_p"]) == ("newcombe", 0.25)
    over_runs = ["sign_flip_p", "holm_p", "bootstrap_low", "bootstrap_high", "sd_runs", "sd_starts"]
    assert first[over_runs].isna().all()


def test_difference_over_runs_is_the_mean_of_their_differences(evaluations):
    table = difference_table(read_evaluations(evaluations))
    # Run 1: 0111 against 1100 is +0.25; run 2: 1101 against 0100 is +0.5.
    found = row(table, condition="curated_demos", against="base", seed="all")
    assert (found["runs"], found["n"], found["difference"], found["interval"]) == (2, 8, 0.375, "t over runs")
    assert (found["only_condition"], found["only_against"], found["sign_flip_p"]) == (4, 1, 0.5)
    half = 12.706205 * 0.125  # t of 1 degree of freedom, standard error
    assert (found["low"], found["high"]) == pytest.approx((0.375 - half, 0.375 + half), abs=1e-5)
    # Paired differences -1, 0, 1, 1 (variance 11/12) and 1, 0, 0, 1 (1/3): (11/12 + 1/3) / 2 / 4 starts = 0.15625.
    assert found["sd_starts"] == pytest.approx(0.15625**0.5)
    assert found["sd_runs"] == 0  # 0.03125 between the runs is less than what starts explain
    assert found["bootstrap_low"] < 0.375 < found["bootstrap_high"]
    assert pd.isna(found["mcnemar_p"])


def test_difference_of_one_run_has_no_interval_over_runs(evaluations):
    found = row(difference_table(read_evaluations(evaluations)), condition="oracle", against="base", seed="all")
    assert (found["runs"], found["n"], found["interval"], found["sign_flip_p"]) == (1, 4, "none", 1.0)
    assert found[["low", "high", "bootstrap_low", "bootstrap_high", "sd_runs"]].isna().all()


def test_conditions_are_compared_with_base_random_subset_and_their_own_control():
    assert set(CONTROLS.values()) | set(CONTROLS) <= set(CONDITIONS)
    assert list(compared_conditions(list(CONDITIONS))) == [
        *((condition, "base") for condition in CONDITIONS if condition != "base"),
        *((condition, "random") for condition in CONDITIONS if condition not in ("base", "random")),
        ("curated_rollouts_plus_demos", "random_rollouts_plus_demos"),
    ]
    assert list(compared_conditions(["base", "oracle"])) == [("oracle", "base")]
    assert list(compared_conditions(["curated_demos", "random_rollouts_plus_demos"])) == []


def test_holm_counts_the_conditions_that_are_compared_with_the_same_one(tmp_path):
    digits = {"base": "0000", "curated_demos": "1111", "random": "0001", "oracle": "1111"}
    lucky = {**digits, "random": "0000"}
    paths = [
        outcomes(tmp_path, seed, condition, text)
        for seed in range(6)
        for condition, text in (lucky if seed else digits).items()
    ]
    table = difference_table(read_evaluations(paths)).query("seed == 'all'").set_index(["against", "condition"])
    assert table.loc["base", "sign_flip_p"].to_dict() == {"curated_demos": 0.03125, "random": 1.0, "oracle": 0.03125}
    assert table.loc["base", "holm_p"].to_dict() == {"curated_demos": 0.09375, "random": 1.0, "oracle": 0.09375}
    assert table.loc["random", "holm_p"].to_dict() == {"curated_demos": 0.0625, "oracle": 0.0625}


def test_difference_table_compares_only_seeds_that_both_conditions_have(evaluations):
    table = difference_table(read_evaluations(evaluations))
    assert row(table, condition="oracle", against="base", seed="all")["n"] == 4
    assert not ((table["condition"] == "oracle") & (table["seed"] == "2")).any()


def test_checkpoint_table_orders_steps_as_numbers_and_ends_in_means_over_runs(tmp_path):
    paths = []
    for seed, step, success in ((3, 10000, "11"), (4, 10000, "10"), (3, 9000, "10"), (3, 500, "00")):
        paths.append(outcomes_file(tmp_path / f"{seed}-{step}.csv", success, seed=seed, step=step))
    table = checkpoint_table(read_rollouts(paths))
    assert set(table["condition"]) == {"base"}
    assert list(zip(table["seed"], table["step"], table["rate"], strict=True)) == [
        ("3", 500, 0.0),
        ("3", 9000, 0.5),
        ("3", 10000, 1.0),
        ("4", 10000, 0.5),
        ("all", 500, 0.0),
        ("all", 9000, 0.5),
        ("all", 10000, 0.75),
    ]
    assert list(table["runs"]) == [1, 1, 1, 1, 1, 1, 2]
    assert list(table["interval"]) == ["wilson"] * 4 + ["none"] * 2 + ["t over runs"]


def test_kept_table_counts_and_measures_lengths_by_source(tmp_path):
    table = kept_table(read_scores([scores_file(tmp_path)]))
    reliable = row(table, kind="demonstration", actor="reliable", seed="1")
    assert (reliable["n"], reliable["kept"], reliable["fraction"], reliable["interval"]) == (3, 3, 1.0, "wilson")
    assert (reliable["median_length_kept"], reliable["mean_length_kept"]) == (110, 130)
    assert pd.isna(reliable["median_length_dropped"])
    unnamed = row(table, kind="demonstration", actor="unnamed", seed="1")
    assert (unnamed["median_length_kept"], unnamed["median_length_dropped"]) == (300, 200)
    everything = row(table, kind="demonstration", actor="all", seed="1")
    assert (everything["n"], everything["kept"], everything["mean_length_kept"]) == (5, 4, 172.5)
    assert row(table, kind="rollout", actor="003000", seed="1")["fraction"] == 0.0


def test_kept_table_sums_counts_over_runs_and_averages_their_shares_and_lengths(tmp_path):
    other = [(kind, source, length, 1 - kept) for kind, source, length, kept in SCORED]
    table = kept_table(read_scores([scores_file(tmp_path), scores_file(tmp_path, 2, other)]))
    found = row(table, kind="demonstration", actor="all", seed="all")
    assert (found["n"], found["kept"], found["fraction"], found["interval"]) == (10, 5, 0.5, "t over runs")
    assert (found["low"], found["high"]) == (0, 1)  # 0.8 and 0.2: t of 1 degree of freedom is 12.7
    assert found["mean_length_kept"] == (172.5 + 200) / 2
    dropped = row(table, kind="demonstration", actor="reliable", seed="all")["mean_length_dropped"]
    assert dropped == 130  # of the one run that dropped any


def test_detection_is_the_share_of_pairs_in_order(tmp_path):
    # Lengths tie in each strategy: within a fifth of the lengths there is one of both kinds of each.
    lengths, found = [100, 200, 300, 400, 500] * 2, [0.9, 0.8, 0.7, 0.6, 0.5, 0.1, 0.85, 0.2, 0.6, 0.4]
    scores = pd.DataFrame({"kind": "demonstration", "actor": ["a"] * 5 + ["b"] * 5, "length": lengths, "score": found})
    scores["seed"] = 1
    one = row(detection_table(scores, ["a"]), seed="1")
    pairs = [(x > y) + (x == y) / 2 for x in found[:5] for y in found[5:]]
    assert (one["n"], one["positive"], one["auc"]) == (10, 5, pytest.approx(sum(pairs) / 25))
    within = [(x > y) + (x == y) / 2 for x, y in zip(found[:5], found[5:], strict=True)]
    assert one["auc_within_length"] == pytest.approx(sum(within) / 5)
    assert one["auc_of_length"] == 0.5


def test_a_score_of_nothing_but_length_finds_nothing_within_lengths():
    lengths = [100] * 8 + [200] * 2 + [100] * 2 + [200] * 8
    scores = pd.DataFrame({"kind": "demonstration", "actor": ["a"] * 10 + ["b"] * 10, "length": lengths, "seed": 1})
    one = row(detection_table(scores.assign(score=-scores["length"]), ["a"]), seed="1")
    assert one["auc"] == pytest.approx(0.8)
    assert one["auc_of_length"] == pytest.approx(0.2)
    assert one["auc_within_length"] == 0.5


def test_tied_lengths_are_one_stratum_and_no_pair_leaves_an_area_empty():
    assert set(length_strata([7, 7, 7])) == {0}
    assert list(length_strata(range(10))) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    scores = pd.DataFrame({"kind": "demonstration", "actor": list("aab"), "length": 7, "score": [0.3, 0.1, 0.2]})
    both = pd.concat([scores.assign(seed=1), scores.assign(seed=2, actor="b")], ignore_index=True)
    table = detection_table(both, ["a"])
    assert list(row(table, seed="1")[["auc", "auc_within_length", "auc_of_length"]]) == [0.5, 0.5, 0.5]
    assert row(table, seed="2")[["auc", "auc_within_length", "auc_of_length"]].isna().all()
    assert (row(table, seed="all")["n"], row(table, seed="all")["positive"]) == (6, 2)
    assert list(detection_table(both, [])["positive"]) == [0, 0, 0]


def test_strata_apart_in_length_leave_the_area_within_lengths_empty():
    scores = pd.DataFrame({"kind": "demonstration", "actor": list("ab"), "length": [1, 2], "score": [1, 0], "seed": 1})
    one = row(detection_table(scores, ["a"]), seed="1")
    assert (one["auc"], one["auc_of_length"]) == (1, 0)
    assert pd.isna(one["auc_within_length"])

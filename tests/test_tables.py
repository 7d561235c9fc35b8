"""Tables against numbers worked out by hand, and the inputs that are refused."""

import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from demo_score.analysis.detection import detection_table, length_strata
from demo_score.analysis.differences import compared_conditions, difference_table
from demo_score.analysis.inputs import (
    CONDITIONS,
    CONTROLS,
    read_classifiers,
    read_evaluations,
    read_rollouts,
    read_scores,
    seed_of,
)
from demo_score.analysis.summary import summarise
from demo_score.analysis.tables import checkpoint_table, kept_table, make_tables, success_table
from demo_score.runtime.errors import UserError
from synthetic_results import write_experiment, write_table

SCRIPT = Path(__file__).resolve().parents[1] / "workflow/scripts/make_tables.py"


def outcomes(root: Path, seed: int, condition: str, success: str, first_start: int = 0, **columns) -> Path:
    """An evaluation.csv whose episodes succeed as the digits of `success` say."""
    starts = range(first_start, first_start + len(success))
    table = pd.DataFrame({"start_seed": starts, "success": [int(digit) for digit in success], "length": 100})
    return write_table(root / f"seed{seed}/{condition}/evaluation.csv", table.assign(**columns))


def row(table: pd.DataFrame, **values) -> pd.Series:
    """The one row of a table with these values."""
    chosen = table[(table[list(values)] == pd.Series(values)).all(axis=1)]
    assert len(chosen) == 1
    return chosen.iloc[0]


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
    columns = ["condition", "seed", "runs", "n", "successes", "rate", "low", "high", "interval", "mean_max_reward"]
    assert list(table) == columns
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
    told = [outcomes(tmp_path, 1, "base", "10", max_reward=[1, 0.5]), outcomes(tmp_path, 2, "base", "1", max_reward=1)]
    table = success_table(read_evaluations(told))
    assert row(table, condition="base", seed="1")["mean_max_reward"] == 0.75
    assert row(table, condition="base", seed="all")["mean_max_reward"] == 0.875
    untold = success_table(read_evaluations([*told, outcomes(tmp_path, 3, "base", "10")]))
    assert pd.isna(row(untold, condition="base", seed="all")["mean_max_reward"])


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


def test_evaluations_on_other_start_seeds_are_refused(tmp_path):
    paths = [outcomes(tmp_path, 1, "base", "0101"), outcomes(tmp_path, 1, "random", "0101", first_start=1)]
    with pytest.raises(UserError, match="start seeds differ"):
        read_evaluations(paths)


def test_evaluations_in_another_order_are_refused(tmp_path):
    paths = [outcomes(tmp_path, 1, "base", "0101"), outcomes(tmp_path, 1, "random", "0101")]
    write_table(paths[1], pd.read_csv(paths[1]).iloc[::-1])
    with pytest.raises(UserError, match="start seeds differ"):
        read_evaluations(paths)


def test_two_evaluations_of_one_condition_and_seed_are_refused(tmp_path):
    paths = [outcomes(tmp_path / name, 1, "base", "01") for name in ("one", "other")]
    with pytest.raises(UserError, match="not one new condition"):
        read_evaluations(paths)


def test_an_unknown_condition_is_refused(tmp_path):
    with pytest.raises(UserError, match="not one new condition of seed 1"):
        read_evaluations([outcomes(tmp_path, 1, "bse", "01")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CSV table"),
        ("start_seed,length\n1,2\n", "no column success"),
        ("start_seed,success,length\n", "holds no row"),
        ("start_seed,success,length\n1,2,3\n", "success must be 0 or 1"),
        ("start_seed,success,length\n1,,3\n", "success must be 0 or 1"),
    ],
)
def test_a_damaged_evaluation_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "seed1/base/evaluation.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_evaluations([path])
    assert "\n" not in str(error.value)


def test_a_missing_evaluation_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such table"):
        read_evaluations([tmp_path / "seed1/base/evaluation.csv"])


def test_seed_of_takes_the_seed_folder_and_nothing_else():
    assert seed_of(Path("results/seedling/seed10000/base/evaluation.csv")) == 10000
    with pytest.raises(UserError, match="no seed in the path"):
        seed_of(Path("results/seedling/base/evaluation.csv"))


def test_rollouts_of_a_condition_are_told_by_their_folder(tmp_path):
    folders = ("seed3/rollouts", "seed3/curated_demos/rollouts", "rollouts")
    table = pd.DataFrame({"start_seed": [5, 6], "success": [0, 1], "length": 9})
    paths = [write_table(tmp_path / folder / "000500.csv", table) for folder in folders]
    rates = checkpoint_table(read_rollouts(paths))
    assert list(zip(rates["seed"], rates["condition"], strict=True)) == [
        ("3", "base"),
        ("3", "curated_demos"),
        ("given", "base"),
        ("all", "base"),
        ("all", "curated_demos"),
    ]


def test_checkpoint_table_orders_steps_as_numbers_and_ends_in_means_over_runs(tmp_path):
    paths = []
    for seed, step, success in ((3, "10000", [1, 1]), (4, "10000", [1, 0]), (3, "9000", [1, 0]), (3, "000500", [0, 0])):
        table = pd.DataFrame({"start_seed": [5, 6], "success": success, "length": 9})
        paths.append(write_table(tmp_path / f"seed{seed}/rollouts/{step}.csv", table))
    table = checkpoint_table(read_rollouts(paths))
    columns = ["seed", "condition", "step", "runs", "n", "successes", "rate", "low", "high", "interval"]
    assert list(table) == columns
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


SCORED = [
    ("demonstration", "reliable", 100, 1),
    ("demonstration", "reliable", 110, 1),
    ("demonstration", "reliable", 180, 1),
    ("demonstration", "", 200, 0),
    ("demonstration", "", 300, 1),
    ("rollout", "003000", 400, 0),
]


def scores_file(root: Path, seed: int = 1, rows: list[tuple] = SCORED) -> Path:
    table = pd.DataFrame(rows, columns=["kind", "source", "length", "kept"])
    return write_table(root / f"seed{seed}/demo_score/scores.csv", table.assign(score=0.5, episode=range(len(table))))


def test_kept_table_counts_and_measures_lengths_by_source(tmp_path):
    table = kept_table(read_scores([scores_file(tmp_path)]))
    assert list(table)[:9] == ["seed", "kind", "source", "n", "kept", "fraction", "low", "high", "interval"]
    reliable = row(table, kind="demonstration", source="reliable", seed="1")
    assert (reliable["n"], reliable["kept"], reliable["fraction"], reliable["interval"]) == (3, 3, 1.0, "wilson")
    assert (reliable["median_length_kept"], reliable["mean_length_kept"]) == (110, 130)
    assert pd.isna(reliable["median_length_dropped"])
    unnamed = row(table, kind="demonstration", source="unnamed", seed="1")
    assert (unnamed["median_length_kept"], unnamed["median_length_dropped"]) == (300, 200)
    everything = row(table, kind="demonstration", source="all", seed="1")
    assert (everything["n"], everything["kept"], everything["mean_length_kept"]) == (5, 4, 172.5)
    assert row(table, kind="rollout", source="003000", seed="1")["fraction"] == 0.0


def test_kept_table_sums_counts_over_runs_and_averages_their_shares_and_lengths(tmp_path):
    other = [(kind, source, length, 1 - kept) for kind, source, length, kept in SCORED]
    table = kept_table(read_scores([scores_file(tmp_path), scores_file(tmp_path, 2, other)]))
    found = row(table, kind="demonstration", source="all", seed="all")
    assert (found["n"], found["kept"], found["fraction"], found["interval"]) == (10, 5, 0.5, "t over runs")
    assert (found["low"], found["high"]) == (0, 1)  # 0.8 and 0.2: t of 1 degree of freedom is 12.7
    assert found["mean_length_kept"] == (172.5 + 200) / 2
    dropped = row(table, kind="demonstration", source="reliable", seed="all")["mean_length_dropped"]
    assert dropped == 130  # of the one run that dropped any


def test_detection_is_the_share_of_pairs_in_order(tmp_path):
    # Lengths tie in each strategy: within a fifth of the lengths there is one of both kinds of each.
    lengths, found = [100, 200, 300, 400, 500] * 2, [0.9, 0.8, 0.7, 0.6, 0.5, 0.1, 0.85, 0.2, 0.6, 0.4]
    scores = pd.DataFrame({"kind": "demonstration", "source": ["a"] * 5 + ["b"] * 5, "length": lengths, "score": found})
    scores["seed"] = 1
    one = row(detection_table(scores, ["a"]), seed="1")
    pairs = [(x > y) + (x == y) / 2 for x in found[:5] for y in found[5:]]
    assert (one["n"], one["positive"], one["auc"]) == (10, 5, pytest.approx(sum(pairs) / 25))
    within = [(x > y) + (x == y) / 2 for x, y in zip(found[:5], found[5:], strict=True)]
    assert one["auc_within_length"] == pytest.approx(sum(within) / 5)
    assert one["auc_of_length"] == 0.5


def test_a_score_of_nothing_but_length_finds_nothing_within_lengths():
    lengths = [100] * 8 + [200] * 2 + [100] * 2 + [200] * 8
    scores = pd.DataFrame({"kind": "demonstration", "source": ["a"] * 10 + ["b"] * 10, "length": lengths, "seed": 1})
    one = row(detection_table(scores.assign(score=-scores["length"]), ["a"]), seed="1")
    assert one["auc"] == pytest.approx(0.8)
    assert one["auc_of_length"] == pytest.approx(0.2)
    assert one["auc_within_length"] == 0.5


def test_tied_lengths_are_one_stratum_and_no_pair_leaves_an_area_empty():
    assert set(length_strata([7, 7, 7])) == {0}
    assert list(length_strata(range(10))) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    scores = pd.DataFrame({"kind": "demonstration", "source": list("aab"), "length": 7, "score": [0.3, 0.1, 0.2]})
    both = pd.concat([scores.assign(seed=1), scores.assign(seed=2, source="b")], ignore_index=True)
    table = detection_table(both, ["a"])
    assert list(row(table, seed="1")[["auc", "auc_within_length", "auc_of_length"]]) == [0.5, 0.5, 0.5]
    assert row(table, seed="2")[["auc", "auc_within_length", "auc_of_length"]].isna().all()
    assert (row(table, seed="all")["n"], row(table, seed="all")["positive"]) == (6, 2)
    assert list(detection_table(both, [])["positive"]) == [0, 0, 0]


def test_strata_apart_in_length_leave_the_area_within_lengths_empty():
    scores = pd.DataFrame({"kind": "demonstration", "source": list("ab"), "length": [1, 2], "score": [1, 0], "seed": 1})
    one = row(detection_table(scores, ["a"]), seed="1")
    assert (one["auc"], one["auc_of_length"]) == (1, 0)
    assert pd.isna(one["auc_within_length"])


def test_a_classifier_without_a_threshold_is_refused(tmp_path):
    path = tmp_path / "seed1/demo_score/classifier.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump({"file": "a.safetensors", "model_arch": "small", "member": 0}))
    with pytest.raises(UserError, match="has no key threshold"):
        read_classifiers([path])


def arguments(paths: dict[str, list[Path]], out: Path) -> dict:
    return {name: paths[name] for name in ("evaluations", "rollouts", "scores", "classifiers")} | {"out": out}


def test_make_tables_writes_the_same_bytes_whatever_the_order_of_its_inputs(tmp_path):
    paths = write_experiment(tmp_path, n=40)
    make_tables(**arguments(paths, tmp_path / "first"), oracle=["reliable"])
    reversed_paths = {name: files[::-1] for name, files in paths.items()}
    make_tables(**arguments(reversed_paths, tmp_path / "second"), oracle=["reliable"])
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    tables = ("success", "differences", "detection", "checkpoints", "kept", "classifiers")
    assert names == sorted([f"{name}.csv" for name in tables] + ["summary.md"])
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_numbers_are_written_with_six_significant_digits(tmp_path):
    make_tables(**arguments(write_experiment(tmp_path, seeds=(1, 2, 3), n=30), tmp_path / "tables"))
    for rate in pd.read_csv(tmp_path / "tables/success.csv", dtype=str)["low"].dropna():
        assert rate == f"{float(rate):.6g}"


def test_without_an_oracle_there_is_no_detection(tmp_path):
    summary = make_tables(**arguments(write_experiment(tmp_path, seeds=(1,), n=20), tmp_path / "tables"))
    assert not (tmp_path / "tables/detection.csv").exists()
    assert "AUC" not in summary


def test_summary_says_in_numbers_when_curation_hurts(tmp_path):
    paths = write_experiment(tmp_path / "other", seeds=(1,))
    paths["evaluations"] = [
        outcomes(tmp_path / "bad", seed, condition, success)
        for seed, condition, success in (
            *((1, "base", "11110"), (1, "curated_demos", "10000"), (1, "random", "11000")),
            *((2, "base", "11111"), (2, "curated_demos", "10000"), (2, "random", "01111")),
            *((3, "base", "00000"), (3, "curated_demos", "10000"), (3, "random", "00000")),
        )
    ]
    summary = make_tables(**arguments(paths, tmp_path / "tables"))
    assert "| Condition | Success, mean over 3 runs (%) | n | Runs 1, 2, 3 (%) | Minus base (points) |" in summary
    # Differences -0.6, -0.8, +0.2: mean -0.4, standard deviation 0.52915, times 4.302653 / sqrt(3).
    points = "-40.0 [-171.4, +91.4]"
    assert f"| Curated (demos) | 20.0 [20.0, 20.0] | 15 | 20.0, 20.0, 20.0 | {points} |" in summary
    assert f"Curated (demos): {points} points against Base policy (all demos) (3 runs, 15 paired starts;" in summary
    assert "1 of 3 runs above 0, 2 below; sign-flip p = 0.5, Holm p = 1;" in summary
    assert "points against Random subset, equal size (3 runs" in summary


def test_summary_of_one_run_says_that_it_gives_no_interval_over_runs(tmp_path):
    paths = write_experiment(tmp_path / "other", seeds=(1,))
    paths["evaluations"] = [outcomes(tmp_path, 1, "base", "11110"), outcomes(tmp_path, 1, "curated_demos", "10000")]
    summary = make_tables(**arguments(paths, tmp_path / "tables"))
    assert "| Curated (demos) | 20.0 | 5 | 20.0 | -60.0 | – |" in summary
    assert "One run gives no interval over runs" in summary
    assert "t interval" not in summary and "nan" not in summary


def test_summary_without_a_second_condition_compares_nothing(tmp_path):
    paths = write_experiment(tmp_path / "other", seeds=(1,)) | {"evaluations": [outcomes(tmp_path, 1, "base", "11110")]}
    summary = make_tables(**arguments(paths, tmp_path / "tables"))
    assert "| Base policy (all demos) | 80.0 | 5 | 80.0 | – | – |" in summary
    assert "points against" not in summary


@pytest.mark.parametrize(("reward", "shown"), [([1, 0.4, 0.6], True), ([1, 0, 0], False), ([4, 2, 1], False)])
def test_summary_shows_rewards_that_are_shares(tmp_path, reward, shown):
    paths = write_experiment(tmp_path / "other", seeds=(1,))
    paths["evaluations"] = [outcomes(tmp_path, 1, "base", "100", max_reward=reward)]
    summary = make_tables(**arguments(paths, tmp_path / "tables"))
    assert ("| Mean max. reward |" in summary) == shown
    assert ("| 33.3 | 3 | 33.3 | 0.67 |" in summary) == shown


def test_command_prints_the_summary_and_writes_the_tables(tmp_path):
    paths = arguments(write_experiment(tmp_path, n=20), [tmp_path / "tables"]) | {"oracle": ["reliable"]}
    command = [word for name, files in paths.items() for word in (f"--{name}", *map(str, files))]
    done = subprocess.run([sys.executable, SCRIPT, *command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("| Condition |")
    assert (tmp_path / "tables/summary.md").read_text() == done.stdout[:-1]
    detected = pd.read_csv(tmp_path / "tables/detection.csv").iloc[-1]
    assert (detected["seed"], detected["n"], detected["positive"]) == ("all", 900, 360)
    assert f"AUC {detected['auc']:.2f}, among like lengths {detected['auc_within_length']:.2f}" in done.stdout


def test_command_reports_bad_input_in_one_line(tmp_path, monkeypatch, capsys):
    paths = arguments(write_experiment(tmp_path, n=20), [tmp_path / "tables"])
    paths["scores"] = [tmp_path / "seed10000/absent.csv"]
    command = [word for name, files in paths.items() for word in (f"--{name}", *map(str, files))]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *command])
    with pytest.raises(SystemExit) as exit_status:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert exit_status.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "tables").exists()


def test_summary_says_what_was_kept_and_warns_of_lengths(tmp_path: Path) -> None:
    rows = [("demonstration", "reliable", 230, 1), ("demonstration", "fast", 200, 0)]
    scores = pd.DataFrame(rows, columns=["kind", "source", "length", "kept"])
    both = pd.concat([scores.assign(seed=1), scores.assign(seed=2, kept=1)], ignore_index=True)
    tested = read_evaluations([outcomes(tmp_path, seed, "base", "01") for seed in (1, 2)])
    tables = {"success": success_table(tested), "differences": difference_table(tested), "kept": kept_table(both)}
    text = summarise(tables, problems=0)
    assert "Kept demonstrations, 2 runs: 1 of 2 fast (by run 0, 1), 2 of 2 reliable (by run 1, 1); mean length" in text
    longer = {**tables, "kept": kept_table(scores.assign(seed=1))}
    assert "1 run: 0 of 1 fast, 1 of 1 reliable; mean length kept 230, dropped 200" in summarise(longer, problems=0)
    assert "add length_matched" in summarise(longer, problems=0)
    shorter = kept_table(scores.assign(seed=1).replace({"length": {200: 225}}))
    assert "add length_matched" not in summarise({**tables, "kept": shorter}, problems=0)


def test_summary_without_tests_shows_each_checkpoint_once(tmp_path):
    paths = arguments(write_experiment(tmp_path, seeds=(1, 2), n=20), tmp_path / "tables") | {"evaluations": []}
    lines = make_tables(**paths).splitlines()
    assert lines[0] == "| Checkpoint | Rollouts | Success (%) |"
    assert [line[:16] for line in lines if line.startswith("| 003000")] == ["| 003000 | 200 |"]
    rollouts = [outcomes(tmp_path, 1, "rollouts", "1011").rename(tmp_path / "seed1/rollouts/000020.csv")]
    one = make_tables(**paths | {"rollouts": rollouts, "out": tmp_path / "one"})
    assert "| 000020 | 4 | 75.0 [30.1, 95.4] |" in one  # Wilson by hand: above

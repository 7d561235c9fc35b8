"""The summary of an experiment, and the command that makes it with all tables."""

import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from demo_score.analysis.differences import difference_table
from demo_score.analysis.inputs import read_evaluations
from demo_score.analysis.summary import summarise
from demo_score.analysis.tables import architecture_table, kept_table, make_tables, success_table
from made_tables import architectures_file, arguments, outcomes, outcomes_file, row
from places import SCRIPTS
from synthetic_results import write_experiment

SCRIPT = SCRIPTS / "make_tables.py"


def test_make_tables_writes_the_same_bytes_whatever_the_order_of_its_inputs(tmp_path):
    paths = write_experiment(tmp_path, n=40)
    make_tables(**arguments(paths, tmp_path / "first"), oracle=["reliable"], architectures=[])
    reversed_paths = {name: files[::-1] for name, files in paths.items()}
    make_tables(**arguments(reversed_paths, tmp_path / "second"), oracle=["reliable"], architectures=[])
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    tables = ("success", "differences", "detection", "checkpoints", "kept", "classifiers", "architectures")
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


def test_architectures_are_compared_over_runs(tmp_path):
    paths = write_experiment(tmp_path, seeds=(1, 2), n=20)
    joints, looks = "observation.state", "observation.state, policy.features"
    of_runs = [
        architectures_file(
            tmp_path, 1, {"small": (joints, 0.9, 0.8, 10, 5, 6, 4), "wide": (looks, 0.7, 0.5, 10, 3, 6, 2)}
        ),
        architectures_file(
            tmp_path, 2, {"small": (joints, 0.8, 0.6, 10, 7, 6, 6), "wide": (looks, 0.9, 0.9, 10, 4, 6, 4)}
        ),
    ]
    summary = make_tables(**arguments(paths, tmp_path / "tables"), oracle=["reliable"], architectures=of_runs[::-1])
    table = pd.read_csv(tmp_path / "tables/architectures.csv")
    assert len(table) == 6
    mean = row(table, seed="all", model_arch="small")
    assert mean[["cross_val_auc", "auc"]].tolist() == pytest.approx([0.85, 0.7])
    assert mean[["n", "kept", "positive", "positive_kept"]].tolist() == [20, 12, 12, 10]
    assert row(table, seed="2", model_arch="wide")["kept"] == 4
    assert (
        f"| small | {joints} | 0.85 | 0.70 | 10 of 12 | 2 of 8 |\n| wide | {looks} | 0.80 | 0.70 | 6 of 12 |" in summary
    )
    unknown = [architectures_file(tmp_path, 1, {"small": (joints, 0.9, None, 10, 5, 0, 0)})]
    summary = make_tables(**arguments(paths, tmp_path / "tables"), architectures=unknown)
    assert "| Architecture | Inputs | Held-out AUC | Would keep |\n" in summary
    assert f"| small | {joints} | 0.90 | 5 of 10 |" in summary


def test_where_there_is_one_architecture_its_table_is_empty(tmp_path):
    paths = write_experiment(tmp_path, seeds=(1,), n=20)
    summary = make_tables(**arguments(paths, tmp_path / "tables"), architectures=[])
    assert (tmp_path / "tables/architectures.csv").read_text().startswith("seed,model_arch,inputs,")
    assert len((tmp_path / "tables/architectures.csv").read_text().splitlines()) == 1
    assert "| Architecture |" not in summary


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
    scores = pd.DataFrame(rows, columns=["kind", "actor", "length", "kept"])
    both = pd.concat([scores.assign(seed=1), scores.assign(seed=2, kept=1)], ignore_index=True)
    tested = read_evaluations([outcomes(tmp_path, seed, "base", "01") for seed in (1, 2)])
    tables = {"success": success_table(tested), "differences": difference_table(tested), "kept": kept_table(both)}
    tables["architectures"] = architecture_table([])
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
    rollouts = [outcomes_file(tmp_path / "rollouts.csv", "1011", step=20)]
    one = make_tables(**paths | {"rollouts": rollouts, "out": tmp_path / "one"})
    assert "| 000020 | 4 | 75.0 [30.1, 95.4] |" in one  # Wilson by hand: above

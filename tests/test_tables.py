"""Tables against numbers worked out by hand, and the inputs that are refused."""

import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from demo_score.errors import UserError
from demo_score.evaluation.inputs import read_classifiers, read_evaluations, read_rollouts, read_scores, seed_of
from demo_score.evaluation.summary import summarise
from demo_score.evaluation.tables import checkpoint_table, difference_table, kept_table, make_tables, success_table
from synthetic_results import write_experiment, write_table

SCRIPT = Path(__file__).resolve().parents[1] / "workflow/scripts/make_tables.py"


def outcomes(root: Path, seed: int, arm: str, success: str, first_start: int = 0) -> Path:
    """An evaluation.csv whose episodes succeed as the digits of `success` say."""
    starts = range(first_start, first_start + len(success))
    table = pd.DataFrame({"start_seed": starts, "success": [int(digit) for digit in success], "length": 100})
    return write_table(root / f"seed{seed}/{arm}/evaluation.csv", table)


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


def test_success_table_counts_each_arm_by_seed_and_pooled(evaluations):
    table = success_table(read_evaluations(evaluations))
    assert list(table) == ["arm", "seed", "n", "successes", "rate", "low", "high"]
    assert list(dict.fromkeys(table["arm"])) == ["base", "curated_demos", "random", "oracle"]
    assert list(table["seed"])[:3] == ["1", "2", "pooled"]
    pooled = row(table, arm="curated_demos", seed="pooled")
    assert (pooled["n"], pooled["successes"], pooled["rate"]) == (8, 6, 0.75)
    # Wilson by hand for 6 of 8: (p + z2/2n ± z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n), z = 1.959964.
    assert (pooled["low"], pooled["high"]) == pytest.approx((0.409275, 0.928521), abs=1e-5)
    assert row(table, arm="oracle", seed="pooled")["n"] == 4


def test_difference_table_pairs_the_same_starts(evaluations):
    table = difference_table(read_evaluations(evaluations))
    pooled = row(table, arm="curated_demos", against="base", seed="pooled")
    assert (pooled["n"], pooled["difference"], pooled["only_arm"], pooled["only_against"]) == (8, 0.375, 4, 1)
    assert pooled["mcnemar_p"] == pytest.approx(2 * (1 + 5) / 2**5)
    first = row(table, arm="curated_demos", against="random", seed="1")
    assert (first["n"], first["difference"], first["only_arm"], first["only_against"]) == (4, 0.75, 3, 0)
    assert set(zip(table["arm"], table["against"], strict=True)) == {
        (arm, against)
        for arm in ("base", "curated_demos", "random", "oracle")
        for against in ("base", "random")
        if arm != against
    }


def test_difference_table_compares_only_seeds_that_both_arms_have(evaluations):
    table = difference_table(read_evaluations(evaluations))
    assert row(table, arm="oracle", against="base", seed="pooled")["n"] == 4
    assert not ((table["arm"] == "oracle") & (table["seed"] == "2")).any()


def test_evaluations_on_other_start_seeds_are_refused(tmp_path):
    paths = [outcomes(tmp_path, 1, "base", "0101"), outcomes(tmp_path, 1, "random", "0101", first_start=1)]
    with pytest.raises(UserError, match="start seeds differ"):
        read_evaluations(paths)


def test_evaluations_in_another_order_are_refused(tmp_path):
    paths = [outcomes(tmp_path, 1, "base", "0101"), outcomes(tmp_path, 1, "random", "0101")]
    write_table(paths[1], pd.read_csv(paths[1]).iloc[::-1])
    with pytest.raises(UserError, match="start seeds differ"):
        read_evaluations(paths)


def test_two_evaluations_of_one_arm_and_seed_are_refused(tmp_path):
    paths = [outcomes(tmp_path / name, 1, "base", "01") for name in ("one", "other")]
    with pytest.raises(UserError, match="not one new arm"):
        read_evaluations(paths)


def test_an_unknown_arm_is_refused(tmp_path):
    with pytest.raises(UserError, match="not one new arm of seed 1"):
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


def test_rollouts_of_an_arm_are_told_by_their_folder(tmp_path):
    folders = ("seed3/rollouts", "seed3/curated_demos/rollouts", "rollouts")
    table = pd.DataFrame({"start_seed": [5, 6], "success": [0, 1], "length": 9})
    paths = [write_table(tmp_path / folder / "000500.csv", table) for folder in folders]
    rates = checkpoint_table(read_rollouts(paths))
    assert list(zip(rates["seed"], rates["arm"], strict=True)) == [
        (3, "base"),
        (3, "curated_demos"),
        ("given", "base"),
    ]


def test_checkpoint_table_orders_steps_as_numbers(tmp_path):
    paths = []
    for step, success in (("10000", [1, 1]), ("9000", [1, 0]), ("000500", [0, 0])):
        table = pd.DataFrame({"start_seed": [5, 6], "success": success, "length": 9})
        paths.append(write_table(tmp_path / f"seed3/rollouts/{step}.csv", table))
    table = checkpoint_table(read_rollouts(paths))
    assert list(table) == ["seed", "arm", "step", "n", "successes", "rate", "low", "high"]
    assert set(table["arm"]) == {"base"}
    assert list(zip(table["seed"], table["step"], table["rate"], strict=True)) == [
        (3, 500, 0.0),
        (3, 9000, 0.5),
        (3, 10000, 1.0),
    ]


def scores_file(root: Path) -> Path:
    rows = [
        ("demonstration", "reliable", 100, 1),
        ("demonstration", "reliable", 110, 1),
        ("demonstration", "reliable", 180, 1),
        ("demonstration", "", 200, 0),
        ("demonstration", "", 300, 1),
        ("rollout", "003000", 400, 0),
    ]
    table = pd.DataFrame(rows, columns=["kind", "source", "length", "kept"])
    return write_table(root / "seed1/demo_score/scores.csv", table.assign(score=0.5, episode=range(len(table))))


def test_kept_table_counts_and_measures_lengths_by_source(tmp_path):
    table = kept_table(read_scores([scores_file(tmp_path)]))
    reliable = row(table, kind="demonstration", source="reliable")
    assert (reliable["n"], reliable["kept"], reliable["fraction"]) == (3, 3, 1.0)
    assert (reliable["median_length_kept"], reliable["mean_length_kept"]) == (110, 130)
    assert pd.isna(reliable["median_length_dropped"])
    unnamed = row(table, kind="demonstration", source="unnamed")
    assert (unnamed["median_length_kept"], unnamed["median_length_dropped"]) == (300, 200)
    everything = row(table, kind="demonstration", source="all")
    assert (everything["n"], everything["kept"], everything["mean_length_kept"]) == (5, 4, 172.5)
    assert row(table, kind="rollout", source="003000")["fraction"] == 0.0


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
    make_tables(**arguments(paths, tmp_path / "first"))
    make_tables(**arguments({name: files[::-1] for name, files in paths.items()}, tmp_path / "second"))
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == sorted(
        [f"{name}.csv" for name in ("success", "differences", "checkpoints", "kept", "classifiers")] + ["summary.md"]
    )
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_numbers_are_written_with_six_significant_digits(tmp_path):
    make_tables(**arguments(write_experiment(tmp_path, seeds=(1,), n=30), tmp_path / "tables"))
    for rate in pd.read_csv(tmp_path / "tables/success.csv", dtype=str)["low"]:
        assert rate == f"{float(rate):.6g}"


def test_summary_says_in_numbers_when_curation_hurts(tmp_path, evaluations):
    paths = write_experiment(tmp_path / "other")
    paths["evaluations"] = [
        outcomes(tmp_path / "bad", 1, "base", "11110"),
        outcomes(tmp_path / "bad", 1, "curated_demos", "10000"),
    ]
    summary = make_tables(**arguments(paths, tmp_path / "tables"))
    assert "| Curated (demos) | 20.0 [3.6, 62.4] | 5 | 20.0 | -60.0 [" in summary
    assert "Curated (demos): -60.0 [" in summary
    assert "against Base policy (all demos) (n = 5 paired episodes, p = 0.25)." in summary


def test_summary_without_a_second_arm_compares_nothing(tmp_path):
    paths = write_experiment(tmp_path / "other") | {"evaluations": [outcomes(tmp_path, 1, "base", "11110")]}
    assert "nothing to compare with" in make_tables(**arguments(paths, tmp_path / "tables"))


def test_command_prints_the_summary_and_writes_the_tables(tmp_path):
    paths = arguments(write_experiment(tmp_path, n=20), [tmp_path / "tables"])
    command = [word for name, files in paths.items() for word in (f"--{name}", *map(str, files))]
    done = subprocess.run([sys.executable, SCRIPT, *command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("| Arm |")
    assert (tmp_path / "tables/summary.md").read_text() == done.stdout[:-1]


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
    scores = pd.DataFrame(rows, columns=["kind", "source", "length", "kept"]).assign(seed="10000")
    success = pd.DataFrame({"arm": ["base"], "seed": ["pooled"], "rate": [0.5], "low": [0.4], "high": [0.6], "n": [9]})
    tables = {"success": success, "differences": pd.DataFrame(), "kept": kept_table(scores)}
    text = summarise(tables, problems=0)
    assert "seed 10000: 0 of 1 fast, 1 of 1 reliable; mean length kept 230, dropped 200" in text
    assert "add length_matched" in text
    shorter = kept_table(scores.replace({"length": {200: 225}}))
    assert "add length_matched" not in summarise({**tables, "kept": shorter}, problems=0)

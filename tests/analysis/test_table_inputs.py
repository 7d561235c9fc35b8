"""The files that tables are made of: what they must say, and those that are refused."""

import pandas as pd
import pytest
import yaml
from conftest import one_line_error
from demo_score.analysis.inputs import read_classifiers, read_evaluations, read_rollouts
from demo_score.analysis.tables import checkpoint_table
from demo_score.runtime.errors import UserError
from made_tables import outcomes, outcomes_file
from synthetic_results import write_table

HEADER = "seed,condition,step,start_seed,success,length,max_reward\n"


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
    with pytest.raises(UserError, match="names the condition bse, which there is not"):
        read_evaluations([outcomes(tmp_path, 1, "bse", "01")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CSV table"),
        (HEADER.replace("success,", "") + "1,base,500,1,3,\n", "no column success"),
        (HEADER, "holds no row"),
        (HEADER + "1,base,500,1,2,3,\n", "row 1: success must be 0 or 1, not '2'"),
        (HEADER + "1,base,500,1,,3,\n", "row 1: success must be 0 or 1, not ''"),
        (HEADER + "1,base,500,1,1,3,\n1,base,500,1.5,1,3,\n", "row 2: start_seed must be a whole number"),
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


def test_rollouts_say_of_which_run_condition_and_checkpoint_they_are(tmp_path):
    supplied = tmp_path / "000500.csv"
    write_table(
        supplied, pd.DataFrame({"file": ["a", "a"], "episode": [0, 1], "success": [0, 1], "checkpoint": "000500"})
    )
    both = [outcomes_file(tmp_path / f"{name}.csv", "01", seed=3, condition=name) for name in ("base", "curated_demos")]
    rates = checkpoint_table(read_rollouts([*both, supplied]))
    assert list(zip(rates["seed"], rates["condition"], strict=True)) == [
        ("3", "base"),
        ("3", "curated_demos"),
        ("user", "base"),
        ("all", "base"),
        ("all", "curated_demos"),
    ]
    assert set(rates["step"]) == {500}


@pytest.mark.parametrize(
    ("column", "message"),
    [("seed", "--run-seed"), ("condition", "--condition"), ("step", "which checkpoint acted")],
)
def test_rollouts_that_do_not_say_what_they_are_of_are_refused(tmp_path, column, message):
    with one_line_error(tmp_path / "a.csv", message):
        read_rollouts([outcomes_file(tmp_path / "a.csv", "01", **{column: ""})])


def test_a_classifier_without_a_threshold_is_refused(tmp_path):
    path = tmp_path / "seed1/demo_score/classifier.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump({"file": "a.safetensors", "model_arch": "small", "member": 0}))
    with pytest.raises(UserError, match="has no key threshold"):
        read_classifiers([path])

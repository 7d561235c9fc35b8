"""config.yaml: the one that is delivered works, and one line says which key of others is wrong."""

import copy
import os
import subprocess
import sys

import pytest
import yaml
from configurations import check_experiment, delivered, first_experiment
from conftest import one_line_error
from demo_score.config.models.experiment import Config
from demo_score.experiments.checks import check_config
from demo_score.runtime.errors import UserError
from places import REPOSITORY


@pytest.fixture
def config() -> dict:
    """The delivered configuration with its first experiment only."""
    return first_experiment()


@pytest.fixture
def experiment(config) -> dict:
    return config["experiments"][config["run"][0]]


@pytest.mark.parametrize("path", ["config.yaml", "tests/tiny/config.yaml", "tests/tiny/images.yaml"])
def test_delivered_configuration_passes(path) -> None:
    values = yaml.safe_load((REPOSITORY / path).read_text())
    check_config(values)


def test_experiments_of_the_delivered_configuration_share_no_seeds() -> None:
    """A confirmation on seeds that a choice of settings has seen would confirm nothing."""
    experiments = [experiment for experiment in delivered()["experiments"].values() if "env" in experiment]
    seeds = [(experiment["env"], seed) for experiment in experiments for seed in experiment["seeds"]]
    demonstrations = [d["seed"] for e in experiments for d in e["demonstrations"].values() if "seed" in d]
    assert len(set(seeds)) == len(seeds) and len(set(demonstrations)) == len(demonstrations)


def test_experiment_to_run_must_exist(config) -> None:
    config["run"].append("no_such")
    with one_line_error("run", "no_such", next(iter(config["experiments"]))):
        check_config(config)


def test_wrong_experiment_is_named(config, experiment) -> None:
    experiment["final_policy"]["oracle"] = ["perfect"]
    with one_line_error(f"experiments.{config['run'][0]}: final_policy.oracle: perfect"):
        check_config(config)


@pytest.mark.parametrize(
    ("keys", "value", "parts"),
    [
        ((), None, ["seed_ofset"]),
        (("rollouts",), None, ["rollouts", "seed_ofset"]),
        (("demo_score",), None, ["demo_score", "seed_ofset"]),
        (("demonstrations", "reliable"), None, ["demonstrations.reliable", "seed_ofset"]),
        (("rollouts", "n_episodes"), 0, ["rollouts.n_episodes", "0"]),
        (("rollouts", "n_episodes"), "many", ["rollouts.n_episodes", "many"]),
        (("rollouts", "eps"), [3000], ["rollouts.eps.0", "3000"]),
        (("rollouts", "eps"), ["3000"], ["rollouts.eps.0", "3000"]),
        (("rollouts", "eps"), [], ["rollouts.eps"]),
        (("rollouts", "overrides"), ["a b"], ["rollouts.overrides.0"]),
        (("seeds",), [1, 1], ["seeds"]),
        (("demo_score", "threshold"), "median", ["demo_score.threshold", "median", "balanced"]),
        (("final_policy", "conditions"), ["best"], ["final_policy.conditions.0", "best", "oracle"]),
        (("rollouts", "n_episodes"), 60.0, ["rollouts.n_episodes: 60.0 is not a whole number", "write 60"]),
        (("rollouts", "seed_offset"), 2000.0, ["rollouts.seed_offset: 2000.0", "write 2000"]),
        (("demonstrations", "reliable", "seed"), 1.0e6, ["demonstrations.reliable.seed", "write 1000000"]),
        (("evaluation", "n_episodes"), 200.5, ["evaluation.n_episodes: 200.5 is not a whole number"]),
        (("evaluation", "n_episodes"), True, ["evaluation.n_episodes: true is not a whole number"]),
        (
            ("evaluation", "n_episodes"),
            "1e3",
            ["evaluation.n_episodes: '1e3'", "to YAML it is a text: write 1000, without"],
        ),
        (("seeds",), [10**20 - 1], ["seeds.0", "99999999999999999999", "at most 4294967295"]),
        (("seeds",), [-1], ["seeds.0: -1", "at least 0"]),
        (("rollouts", "success_reward"), float("nan"), ["rollouts.success_reward: .nan is not a number"]),
        (("rollouts", "success_reward"), float("inf"), ["rollouts.success_reward: .inf is not a number"]),
        (("rollouts", "overrides"), ["training.lr"], ["rollouts.overrides.0: 'training.lr'", "KEY=VALUE"]),
    ],
)
def test_schema_names_what_is_wrong(config, experiment, keys, value, parts) -> None:
    """Without a value: an unknown key is added."""
    target = experiment
    for key in keys if value is None else keys[:-1]:
        target = target[key]
    target["seed_ofset" if value is None else keys[-1]] = 1 if value is None else value
    with one_line_error(f"config: experiments.{config['run'][0]}", *parts):
        Config.read(config, "config")


def test_a_mistake_that_others_inherit_is_named_where_it_stands() -> None:
    """YAML's anchors stand above their aliases: the first is the one that was edited."""
    values = delivered()
    default, *others = list(values["experiments"])
    values["experiments"][default]["rollouts"]["n_episodes"] = 0  # shared with six others, as in the file
    heirs = [name for name in others if values["experiments"][name]["rollouts"].get("n_episodes") == 0]
    assert len(heirs) == 6
    with one_line_error(f"config: experiments.{default}.rollouts.n_episodes: 0", f"likewise in {', '.join(heirs)}"):
        Config.read(values, "config")


def test_a_mistake_of_one_heir_is_named_there() -> None:
    values = copy.deepcopy(delivered())
    values["experiments"]["aloha_cube"]["evaluation"] = {"n_episodes": 0, "seed_offset": 1, "overrides": []}
    with pytest.raises(UserError, match=r"^config: experiments.aloha_cube.evaluation.n_episodes: 0 is [^(]*$"):
        Config.read(values, "config")


def test_an_experiment_is_run_once(config) -> None:
    config["run"] *= 2
    with one_line_error(f"config: run: '{config['run'][0]}' is there twice; remove one"):
        Config.read(config, "config")


def test_an_experiment_s_name_becomes_part_of_paths(config, experiment) -> None:
    config["experiments"]["my experiment"] = experiment
    with one_line_error("config: experiments: 'my experiment' is not a name of letters, digits and _"):
        Config.read(config, "config")


@pytest.mark.parametrize("key", ["seeds", "demonstrations", "rollouts", "classifiers", "demo_score"])
def test_schema_names_what_is_missing(config, experiment, key) -> None:
    del experiment[key]
    with one_line_error("config", key, "required"):
        Config.read(config, "config")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"epocs": 3}, ["epocs"]),
        ({"lr": [-1]}, ["lr.0", "-1"]),
        ({"lr": [float("nan")]}, ["lr.0: .nan is not a number"]),
        ({"weight_decay": [float("inf")]}, ["weight_decay.0: .inf is not a number"]),
        ({"lr": ["1e-3"]}, ["lr.0", "write 0.001"]),
        ({"batch_size": 1024.0}, ["batch_size: 1024.0 is not a whole number", "write 1024"]),
        ({"seeds": [2**32]}, ["seeds.0", "at most 4294967295"]),
        ({"lr": [0.1, 0.1]}, ["lr: 0.1 is there twice"]),
        ({"model_archs": {"mine": {"type": "stepwise", "hidden_size": [8], "dropout": 0.1}}}, ["mine", "hidden_size"]),
        ({"model_archs": {"mine": {"type": "forest"}}}, ["mine", "forest", "stepwise"]),
    ],
)
def test_classifier_setting_that_is_wrong_is_named(experiment, change, parts) -> None:
    experiment["classifiers"] |= change
    with one_line_error("classifiers", *parts):
        check_experiment(experiment)


def test_only_what_runs_must_lie_where_it_is_said_to(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    values = delivered()
    check_config(values)
    values["run"] = ["bring_your_own"]
    with one_line_error("bring_your_own", "demonstrations.mine.path", "nothing lies at tests/data"):
        check_config(values)


def test_the_configuration_is_checked_without_the_libraries_that_read_data() -> None:
    """Snakemake starts anew for every job on a cluster."""
    heavy = ("torch", "pandas", "pyarrow", "av", "cv2", "h5py")
    script = f"import sys, demo_score.experiments.checks; print([name for name in {heavy} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow")}
    output = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert output.stdout == "[]\n"

"""Configurations for tests: the delivered one, parts of it, and the checks of a part as if it were all."""

import copy

import yaml
from demo_score.config.models.experiment import Experiment
from demo_score.experiments import checks
from places import REPOSITORY


def delivered() -> dict:
    """config.yaml."""
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def first_experiment() -> dict:
    """config.yaml with its first experiment only; none of its parts is shared."""
    values = delivered()
    name = values["run"][0]
    return {"run": [name], "experiments": {name: copy.deepcopy(values["experiments"][name])}}


def read_experiment(values: dict) -> Experiment:
    """The model of a plain experiment; it names what is wrong with `experiment` in front."""
    return Experiment.read(values, "experiment")


def check_experiment(values: dict) -> None:
    """All checks of a plain experiment."""
    checks.check_experiment(read_experiment(values))

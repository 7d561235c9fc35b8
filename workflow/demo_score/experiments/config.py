"""The settings that Hydra composes for the stages of an experiment, and what follows from them."""

import json
from functools import cache
from pathlib import Path

from omegaconf import DictConfig

from demo_score.conditions import BASE
from demo_score.config.models.experiment import POLICY_STAGES, Experiment
from demo_score.config.store import compose_stored, mark
from demo_score.training.steps import checkpoint_name, saved_steps


def training_stage(condition: str) -> str:
    """The stage that trains a condition's policy."""
    return "base_policy" if condition == BASE else "final_policy"


def environment_settings(experiment: Experiment) -> DictConfig:
    """The resolved settings `env` that hold for the whole experiment: those of its demonstrations."""
    return _compose(tuple(experiment.stage_overrides("demonstrations")), complete=False).env


def stage_settings(experiment: Experiment, stage: str) -> DictConfig:
    """The resolved settings of a stage; its seed, which differs between runs, is 0."""
    overrides, trained = experiment.stage_overrides(stage), stage
    if stage not in POLICY_STAGES:  # these change the settings stored with a checkpoint
        trained = "base_policy" if experiment.base_policy else "final_policy"
        overrides = experiment.stage_overrides(trained) + overrides
    if trained == "base_policy" and experiment.takes_base_policy():
        taken = experiment.base_policy
        return _taken(taken.checkpoint(taken.names()[-1], experiment.seeds[0]), (*overrides, "seed=0"))
    return _compose((*overrides, "seed=0"))


def keep_settings(folder: Path) -> None:
    """Keep composed settings in files there, for the jobs and runs to come."""
    _Store.folder = folder


def passed_before(experiment: Experiment) -> Path | None:
    """The file that is there when the experiment has passed its checks before; None: nothing is kept."""
    return mark(_Store.folder, json.dumps(experiment.written))


def follows_from_settings(experiment: Experiment) -> bool:
    """Whether all that the checks look at is written in files of settings and code."""
    if experiment.env is None or experiment.takes_base_policy():
        return False
    environments = [environment_settings(experiment), *(stage_settings(experiment, s).env for s in experiment.stages())]
    return not any(env.get("recorded_in") for env in environments)  # a file of data


class _Store:
    folder: Path | None = None


@cache
def _compose(overrides: tuple[str, ...], complete: bool = True) -> DictConfig:
    return compose_stored(list(overrides), complete, _Store.folder)


@cache
def _taken(checkpoint: str, overrides: tuple[str, ...]) -> DictConfig:
    from demo_score.policies.taking import taken_settings  # imports torch, which takes seconds

    return taken_settings(Path(checkpoint), list(overrides))


def final_step(experiment: Experiment, stage: str) -> str:
    """The name of the last checkpoint of base_policy or final_policy."""
    return saved_checkpoints(experiment, stage)[-1]


def saved_checkpoints(experiment: Experiment, stage: str) -> list[str]:
    """The names of all checkpoints of base_policy or final_policy."""
    if stage == "base_policy" and experiment.takes_base_policy():
        return experiment.base_policy.names()
    return [checkpoint_name(step) for step in saved_steps(stage_settings(experiment, stage))]

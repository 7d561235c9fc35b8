"""What config.yaml must satisfy beyond its models: that its settings compose, and all that follows from these."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from demo_score.conditions import CONDITIONS
from demo_score.config.models.base import raise_first
from demo_score.config.models.experiment import POLICY_STAGES, Config, Experiment
from demo_score.config.models.policy import POLICIES
from demo_score.config.seeds import N_SEEDS
from demo_score.demonstrations.seeds import demonstration_seeds
from demo_score.experiments.arena_checks import check_arena, check_external
from demo_score.experiments.config import (
    environment_settings,
    follows_from_settings,
    passed_before,
    saved_checkpoints,
    stage_settings,
)
from demo_score.ingest.user_data import check_places
from demo_score.observations import ACTION, FEATURES, observation_shapes
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import write_text
from demo_score.simulators import RECORDED


def check_config(values: Any) -> Config:
    """The model of config.yaml. Raises UserError, in one line, for the first thing that could not work."""
    config = Config.read(values, "config")
    raise_first(config.conflicts())
    for name, experiment in config.experiments.items():
        try:
            _check_once(experiment)
            if name in config.run:
                check_places(experiment.user_data(), "user-supplied data")
                check_external(experiment)
                check_taken(experiment)
        except UserError as error:
            raise UserError(f"experiments.{name}: {error}") from None
    return config


def _check_once(experiment: Experiment) -> None:
    """The checks, unless the experiment has passed them: half a second of every `snakemake`."""
    passed = passed_before(experiment)
    if passed and passed.exists():
        return
    check_experiment(experiment)
    if passed and follows_from_settings(experiment):
        with suppress(UserError, OSError):  # a disk that is full or read-only: the next time again, then
            write_text(passed, "")


def check_taken(experiment: Experiment) -> None:
    """Raise UserError where a checkpoint of a base policy that was trained elsewhere is not there."""
    if not experiment.takes_base_policy():
        return
    for name, seed in product(experiment.base_policy.names(), experiment.seeds):
        if not Path(folder := experiment.base_policy.checkpoint(name, seed)).is_dir():
            raise UserError(f"base_policy.checkpoints: {folder}: no such folder; train it, or correct the path")
        from demo_score.policies.checkpoints import checkpoint_files  # imports torch: only where one is taken

        checkpoint_files(Path(folder))


def check_experiment(experiment: Experiment) -> None:
    """The checks of one experiment, cheapest first."""
    from demo_score.demonstrations.strategies import get_strategy  # takes half a second: only where it is checked

    raise_first(experiment.conflicts())
    _check_simulator(experiment)
    for strategy in experiment.collected_strategies():
        env = environment_settings(experiment)
        get_strategy(env.name, env.task, strategy)
    if not _is_there(experiment):
        return
    for stage in experiment.stages():
        if stage in POLICY_STAGES or experiment.stage(stage).overrides:
            _check_stage(experiment, stage)
    _check_start(experiment)
    _check_inputs(experiment)
    if "rollouts" in experiment.stages():
        _check_saved(experiment)
        _check_sizes(experiment)
        _check_images(experiment)
    _check_seeds(experiment)
    if experiment.arena:
        check_arena(experiment)


def _is_there(experiment: Experiment) -> bool:
    """Whether a base policy that was trained elsewhere can be looked at; an experiment to run must have it."""
    taken, seed = experiment.base_policy, experiment.seeds[0]
    return not experiment.takes_base_policy() or Path(taken.checkpoint(taken.names()[-1], seed)).is_dir()


def _check_stage(experiment: Experiment, stage: str) -> None:
    """The settings of a stage compose, and name a policy that there is."""
    settings = stage_settings(experiment, stage)
    if settings.policy.name not in POLICIES and not (stage != "final_policy" and experiment.takes_base_policy()):
        from demo_score.policies import policy_class  # imports torch, which takes seconds: ours need not be asked for

        policy_class(settings)
    if stage not in POLICY_STAGES:
        _check_weights(experiment, stage, settings)


def _check_weights(experiment: Experiment, stage: str, settings: DictConfig) -> None:
    """Overrides of a stage that tries policies may change how they act, not the weights that they were trained with."""
    written = experiment.stage(stage).overrides
    overrides = [override for override in written if override.lstrip("+").startswith("policy.")]
    for trained in POLICY_STAGES if stage == "evaluation" else POLICY_STAGES[:1]:
        if not experiment.stage(trained) or not overrides:
            continue
        before = stage_settings(experiment, trained)
        if before.policy != settings.policy:
            from demo_score.policies import weight_shapes  # as above

            if weight_shapes(before) != weight_shapes(settings):
                raise UserError(
                    f"{stage}.overrides: {', '.join(overrides)}: the weights are of other sizes, as {trained} trains "
                    f"them; set it in {trained}.overrides, or remove it"
                )


def _check_start(experiment: Experiment) -> None:
    """Final policies that go on from the base policy's weights are of its sizes."""
    if not (experiment.final_policy and experiment.final_policy.init_from):
        return
    base, final = (stage_settings(experiment, stage) for stage in POLICY_STAGES)
    if base.policy != final.policy:
        from demo_score.policies import weight_shapes  # as above

        if weight_shapes(base) != weight_shapes(final):
            raise UserError("final_policy.init_from: base_policy trains weights of other sizes; set the same policy.*")


def _check_simulator(experiment: Experiment) -> None:
    """What is only recorded cannot be stepped: in no stage that tries a policy."""
    if experiment.env is None or environment_settings(experiment).name != RECORDED:
        return
    for stage in experiment.stages():
        if stage not in POLICY_STAGES:
            raise UserError(f"{stage}: env={experiment.env} has no simulator; remove {stage}, or give rollouts a path")
        if stage_settings(experiment, stage).training.eval_freq:
            raise UserError(f"{stage}: env={experiment.env} has no simulator; add training.eval_freq=0 to overrides")


def _check_inputs(experiment: Experiment) -> None:
    """Inputs of classifiers that no environment observes; what a user's data hold is found when they are opened."""
    inputs = experiment.classifiers.all_inputs()
    if FEATURES in inputs:
        _check_features(experiment)
    if not experiment.collected_strategies():
        return
    env = environment_settings(experiment)
    shapes = observation_shapes(env)
    parts = [name for names in (env.get("observed") or {}).values() for name in names]
    vectors = [*(key for key, shape in shapes.items() if len(shape) == 1), *parts, ACTION]
    for key in inputs:
        if key not in (*vectors, FEATURES):
            what = "is an image" if key in shapes else f"is not observed in env={experiment.env}"
            raise UserError(f"classifiers.inputs: {key} {what}; set some of {', '.join(vectors)}")


def _check_features(experiment: Experiment) -> None:
    """What the base policy makes of rollouts and demonstrations: there is one, and what it sees is stored."""
    if not experiment.base_policy:
        raise UserError(f"classifiers.inputs: {FEATURES} are a base policy's; set base_policy, or other inputs")
    if "rollouts" not in experiment.stages() or not _sees_images(experiment, "base_policy"):
        return
    if not stage_settings(experiment, "rollouts").eval.get("record_images", True):
        raise UserError(
            f"classifiers.inputs: {FEATURES} need the images that eval.record_images=false does not store; set "
            "rollouts.overrides: [eval.record_images=looks]"
        )


def _sees_images(experiment: Experiment, stage: str) -> bool:
    return any(len(shape) == 3 for shape in stage_settings(experiment, stage).policy.input_shapes.values())


def _check_sizes(experiment: Experiment) -> None:
    """Classifiers cannot learn from more rollouts than are collected."""
    n_episodes, classifiers = experiment.rollouts.n_episodes, experiment.classifiers
    for name, split in classifiers.eps_dict.items():
        for key, part in (("tr_dataset_size", "train"), ("cross_val_dataset_size", "cross_val")):
            size, most = getattr(classifiers, key), n_episodes * len(getattr(split, part))
            if (size or 0) > most:
                raise UserError(
                    f"classifiers.{key}: {size} rollouts, but {part} of eps_dict.{name} has {most} "
                    f"(rollouts.n_episodes {n_episodes} a checkpoint); set {most} or less, or null for all"
                )


def _check_images(experiment: Experiment) -> None:
    """A policy that sees images cannot be trained on rollouts that are stored without."""
    recorded = stage_settings(experiment, "rollouts").eval.get("record_images", True)
    if recorded is True or not experiment.final_policy:
        return
    for condition in experiment.final_conditions():
        if CONDITIONS[condition].takes_rollouts and _sees_images(experiment, "final_policy"):
            raise UserError(
                f"final_policy.conditions: {condition} trains on rollouts, whose images "
                f"eval.record_images={str(recorded).lower()} does not store; remove the one or the other"
            )


def _check_saved(experiment: Experiment) -> None:
    settings, saved = stage_settings(experiment, "base_policy"), saved_checkpoints(experiment, "base_policy")
    for step in experiment.rollouts.eps:
        if step not in saved:
            raise UserError(
                f"rollouts.eps: training.save_freq={settings.training.save_freq} never saves {step}; "
                f"choose from {', '.join(saved[:20])}"
            )


def _check_seeds(experiment: Experiment) -> None:
    ranges = sorted(_environment_seeds(experiment), key=lambda item: item[1].start)
    for (name, seeds), (next_name, next_seeds) in pairwise(ranges):
        if next_seeds.start < seeds.stop:
            raise UserError(
                f"seeds of {name} ({seeds.start} to {seeds.stop - 1}) and {next_name} (from {next_seeds.start}) "
                "overlap; move a seed or seed_offset"
            )
    name, seeds = max(ranges, key=lambda item: item[1].stop, default=("", range(0)))
    if seeds.stop > N_SEEDS:
        raise UserError(
            f"seeds of {name} go to {seeds.stop - 1}, and they end at {N_SEEDS - 1}; set a smaller seed or seed_offset"
        )


def _environment_seeds(experiment: Experiment) -> Iterator[tuple[str, range]]:
    """Every range of environment seeds that the experiment may use, and what for."""
    for strategy in experiment.collected_strategies():
        demonstrations = experiment.demonstrations[strategy]
        yield f"demonstrations.{strategy}", demonstration_seeds(demonstrations.seed, demonstrations.n_episodes)
    for seed in experiment.seeds:
        for stage in experiment.stages():
            start = experiment.stage_seed(stage, seed)
            yield f"{stage} (seed {seed})", range(start, start + _n_episodes(experiment, stage))


def _n_episodes(experiment: Experiment, stage: str) -> int:
    """How many environment seeds one run of a stage uses."""
    if stage in POLICY_STAGES:
        settings = stage_settings(experiment, stage)
        return settings.eval.n_episodes if settings.training.eval_freq else 1
    checkpoints = len(experiment.rollouts.eps) if stage == "rollouts" else 1
    return checkpoints * experiment.stage(stage).n_episodes

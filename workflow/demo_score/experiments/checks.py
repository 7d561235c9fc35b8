"""What config.yaml must satisfy beyond its schema: all that can be known before anything runs."""

from collections.abc import Iterator
from itertools import pairwise

from omegaconf import DictConfig

from demo_score.config.policy_checks import POLICY_CHECKS
from demo_score.config.seeds import N_SEEDS
from demo_score.curation.settings import check_classifier_settings
from demo_score.demonstrations.seeds import demonstration_seeds
from demo_score.experiments.config import (
    POLICY_STAGES,
    classifier_settings,
    collected_strategies,
    environment_settings,
    given_data,
    saved_checkpoints,
    stage_seed,
    stage_settings,
    stages,
)
from demo_score.ingest.given_settings import check_given, check_places, is_given
from demo_score.observations import ACTION, observation_shapes
from demo_score.runtime.errors import UserError

# Settings that follow from config.yaml's own keys, or that name data and places which the workflow chooses.
_OWNED = {
    "seed": "set seeds, seed_offset",
    "datasets_file": "conditions train on what the workflow lists",
    "dataset_repo_id": "conditions train on what the workflow lists",
    "hydra": "the workflow says where results go",
    "env": "set env of the experiment",
    "policy": "set policy of the experiment",
}


def check_config(config: dict) -> None:
    """Raise UserError, in one line, for the first thing that could not work. The schema was checked before."""
    if unknown := [name for name in config["run"] if name not in config["experiments"]]:
        raise UserError(f"run: no experiment {unknown[0]}; there are {', '.join(config['experiments'])}")
    for name, experiment in config["experiments"].items():
        try:
            check_experiment(experiment)
            if name in config["run"]:
                check_places(given_data(experiment), "given data")
        except UserError as error:
            raise UserError(f"experiments.{name}: {error}") from None


def check_experiment(experiment: dict) -> None:
    """The checks of one experiment, cheapest first."""
    from demo_score.demonstrations.strategies import get_strategy  # takes half a second: only where it is checked

    _check_stages(experiment)
    _check_owned(experiment)
    _check_checkpoints(experiment)
    if given := given_data(experiment):
        check_given(given, "given data")
    check_classifier_settings(classifier_settings(experiment))
    model_arch, known = experiment["demo_score"]["model_arch"], experiment["classifiers"]["model_archs"]
    if model_arch != "best" and model_arch not in known:
        raise UserError(f"demo_score.model_arch: no architecture {model_arch}; set best or one of {', '.join(known)}")
    _check_oracle(experiment)
    _check_simulator(experiment)
    for strategy in collected_strategies(experiment):
        get_strategy(environment_settings(experiment).task, strategy)
    for stage in stages(experiment):
        if stage in POLICY_STAGES or experiment[stage]["overrides"]:
            _check_stage(experiment, stage)
    _check_inputs(experiment)
    if "rollouts" in stages(experiment):
        _check_saved(experiment)
        _check_sizes(experiment)
    _check_seeds(experiment)


def _check_stage(experiment: dict, stage: str) -> None:
    """The settings of a stage compose, and name a policy that there is."""
    settings = stage_settings(experiment, stage)
    if settings.policy.name not in POLICY_CHECKS:
        from demo_score.policies import policy_class  # imports torch, which takes seconds: ours need not be asked for

        policy_class(settings)
    if stage not in POLICY_STAGES:
        _check_weights(experiment, stage, settings)


def _check_weights(experiment: dict, stage: str, settings: DictConfig) -> None:
    """Overrides of a stage that tries policies may change how they act, not the weights that they were trained with."""
    overrides = [override for override in experiment[stage]["overrides"] if override.lstrip("+").startswith("policy.")]
    for trained in POLICY_STAGES if stage == "evaluation" else POLICY_STAGES[:1]:
        if trained not in experiment or not overrides:
            continue
        before = stage_settings(experiment, trained)
        if before.policy != settings.policy:
            from demo_score.policies import weight_shapes  # as above

            if weight_shapes(before) != weight_shapes(settings):
                raise UserError(
                    f"{stage}.overrides: {', '.join(overrides)}: the weights are of other sizes, as {trained} trains "
                    f"them; set it in {trained}.overrides, or remove it"
                )


def _check_stages(experiment: dict) -> None:
    """Which parts an experiment needs follows from those it has."""
    for name, entry in experiment["demonstrations"].items():
        _check_entry(f"demonstrations.{name}", entry, ["n_episodes", "seed"])
    _check_entry("rollouts", experiment["rollouts"], ["n_episodes", "seed_offset", "overrides"])
    has = stages(experiment)
    collected = collected_strategies(experiment)
    if collected and len(collected) < len(experiment["demonstrations"]):
        raise UserError(f"demonstrations: {collected[0]} is to be collected, others are given; do one or the other")
    if "problems" in experiment and not given_data(experiment):
        raise UserError("problems: is about data that are given, and none are; remove it")
    if "evaluation" in has and not {"base_policy", "final_policy"} & set(has):
        raise UserError("evaluation: no policy is trained that could be tested; add final_policy, or remove evaluation")
    needed, why = _needed(has, bool(collected))
    if missing := [key for key in needed if key not in experiment]:
        raise UserError(f"{missing[0]}: is missing, but {why}; add it")


def _needed(has: list[str], collects: bool) -> tuple[list[str], str]:
    """The keys that an experiment with the stages `has` cannot do without, and why."""
    if "rollouts" in has:
        return ["env", "policy", "base_policy"], "rollouts are collected (no path is given)"
    if has:
        return ["env", "policy"], "a policy is trained"
    return (["env"], "demonstrations are collected") if collects else ([], "")


def _check_simulator(experiment: dict) -> None:
    """What is only recorded cannot be stepped: in no stage that tries a policy."""
    if "env" not in experiment or environment_settings(experiment).name != "recorded":
        return
    for stage in stages(experiment):
        if stage not in POLICY_STAGES:
            raise UserError(
                f"{stage}: env={experiment['env']} has no simulator; remove {stage}, or give rollouts a path"
            )
        if stage_settings(experiment, stage).training.eval_freq:
            raise UserError(f"{stage}: env={experiment['env']} has no simulator; add training.eval_freq=0 to overrides")


def _check_entry(name: str, entry: dict, collecting: list[str]) -> None:
    """What is collected needs the keys `collecting`; what is given has none of them."""
    if is_given(entry):
        if superfluous := [key for key in collecting if key in entry]:
            raise UserError(f"{name}: is given (path or repo_id), so that {superfluous[0]} means nothing; remove it")
    elif missing := [key for key in collecting if key not in entry]:
        raise UserError(f"{name}: has no {missing[0]}; add it to collect episodes, or give path: FOLDER_OR_FILE")
    elif foreign := sorted(set(entry) - {*collecting, "eps"}):
        raise UserError(f"{name}: {foreign[0]} is about data that are given; add path or repo_id, or remove it")


def _check_oracle(experiment: dict) -> None:
    final_policy = experiment.get("final_policy", {"oracle": [], "conditions": []})
    for strategy in final_policy["oracle"]:
        if strategy not in experiment["demonstrations"]:
            raise UserError(f"final_policy.oracle: {strategy} is not among the demonstrations")
    if "oracle" in final_policy["conditions"] and not final_policy["oracle"]:
        raise UserError("final_policy.oracle: name the strategies that the condition oracle keeps")


def _check_checkpoints(experiment: dict) -> None:
    eps = experiment["rollouts"]["eps"]
    for name, split in experiment["classifiers"]["eps_dict"].items():
        if unknown := sorted(set(split["train"] + split["cross_val"]) - set(eps)):
            raise UserError(f"classifiers.eps_dict.{name}: {unknown[0]} is not in rollouts.eps ({', '.join(eps)})")
        if shared := sorted(set(split["train"]) & set(split["cross_val"])):
            raise UserError(f"classifiers.eps_dict.{name}: {shared[0]} is in both train and cross_val")


def _check_owned(experiment: dict) -> None:
    """Overrides may not name what the workflow itself sets: it would train on, or test, something else than it says."""
    for where in ("overrides", *stages(experiment)):
        tests = where in ("rollouts", "evaluation")
        part = experiment.get("overrides", []) if where == "overrides" else experiment[where]["overrides"]
        for override in part:
            key = override.lstrip("+~").split("=")[0].split("@")[0].replace("/", ".")
            owned = _OWNED.get("hydra" if key.split(".")[0] == "hydra" else key)
            if tests and key == "experiment":
                owned = "a checkpoint's settings take single keys"
            if tests and (key == "eval.n_episodes" or (key == "eval" and "n_episodes" in override)):
                owned = f"set {where}.n_episodes"
            if owned:
                keys = where if where == "overrides" else f"{where}.overrides"
                raise UserError(f"{keys}: {override} is not for overrides: {owned}; remove it")


def _check_inputs(experiment: dict) -> None:
    """Inputs of classifiers that no environment observes; what given data hold is found when they are opened."""
    if not collected_strategies(experiment):
        return
    shapes = observation_shapes(environment_settings(experiment))
    vectors = [*(key for key, shape in shapes.items() if len(shape) == 1), ACTION]
    for key in experiment["classifiers"]["inputs"]:
        if key not in vectors:
            what = "is an image" if key in shapes else f"is not observed in env={experiment['env']}"
            raise UserError(f"classifiers.inputs: {key} {what}; set some of {', '.join(vectors)}")


def _check_sizes(experiment: dict) -> None:
    """Classifiers cannot learn from more rollouts than are collected."""
    n_episodes, classifiers = experiment["rollouts"]["n_episodes"], experiment["classifiers"]
    for name, split in classifiers["eps_dict"].items():
        for key, part in (("tr_dataset_size", "train"), ("cross_val_dataset_size", "cross_val")):
            most = n_episodes * len(split[part])
            if (classifiers[key] or 0) > most:
                raise UserError(
                    f"classifiers.{key}: {classifiers[key]} rollouts, but {part} of eps_dict.{name} has {most} "
                    f"(rollouts.n_episodes {n_episodes} a checkpoint); set {most} or less, or null for all"
                )


def _check_saved(experiment: dict) -> None:
    settings, saved = stage_settings(experiment, "base_policy"), saved_checkpoints(experiment, "base_policy")
    for step in experiment["rollouts"]["eps"]:
        if step not in saved:
            raise UserError(
                f"rollouts.eps: training.save_freq={settings.training.save_freq} never saves {step}; "
                f"choose from {', '.join(saved[:20])}"
            )


def _check_seeds(experiment: dict) -> None:
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


def _environment_seeds(experiment: dict) -> Iterator[tuple[str, range]]:
    """Every range of environment seeds that the experiment may use, and what for."""
    for strategy in collected_strategies(experiment):
        demonstrations = experiment["demonstrations"][strategy]
        yield f"demonstrations.{strategy}", demonstration_seeds(demonstrations["seed"], demonstrations["n_episodes"])
    for seed in experiment["seeds"]:
        for stage in stages(experiment):
            yield _seeds(experiment, stage, seed, _n_episodes(experiment, stage))


def _n_episodes(experiment: dict, stage: str) -> int:
    """How many environment seeds one run of a stage uses."""
    if stage in POLICY_STAGES:
        settings = stage_settings(experiment, stage)
        return settings.eval.n_episodes if settings.training.eval_freq else 1
    checkpoints = len(experiment["rollouts"]["eps"]) if stage == "rollouts" else 1
    return checkpoints * experiment[stage]["n_episodes"]


def _seeds(experiment: dict, stage: str, seed: int, n_episodes: int) -> tuple[str, range]:
    start = stage_seed(experiment, stage, seed)
    return f"{stage} (seed {seed})", range(start, start + n_episodes)

"""The workflow's config.yaml: what it must satisfy beyond its schema, and what follows from it."""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from omegaconf import DictConfig

from demo_score.curation.settings import check_classifier_settings
from demo_score.data.given_settings import check_given, check_places
from demo_score.demonstrations.seeds import demonstration_seeds
from demo_score.errors import UserError
from demo_score.settings_store import compose_stored
from demo_score.training.steps import checkpoint_name, saved_steps

POLICY_STAGES = ("base_policy", "final_policy")
# The arms that train on rollouts, too; others do on demonstrations alone.
ARMS_WITH_ROLLOUTS = ("curated_rollouts_plus_demos", "random_rollouts_plus_demos")


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
        if stage in POLICY_STAGES:
            stage_settings(experiment, stage)
        else:
            _check_checkpoint_overrides(experiment, stage)
    if "rollouts" in stages(experiment):
        _check_saved(experiment)
    _check_seeds(experiment)


def stages(experiment: dict) -> list[str]:
    """Which of the stages that need a policy the experiment has; given rollouts are none."""
    named = [stage for stage in ("base_policy", "rollouts", "final_policy", "evaluation") if stage in experiment]
    return [stage for stage in named if stage != "rollouts" or not _is_given(experiment["rollouts"])]


def final_arms(experiment: dict) -> list[str]:
    """The arms beside base; none where no final policy is trained."""
    return experiment["final_policy"]["arms"] if "final_policy" in experiment else []


def collected_strategies(experiment: dict) -> list[str]:
    """The strategies whose demonstrations are collected in a simulator."""
    return [name for name, entry in experiment["demonstrations"].items() if not _is_given(entry)]


def given_data(experiment: dict) -> dict:
    """What the experiment says of demonstrations and rollouts that are given; empty where it collects both."""
    given: dict = {}
    if not collected_strategies(experiment):
        given["demonstrations"] = experiment["demonstrations"]
    if _is_given(experiment["rollouts"]):
        given["rollouts"] = experiment["rollouts"]
    return {**given, "problems": experiment.get("problems", "refuse")} if given else {}


def _is_given(entry: dict) -> bool:
    return "path" in entry or "repo_id" in entry


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
    if _is_given(entry):
        if superfluous := [key for key in collecting if key in entry]:
            raise UserError(f"{name}: is given (path or repo_id), so that {superfluous[0]} means nothing; remove it")
    elif missing := [key for key in collecting if key not in entry]:
        raise UserError(f"{name}: has no {missing[0]}; add it to collect episodes, or give path: FOLDER_OR_FILE")
    elif foreign := sorted(set(entry) - {*collecting, "eps"}):
        raise UserError(f"{name}: {foreign[0]} is about data that are given; add path or repo_id, or remove it")


def _check_oracle(experiment: dict) -> None:
    final_policy = experiment.get("final_policy", {"oracle": [], "arms": []})
    for strategy in final_policy["oracle"]:
        if strategy not in experiment["demonstrations"]:
            raise UserError(f"final_policy.oracle: {strategy} is not among the demonstrations")
    if "oracle" in final_policy["arms"] and not final_policy["oracle"]:
        raise UserError("final_policy.oracle: name the strategies that the arm oracle keeps")


def classifier_settings(experiment: dict) -> dict:
    """The part of `classifiers` that the classifier commands read."""
    return {key: value for key, value in experiment["classifiers"].items() if key != "eps_dict"}


def stage_overrides(experiment: dict, stage: str) -> list[str]:
    """Hydra overrides of a stage: demonstrations, base_policy, rollouts, final_policy, evaluation; no seed or data."""
    env, common = f"env={experiment['env']}", experiment.get("overrides", [])
    if stage == "demonstrations":
        return [env, *(override for override in common if override.lstrip("+").startswith(("env.", "fps=")))]
    if stage in POLICY_STAGES:
        return [env, f"policy={experiment['policy']}", *common, *experiment[stage]["overrides"]]
    return [f"eval.n_episodes={experiment[stage]['n_episodes']}", *experiment[stage]["overrides"]]


def stage_seed(experiment: dict, stage: str, seed: int) -> int:
    """The seed of a stage in the run `seed`."""
    return seed + experiment[stage].get("seed_offset", 0)


def training_overrides(experiment: dict, stage: str, seed: int, job_name: str, datasets_file: str) -> list[str]:
    """Hydra overrides of a training run, complete."""
    seed = stage_seed(experiment, stage, seed)
    own = [f"hydra.job.name={job_name}", f"+datasets_file={datasets_file}"]
    return [*own, *stage_overrides(experiment, stage), f"seed={seed}"]


def environment_settings(experiment: dict) -> DictConfig:
    """The resolved settings `env` that hold for the whole experiment: those of its demonstrations."""
    return _compose(tuple(stage_overrides(experiment, "demonstrations")), complete=False).env


def stage_settings(experiment: dict, stage: str) -> DictConfig:
    """The resolved settings of a stage; its seed, which differs between runs, is 0."""
    overrides = stage_overrides(experiment, stage)
    if stage not in POLICY_STAGES:  # these change the settings stored with a checkpoint
        trained = "base_policy" if "base_policy" in experiment else "final_policy"
        overrides = stage_overrides(experiment, trained) + overrides
    return _compose((*overrides, "seed=0"))


def keep_settings(folder: Path) -> None:
    """Keep composed settings in files there, for the jobs and runs to come."""
    _Store.folder = folder


class _Store:
    folder: Path | None = None


@cache
def _compose(overrides: tuple[str, ...], complete: bool = True) -> DictConfig:
    return compose_stored(list(overrides), complete, _Store.folder)


def final_step(experiment: dict, stage: str) -> str:
    """The name of the last checkpoint of base_policy or final_policy."""
    return saved_checkpoints(experiment, stage)[-1]


def saved_checkpoints(experiment: dict, stage: str) -> list[str]:
    """The names of all checkpoints of base_policy or final_policy."""
    return [checkpoint_name(step) for step in saved_steps(stage_settings(experiment, stage))]


def rollout_seed(experiment: dict, seed: int, step: str) -> int:
    """The first environment seed of a checkpoint's rollouts: every checkpoint starts where no other does."""
    rollouts = experiment["rollouts"]
    return stage_seed(experiment, "rollouts", seed) + rollouts["eps"].index(step) * rollouts["n_episodes"]


def _check_checkpoints(experiment: dict) -> None:
    eps = experiment["rollouts"]["eps"]
    for name, split in experiment["classifiers"]["eps_dict"].items():
        if unknown := sorted(set(split["train"] + split["cross_val"]) - set(eps)):
            raise UserError(f"classifiers.eps_dict.{name}: {unknown[0]} is not in rollouts.eps ({', '.join(eps)})")
        if shared := sorted(set(split["train"]) & set(split["cross_val"])):
            raise UserError(f"classifiers.eps_dict.{name}: {shared[0]} is in both train and cross_val")


def _check_checkpoint_overrides(experiment: dict, stage: str) -> None:
    for override in experiment[stage]["overrides"]:
        if override.split("=")[0] in ("env", "policy", "experiment"):
            raise UserError(f"{stage}.overrides: {override} names a file; a checkpoint's settings take single keys")
    if experiment[stage]["overrides"]:
        stage_settings(experiment, stage)


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

"""What follows from the workflow's config.yaml; what it must satisfy is in workflow_checks."""

from functools import cache
from pathlib import Path

from omegaconf import DictConfig

from demo_score.config.store import compose_stored
from demo_score.ingest.given_settings import is_given
from demo_score.training.steps import checkpoint_name, saved_steps

POLICY_STAGES = ("base_policy", "final_policy")
# The arms that train on rollouts, too; others do on demonstrations alone.
CONDITIONS_WITH_ROLLOUTS = ("curated_rollouts_plus_demos", "random_rollouts_plus_demos")


def stages(experiment: dict) -> list[str]:
    """Which of the stages that need a policy the experiment has; given rollouts are none."""
    named = [stage for stage in ("base_policy", "rollouts", "final_policy", "evaluation") if stage in experiment]
    return [stage for stage in named if stage != "rollouts" or not is_given(experiment["rollouts"])]


def final_conditions(experiment: dict) -> list[str]:
    """The conditions beside base; none where no final policy is trained."""
    return experiment["final_policy"]["conditions"] if "final_policy" in experiment else []


def trained_conditions(experiment: dict) -> list[str]:
    """All conditions of the experiment's comparison."""
    base = ["base"] if "base_policy" in experiment else []
    return base + final_conditions(experiment)


def training_stage(condition: str) -> str:
    """The stage that trains a condition's policy."""
    return "base_policy" if condition == "base" else "final_policy"


def wildcard_values(experiment: dict) -> dict[str, list[str]]:
    """What may stand in the places of paths below results/<experiment>, by the names of rules' wildcards."""
    return {
        "seed": [str(seed) for seed in experiment["seeds"]],
        "step": experiment["rollouts"]["eps"],
        "condition": trained_conditions(experiment),
        "strategy": list(experiment["demonstrations"]),
        "split": list(experiment["classifiers"]["eps_dict"]),
        "model_arch": list(experiment["classifiers"]["model_archs"]),
    }


def collected_strategies(experiment: dict) -> list[str]:
    """The strategies whose demonstrations are collected in a simulator."""
    return [name for name, entry in experiment["demonstrations"].items() if not is_given(entry)]


def given_data(experiment: dict) -> dict:
    """What the experiment says of demonstrations and rollouts that are given; empty where it collects both."""
    given: dict = {}
    if not collected_strategies(experiment):
        given["demonstrations"] = experiment["demonstrations"]
    if is_given(experiment["rollouts"]):
        given["rollouts"] = experiment["rollouts"]
    return {**given, "problems": experiment.get("problems", "refuse")} if given else {}


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

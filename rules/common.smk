# What the rules share: the checked configuration, the code each command depends on, and look-ups in both.
import json
import os
import shlex
import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir, "workflow")))
# The commands run with the Python that runs snakemake, also where its environment is not activated.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

from demo_score import workflow_config
from demo_score.dependencies import source_files
from demo_score.errors import UserError
from demo_score.schema import check_against

try:
    check_against(config, Path(workflow.basedir, "workflow/schemas/config.schema.yaml"), "config")
    workflow_config.check_config(config)
except UserError as error:
    sys.exit(f"error: {error}")

EXPERIMENTS = list(config["experiments"].values())
FINAL_ARMS = sorted({arm for e in EXPERIMENTS for arm in e["final_policy"]["arms"]})
STAGE_ARMS = {"base_policy": ["base"], "final_policy": FINAL_ARMS}
TABLE_FIGURES = ["success", "checkpoints", "kept"]
FIGURES = [*TABLE_FIGURES, "classifier_curves", "scores"]


def one_of(values):
    """The regular expression that matches just these values."""
    return "|".join(sorted({str(value) for value in values}))


wildcard_constraints:
    experiment=one_of(config["experiments"]),
    seed=one_of(seed for e in EXPERIMENTS for seed in e["seeds"]),
    step=one_of(step for e in EXPERIMENTS for step in e["rollouts"]["eps"]),
    arm=one_of(["base", *FINAL_ARMS]),
    strategy=one_of(strategy for e in EXPERIMENTS for strategy in e["demonstrations"]),
    split=one_of(split for e in EXPERIMENTS for split in e["classifiers"]["eps_dict"]),
    model_arch=one_of(arch for e in EXPERIMENTS for arch in e["classifiers"]["model_archs"]),


def code(script):
    """A command and all the library files that it imports: an edit to any of them makes its results stale."""
    files = source_files(Path(workflow.basedir, "workflow/scripts", script))
    return [os.path.relpath(path) for path in files]


def experiment(wildcards):
    return config["experiments"][wildcards.experiment]


def demonstrations(wildcards):
    """The episode files of all strategies."""
    return expand(
        "results/{experiment}/demonstrations/{strategy}.hdf5",
        experiment=wildcards.experiment,
        strategy=experiment(wildcards)["demonstrations"],
    )


def rollouts(wildcards, eps=None):
    """The rollouts of some checkpoints of a run's base policy (default: of all that are tried)."""
    return expand(
        "results/{experiment}/seed{seed}/rollouts/{step}.hdf5",
        experiment=wildcards.experiment,
        seed=wildcards.seed,
        step=eps or experiment(wildcards)["rollouts"]["eps"],
    )


def stage(wildcards):
    return "base_policy" if wildcards.arm == "base" else "final_policy"


def datasets_file(wildcards):
    """The list of episodes that an arm's policy trains on."""
    if wildcards.arm == "base":
        return f"results/{wildcards.experiment}/demonstrations/all.txt"
    return f"results/{wildcards.experiment}/seed{wildcards.seed}/{wildcards.arm}/datasets_file.txt"


def listed_episodes(wildcards):
    """The files that the episodes of an arm's list lie in."""
    if wildcards.arm == "curated_rollouts_plus_demos":
        return [*demonstrations(wildcards), *rollouts(wildcards)]
    return demonstrations(wildcards)


def policy_overrides(wildcards):
    """Hydra overrides of an arm's training, complete."""
    overrides = workflow_config.training_overrides(
        experiment(wildcards),
        stage(wildcards),
        int(wildcards.seed),
        f"{wildcards.experiment}_seed{wildcards.seed}_{wildcards.arm}",
        datasets_file(wildcards),
    )
    return shlex.join(overrides)


def resolved_settings(wildcards):
    """What the overrides amount to: an edit of the settings tree counts only if it changes this."""
    return str(workflow_config.stage_settings(experiment(wildcards), stage(wildcards)))


def final_checkpoint(wildcards):
    """The last checkpoint of an arm's policy."""
    step = workflow_config.final_step(experiment(wildcards), stage(wildcards))
    return f"results/{wildcards.experiment}/seed{wildcards.seed}/{wildcards.arm}/checkpoints/{step}/model.safetensors"


def rollout_overrides(wildcards):
    e = experiment(wildcards)
    seed = workflow_config.rollout_seed(e, int(wildcards.seed), wildcards.step)
    return shlex.join([*workflow_config.stage_overrides(e, "rollouts"), f"seed={seed}"])


def evaluation_overrides(wildcards):
    e = experiment(wildcards)
    seed = workflow_config.stage_seed(e, "evaluation", int(wildcards.seed))
    return shlex.join([*workflow_config.stage_overrides(e, "evaluation"), f"seed={seed}"])


def tested_arms(e):
    """All arms of an experiment's comparison."""
    return ["base", *e["final_policy"]["arms"]]


def recordings(name):
    """The videos and frame strips of the first run of an experiment."""
    return expand(
        "results/{experiment}/seed{seed}/{arm}/episodes.{format}",
        experiment=name,
        seed=config["experiments"][name]["seeds"][0],
        arm=tested_arms(config["experiments"][name]),
        format=["mp4", "png"],
    )


def per_seed(pattern):
    """Input function: `pattern` for every seed of the experiment."""
    return lambda wildcards: expand(pattern, seed=experiment(wildcards)["seeds"], allow_missing=True)


def demonstration_overrides(wildcards):
    return shlex.join(workflow_config.stage_overrides(experiment(wildcards), "demonstrations"))


def environment_settings(wildcards):
    """The resolved environment settings: demonstrations depend on nothing else of the settings tree."""
    return str(workflow_config.environment_settings(experiment(wildcards)))


def split(wildcards):
    return experiment(wildcards)["classifiers"]["eps_dict"][wildcards.split]


def classifier_settings(wildcards):
    """The settings of one architecture's sweep, as JSON (which is YAML)."""
    settings = workflow_config.classifier_settings(experiment(wildcards))
    model_archs = {wildcards.model_arch: settings["model_archs"][wildcards.model_arch]}
    return json.dumps({**settings, "model_archs": model_archs}, indent=2)


def classifiers(wildcards, model_archs, suffix):
    return expand(
        "results/{experiment}/seed{seed}/classifiers/{split}/{model_arch}.{suffix}",
        experiment=wildcards.experiment,
        seed=wildcards.get("seed", experiment(wildcards)["seeds"]),
        split=experiment(wildcards)["classifiers"]["eps_dict"],
        model_arch=model_archs,
        suffix=suffix,
    )


def candidate_classifiers(wildcards):
    """The classifiers of the architecture that filters, or of all of them."""
    e = experiment(wildcards)
    chosen = e["demo_score"]["model_arch"]
    return classifiers(
        wildcards, e["classifiers"]["model_archs"] if chosen == "best" else chosen, "safetensors"
    )


def classifier_metrics(wildcards):
    """The training curves of every classifier of every seed."""
    return classifiers(wildcards, experiment(wildcards)["classifiers"]["model_archs"], "csv")


def evaluations(wildcards):
    """The evaluations of every arm and seed."""
    return expand(
        "results/{experiment}/seed{seed}/{arm}/evaluation.csv",
        experiment=wildcards.experiment,
        seed=experiment(wildcards)["seeds"],
        arm=tested_arms(experiment(wildcards)),
    )


def outcomes_of_rollouts(wildcards):
    """The labels of the rollouts of every checkpoint and seed."""
    return expand(
        "results/{experiment}/seed{seed}/rollouts/{step}.csv",
        experiment=wildcards.experiment,
        seed=experiment(wildcards)["seeds"],
        step=experiment(wildcards)["rollouts"]["eps"],
    )

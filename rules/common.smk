# What the rules share: the checked configuration, the code each command depends on, and the settings of each job.
import json
import os
import shlex
from pathlib import Path

from demo_score.conditions import CONDITIONS
from demo_score.curation_methods import METHODS
from demo_score.config.models.experiment import Config, condition_of
from demo_score.experiments import config as workflow_config
from demo_score.experiments.checks import check_config
from demo_score.ingest import user_data
from demo_score.ingest import staleness
from demo_score.methods.registry import method_file
from demo_score.runtime.code_store import code_digest
from demo_score.runtime.digests import settings_digest
from demo_score.experiments.arena_paths import ARENA_FIGURES, RUN_TABLES, ArenaPaths
from demo_score.experiments.paths import (
    ALL_TABLES,
    CURATION_TABLES,
    TABLE_FIGURES,
    CONDITIONS_ALONG_TRAINING,
    ExperimentPaths,
)

workflow_config.keep_settings(Path(".snakemake/settings"))
if workflow.is_main_process:
    with errors_in_one_line():
        EXPERIMENTS = check_config(config).experiments
else:  # a job on a cluster does not check it again
    EXPERIMENTS = Config.model_validate(config).experiments


onstart:
    # Snakemake itself ends in a traceback where it cannot remove what a failed job would have made.
    if Path("results").exists() and not os.access("results", os.W_OK):
        sys.exit(
            "error: results: cannot be written; make it writable (chmod, mount), or run a copy of this folder"
        )


PLACES = {name: e.wildcard_values() for name, e in EXPERIMENTS.items()}
PATHS = {name: ExperimentPaths(name, e) for name, e in EXPERIMENTS.items()}
ARENA_PATHS = {name: ArenaPaths(paths) for name, paths in PATHS.items() if paths.experiment.arena}
ARENAS = list(ARENA_PATHS)
EXTERNAL = sorted({method for e in EXPERIMENTS.values() if e.arena for method in e.arena.external or {}})
USER_DATA = [name for name, paths in PATHS.items() if paths.user_data]
TAKEN = [name for name, e in EXPERIMENTS.items() if e.takes_base_policy()]
EVALUATED = [name for name, paths in PATHS.items() if paths.is_evaluated]
CURATED_ONLY = [name for name in PATHS if name not in EVALUATED]
FINAL_CONDITIONS = sorted({condition for e in EXPERIMENTS.values() for condition in e.final_conditions()})
# Those whose lists are drawn; the curated ones train on the filter's own.
DRAWN = [condition for condition in FINAL_CONDITIONS if not CONDITIONS[condition].dataset_list]
TRAINED_STAGES = ["base_policy", "final_policy"]
# The report's categories, in the order of the workflow's stages.
OUTCOME, BASE_POLICY, CLASSIFIERS = "1. Outcome", "2. Base policy and rollouts", "3. Classifiers"
# Videos of policies come last: without them, no number is missing.
DEMONSTRATIONS, PROVENANCE, POLICIES = "4. Kept and dropped", "5. Provenance", "6. Policies at work"
ARENA = "7. Arena"
CATEGORY = {
    "success": OUTCOME,
    "differences": OUTCOME,
    "checkpoints": BASE_POLICY,
    "classifiers": CLASSIFIERS,
    "architectures": CLASSIFIERS,
    "kept": DEMONSTRATIONS,
    "detection": DEMONSTRATIONS,
}


def one_of(values):
    """The regular expression that matches just these values; nothing at all where there are none."""
    return "|".join(sorted({str(value) for value in values})) or "(?!)"


# What captions say of every experiment: they see the configuration, but cannot compute.
config["captions"] = {
    name: f"Seeds: {', '.join(map(str, e.seeds))}. Settings: {settings_digest(e.without_arena())}."
    for name, e in EXPERIMENTS.items()
}


WILDCARDS = next(iter(PLACES.values()))


wildcard_constraints:
    **{name: one_of(place for places in PLACES.values() for place in places[name]) for name in WILDCARDS},
    experiment=one_of(config["experiments"]),


def code(script):
    """A digest of what a command does, see demo_score.runtime.dependencies: an edit that changes it makes its results stale.

    A parameter, not input files: forty of them for each job would be most of the graph.
    """
    return code_digest(Path(workflow.basedir, "workflow/scripts", script))[:16]


def experiment(wildcards):
    return EXPERIMENTS[wildcards.experiment]


def stage(wildcards):
    return workflow_config.training_stage(wildcards.condition)


def policy_overrides(wildcards):
    """Hydra overrides of a condition's training, complete."""
    start = start_of_training(wildcards)
    overrides = experiment(wildcards).training_overrides(
        stage(wildcards),
        int(wildcards.seed),
        f"{wildcards.experiment}_seed{wildcards.seed}_{'_'.join(Path(wildcards.condition).parts)}",
        datasets_file(wildcards),
        str(Path(start).parent) if start else None,
    )
    return shlex.join(overrides)


def resolved_settings(wildcards):
    """What the overrides amount to: an edit of the settings tree counts only if it changes this."""
    return str(workflow_config.stage_settings(experiment(wildcards), stage(wildcards)))


def taken_overrides(wildcards):
    """Hydra overrides of a checkpoint that was trained elsewhere; its seed is that of the run."""
    return shlex.join([*experiment(wildcards).stage_overrides("base_policy"), f"seed={wildcards.seed}"])


def rollout_overrides(wildcards):
    e = experiment(wildcards)
    seed = e.rollout_seed(int(wildcards.seed), wildcards.step)
    return shlex.join([*e.stage_overrides("rollouts"), f"seed={seed}"])


def evaluation_overrides(wildcards):
    e = experiment(wildcards)
    seed = e.stage_seed("evaluation", int(wildcards.seed))
    return shlex.join([*e.stage_overrides("evaluation"), f"seed={seed}"])


def of_run(wildcards):
    """The options that say which policy outcomes are of."""
    condition, keep = condition_of(wildcards.condition)
    return shlex.join(
        ["--run-seed", wildcards.seed, "--condition", condition, *(["--keep", keep] if keep else [])]
    )


def size_of_keep(wildcards):
    """The options that say how many demonstrations an entrant keeps."""
    percent = experiment(wildcards).arena.own_percent
    return shlex.join(["--keep", wildcards.keep, *(["--own-percent", str(percent)] if percent else [])])


def method_settings(wildcards, method=None):
    """What config.yaml says of a method's settings, as JSON."""
    return json.dumps(experiment(wildcards).arena.settings_of(method or wildcards.method))


def method_code(wildcards):
    """A digest of what a method does: the command finds its file by name, which `code` does not follow."""
    return code_digest(method_file(wildcards.method))[:16]


def choosing(wildcards):
    """The option that refuses a filter which chooses nothing, where policies train on its choice."""
    return "--must-choose" if PATHS[wildcards.experiment].trains_on_a_choice() else ""


def oracle_of_tables(wildcards):
    """The option that names the strategies to find among the demonstrations; none are, where no policy is final."""
    return shlex.join(["--oracle", *experiment(wildcards).oracle()])


def trained_stages():
    """Every experiment with each of the stages that it trains policies in."""
    return [
        (name, stage)
        for name, e in EXPERIMENTS.items()
        for stage in TRAINED_STAGES
        if e.stage(stage) and not (stage == "base_policy" and e.takes_base_policy())
    ]


def places_of_stage(name, stage):
    """What may stand in the paths of a stage of one experiment: short expressions, which take little of planning."""
    conditions = [c for c in PLACES[name]["condition"] if workflow_config.training_stage(c) == stage]
    return {"experiment": name, "seed": one_of(PLACES[name]["seed"]), "condition": one_of(conditions)}


def per_seed(pattern):
    """Input function: `pattern` for every seed of the experiment."""
    return lambda wildcards: expand(pattern, seed=experiment(wildcards).seeds, allow_missing=True)


def demonstration_overrides(wildcards):
    return shlex.join(experiment(wildcards).stage_overrides("demonstrations"))


def environment_settings(wildcards):
    """The resolved environment settings: demonstrations depend on nothing else of the settings tree."""
    return str(workflow_config.environment_settings(experiment(wildcards)))


def user_data_settings(wildcards):
    """What config.yaml says of user-supplied data, as JSON (which is YAML)."""
    return json.dumps(experiment(wildcards).user_data(), indent=2)


def split(wildcards):
    return experiment(wildcards).classifiers.eps_dict[wildcards.split]


def classifier_settings(wildcards):
    """The settings of one architecture's sweep, as JSON (which is YAML)."""
    settings = experiment(wildcards).classifier_settings()
    model_archs = {wildcards.model_arch: settings["model_archs"][wildcards.model_arch]}
    return json.dumps({**settings, "model_archs": model_archs}, indent=2)

# What the rules share: the checked configuration, the code each command depends on, and look-ups in both.
import json
import os
import shlex
import sys
from itertools import product
from types import SimpleNamespace
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir, "workflow")))
# The commands run with the Python that runs snakemake, also where its environment is not activated.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

from demo_score import workflow_config
from demo_score.data import given_settings as given
from demo_score.dependencies import code_digest
from demo_score.errors import UserError
from demo_score.schema import check_against

workflow_config.keep_settings(Path(".snakemake/settings"))
if workflow.is_main_process:  # not again in each job on a cluster
    try:
        check_against(config, Path(workflow.basedir, "workflow/schemas/config.schema.yaml"), "config")
        workflow_config.check_config(config)
    except UserError as error:
        sys.exit(f"error: {error}")

EXPERIMENTS = list(config["experiments"].values())
GIVEN = [name for name, e in config["experiments"].items() if workflow_config.given_data(e)]
EVALUATED = [name for name, e in config["experiments"].items() if "evaluation" in e]
FINAL_ARMS = sorted({arm for e in EXPERIMENTS for arm in workflow_config.final_arms(e)})
STAGE_ARMS = {"base_policy": ["base"], "final_policy": FINAL_ARMS}
CURATION_TABLES = ["checkpoints", "kept", "classifiers"]
ALL_TABLES = ["success", "differences", *CURATION_TABLES]
TABLE_FIGURES = ["success", "checkpoints", "kept"]
FIGURES = [*TABLE_FIGURES, "classifier_curves", "scores"]


def one_of(values):
    """The regular expression that matches just these values; nothing at all where there are none."""
    return "|".join(sorted({str(value) for value in values})) or "(?!)"


wildcard_constraints:
    experiment=one_of(config["experiments"]),
    seed=one_of(seed for e in EXPERIMENTS for seed in e["seeds"]),
    step=one_of(step for e in EXPERIMENTS for step in e["rollouts"]["eps"]),
    arm=one_of(["base", *FINAL_ARMS]),
    strategy=one_of(strategy for e in EXPERIMENTS for strategy in e["demonstrations"]),
    split=one_of(split for e in EXPERIMENTS for split in e["classifiers"]["eps_dict"]),
    model_arch=one_of(arch for e in EXPERIMENTS for arch in e["classifiers"]["model_archs"]),


def code(script):
    """A digest of a command and all library files that it imports: an edit to any of them makes its results stale.

    A parameter, not input files: forty of them for each job would be most of the graph.
    """
    return code_digest(Path(workflow.basedir, "workflow/scripts", script))


def experiment(wildcards):
    return config["experiments"][wildcards.experiment]


def demonstrations(wildcards):
    """The episode files of all strategies, or the table of those that are given."""
    if not workflow_config.collected_strategies(experiment(wildcards)):
        return [all_demonstrations(wildcards)]
    return expand(
        "results/{experiment}/demonstrations/{strategy}.hdf5",
        experiment=wildcards.experiment,
        strategy=experiment(wildcards)["demonstrations"],
    )


def all_demonstrations(wildcards):
    """The list of all demonstrations; of given ones, the table of those that passed."""
    is_given = "demonstrations" in workflow_config.given_data(experiment(wildcards))
    return f"results/{wildcards.experiment}/demonstrations/all.{'csv' if is_given else 'txt'}"


def rollouts(wildcards, eps=None):
    """The rollouts of some checkpoints of a run's base policy (default: of all that are tried), or given ones."""
    is_given = "rollouts" in workflow_config.given_data(experiment(wildcards))
    return expand(
        "results/{experiment}/" + ("rollouts/{step}.csv" if is_given else "seed{seed}/rollouts/{step}.hdf5"),
        experiment=wildcards.experiment,
        seed=wildcards.get("seed"),
        step=eps or experiment(wildcards)["rollouts"]["eps"],
    )


def scored_episodes(wildcards):
    """The lists of all episodes that could have been kept on a list."""
    both = wildcards.dataset_list == "demo_score_rollouts_plus_demos"
    return [all_demonstrations(wildcards), *(rollouts(wildcards) if both else [])]


def stage(wildcards):
    return "base_policy" if wildcards.arm == "base" else "final_policy"


def datasets_file(wildcards):
    """The list of episodes that an arm's policy trains on."""
    if wildcards.arm == "base":
        return all_demonstrations(wildcards)
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


def trained_arms(e):
    """All arms of an experiment's comparison."""
    return ["base"] * ("base_policy" in e) + workflow_config.final_arms(e)


def trained_stages():
    """Every experiment with each of the stages that it trains policies in."""
    return [(name, stage) for name, e in config["experiments"].items() for stage in STAGE_ARMS if stage in e]


def results(name):
    """What an experiment ends in."""
    e = config["experiments"][name]
    checkpoints = [
        final_checkpoint(SimpleNamespace(experiment=name, seed=seed, arm=arm))
        for seed, arm in product(e["seeds"], trained_arms(e))
    ]
    exports = expand(
        "results/{experiment}/seed{seed}/demo_score_datasets/{dataset_list}",
        experiment=name,
        seed=e["seeds"],
        dataset_list=["demo_score_demos_only", "demo_score_rollouts_plus_demos"],
    )
    tables = [f"results/{name}/tables/{file}" for file in ("summary.md", "manifest.json")]
    return [*tables, *checkpoints, *(exports if name in GIVEN else [])]


def figures_of(name):
    figures = FIGURES if name in EVALUATED else [figure for figure in FIGURES if figure != "success"]
    return expand(
        "results/{experiment}/figures/{figure}.{format}",
        experiment=name,
        figure=figures,
        format=["png", "svg"],
    )


def recordings(name):
    """The videos and frame strips of the first run of an experiment."""
    return expand(
        "results/{experiment}/seed{seed}/{arm}/episodes.{format}",
        experiment=name,
        seed=config["experiments"][name]["seeds"][0],
        arm=trained_arms(config["experiments"][name]),
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


def given_files(name):
    """Input function: all files of an experiment's given data that lie at paths."""
    return lambda wildcards: given.given_files(workflow_config.given_data(config["experiments"][name]))


def given_tables(name):
    """The tables of the given episodes that pass."""
    parts = workflow_config.given_data(config["experiments"][name])
    tables = ["demonstrations/all.csv"] if "demonstrations" in parts else []
    tables += [f"rollouts/{step}.csv" for step in parts["rollouts"]["eps"]] if "rollouts" in parts else []
    return [f"results/{name}/{table}" for table in tables]


def problems_of_data(wildcards):
    """The table of what was wrong with given data."""
    return f"results/{wildcards.experiment}/problems.csv" if wildcards.experiment in GIVEN else []


def given_settings(wildcards):
    """What config.yaml says of given data, as JSON (which is YAML)."""
    return json.dumps(workflow_config.given_data(experiment(wildcards)), indent=2)


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
        arm=trained_arms(experiment(wildcards)),
    )


def outcomes_of_rollouts(wildcards):
    """The labels of the rollouts of every checkpoint and seed."""
    if "rollouts" in workflow_config.given_data(experiment(wildcards)):
        return rollouts(wildcards)
    return expand(
        "results/{experiment}/seed{seed}/rollouts/{step}.csv",
        experiment=wildcards.experiment,
        seed=experiment(wildcards)["seeds"],
        step=experiment(wildcards)["rollouts"]["eps"],
    )


def inputs_of_seed(wildcards):
    """Every file of one seed that the tables follow from: settings, checkpoints, episodes, lists, scores, tests."""
    e, name, seed = experiment(wildcards), wildcards.experiment, wildcards.seed
    files = ["demo_score/classifier.yaml", "demo_score/scores.csv"]
    files += [f"demo_score_datasets/demo_score_{kept}.txt" for kept in ("demos_only", "rollouts_plus_demos")]
    if "rollouts" not in workflow_config.given_data(e):
        tried = ["rollouts/{step}.hdf5", "rollouts/{step}.csv", "base/checkpoints/{step}/model.safetensors"]
        files += expand(tried, step=e["rollouts"]["eps"])
    for arm in trained_arms(e):
        step = workflow_config.final_step(e, "base_policy" if arm == "base" else "final_policy")
        files += [f"{arm}/settings.yaml", f"{arm}/checkpoints/{step}/model.safetensors"]
        files += [f"{arm}/datasets_file.txt"] * (arm != "base") + [f"{arm}/evaluation.csv"] * (
            name in EVALUATED
        )
    return sorted(
        {*candidate_classifiers(wildcards), *(f"results/{name}/seed{seed}/{file}" for file in files)}
    )


def inputs_of_all_seeds(wildcards):
    """Every file that the tables follow from and that all seeds share; data.yaml names given data themselves."""
    parts = workflow_config.given_data(experiment(wildcards))
    files = given_tables(wildcards.experiment) if parts else []
    files += [problems_of_data(wildcards)] * bool(parts)
    return files + (
        [*demonstrations(wildcards), all_demonstrations(wildcards)] if "demonstrations" not in parts else []
    )


def data_settings(wildcards):
    """What config.yaml says of given data, where there are any."""
    return f"results/{wildcards.experiment}/data.yaml" if wildcards.experiment in GIVEN else []


def tables_of(wildcards):
    """All tables of an experiment, and its summary."""
    tables = ALL_TABLES if wildcards.experiment in EVALUATED else CURATION_TABLES
    return [
        f"results/{wildcards.experiment}/tables/{file}"
        for file in [*(f"{t}.csv" for t in tables), "summary.md"]
    ]

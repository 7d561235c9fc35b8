# Which files: what jobs need, by their wildcards, and what an experiment ends in.
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


def datasets_file(wildcards):
    """The list of episodes that an arm's policy trains on."""
    if wildcards.arm == "base":
        return all_demonstrations(wildcards)
    return f"results/{wildcards.experiment}/seed{wildcards.seed}/{wildcards.arm}/datasets_file.txt"


def listed_episodes(wildcards):
    """The files that the episodes of an arm's list lie in."""
    if wildcards.arm in workflow_config.ARMS_WITH_ROLLOUTS:
        return [*demonstrations(wildcards), *rollouts(wildcards)]
    return demonstrations(wildcards)


def final_checkpoint(wildcards):
    """The last checkpoint of an arm's policy."""
    step = workflow_config.final_step(experiment(wildcards), stage(wildcards))
    return f"results/{wildcards.experiment}/seed{wildcards.seed}/{wildcards.arm}/checkpoints/{step}/model.safetensors"


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
    tables.append(f"results/{name}/pages/summary.html")
    return [*tables, *checkpoints, *(exports if name in GIVEN else [])]


def figures_of(name):
    missing = set() if name in EVALUATED else {"success", "differences"}
    missing |= set() if has_paths(name) else {"paths"}
    figures = [figure for figure in FIGURES if figure not in missing]
    return expand(
        "results/{experiment}/figures/{figure}.{format}",
        experiment=name,
        figure=figures,
        format=["png", "svg"],
    )


def has_paths(name):
    """Whether it is known where hands or pusher are in an experiment's demonstrations."""
    e = config["experiments"][name]
    collected = bool(workflow_config.collected_strategies(e))
    return collected and workflow_config.environment_settings(e).name in WITH_PATHS


def compared_experiments():
    """Tables of differences of the experiments to run, where there are several."""
    names = [
        name for name in config["run"] if TRIED_ARM in workflow_config.final_arms(config["experiments"][name])
    ]
    names = [name for name in names if name in EVALUATED]
    return [f"results/{name}/tables/differences.csv" for name in names] if len(names) > 1 else []


def overview():
    """The figure of all experiments to run, where there are several."""
    return (
        expand("results/overview/differences.{format}", format=["png", "svg"])
        if compared_experiments()
        else []
    )


def recordings(name):
    """The videos and frame strips of the first run of an experiment."""
    e = config["experiments"][name]
    run = f"results/{name}/seed{e['seeds'][0]}"
    recorded = [f"{run}/{arm}/episodes" for arm in trained_arms(e) if name in EVALUATED]
    recorded += [f"{run}/demo_score/demonstrations"] * bool(workflow_config.collected_strategies(e))
    return expand("{recorded}.{format}", recorded=recorded, format=["mp4", "png"])


def given_files(name):
    """Input function: all files of an experiment's given data that lie at paths.

    But for those with braces in their names, which Snakemake takes for wildcards: given_content watches them.
    """
    data = workflow_config.given_data(config["experiments"][name])
    return lambda wildcards: [file for file in given.given_files(data) if "{" not in str(file)]


def given_content(name):
    """Params function: what these files hold, for older ones that take their place are not newer than the tables."""
    data = workflow_config.given_data(config["experiments"][name])
    return lambda wildcards: staleness.content_digest(given.given_files(data), Path(".snakemake/given.json"))


def given_tables(name):
    """The tables of the given episodes that pass."""
    parts = workflow_config.given_data(config["experiments"][name])
    tables = ["demonstrations/all.csv"] if "demonstrations" in parts else []
    tables += [f"rollouts/{step}.csv" for step in parts["rollouts"]["eps"]] if "rollouts" in parts else []
    return [f"results/{name}/{table}" for table in tables]


def problems_of_data(wildcards):
    """The table of what was wrong with given data."""
    return f"results/{wildcards.experiment}/problems.csv" if wildcards.experiment in GIVEN else []


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
    """The labels of the rollouts of every checkpoint and seed, and what became of curated policies at the same steps."""
    e = experiment(wildcards)
    if "rollouts" in workflow_config.given_data(e):
        return rollouts(wildcards)
    tried = "results/{experiment}/seed{seed}/rollouts/{step}.csv"
    files = expand(tried, experiment=wildcards.experiment, seed=e["seeds"], step=e["rollouts"]["eps"])
    return files + [file for seed in e["seeds"] for file in tried_checkpoints(wildcards.experiment, seed)]


def tried_checkpoints(name, seed):
    """Outcomes of the curated policy's checkpoints at the steps of the base policy's, where it has saved them."""
    e = config["experiments"][name]
    if (
        name not in EVALUATED
        or TRIED_ARM not in workflow_config.final_arms(e)
        or "rollouts" not in workflow_config.stages(e)
    ):
        return []
    saved = workflow_config.saved_checkpoints(e, "final_policy")
    return [
        f"results/{name}/seed{seed}/{TRIED_ARM}/rollouts/{step}.csv"
        for step in e["rollouts"]["eps"]
        if step in saved
    ]


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
    own = [f"results/{name}/seed{seed}/{file}" for file in files]
    return sorted({*candidate_classifiers(wildcards), *own, *tried_checkpoints(name, seed)})


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


def tables_of_all(wildcards):
    """All tables of the experiments to run, their summaries, and what they follow from."""
    names = [SimpleNamespace(experiment=name) for name in config["run"]]
    manifests = [f"results/{name.experiment}/tables/manifest.json" for name in names]
    return [table for name in names for table in tables_of(name)] + manifests


def published_tables():
    """The tables of published experiments of the same names as those to run."""
    folders = [Path("results/published", name, "tables") for name in config["run"]]
    return [str(path) for folder in folders for path in sorted(folder.glob("*.*"))]

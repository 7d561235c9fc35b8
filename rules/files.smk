# Which files: what demo_score.experiments.paths says of an experiment, as input functions of wildcards.


def paths(wildcards):
    return PATHS[wildcards.experiment]


def demonstrations(wildcards):
    return paths(wildcards).demonstrations()


def all_demonstrations(wildcards):
    return paths(wildcards).all_demonstrations()


def rollouts(wildcards, eps=None):
    return paths(wildcards).rollouts(wildcards.get("seed"), eps)


def scored_episodes(wildcards):
    return paths(wildcards).scored_episodes(wildcards.seed, wildcards.dataset_list)


def datasets_file(wildcards):
    return paths(wildcards).datasets_file(wildcards.seed, wildcards.condition)


def listed_episodes(wildcards):
    return paths(wildcards).listed_episodes(wildcards.seed, wildcards.condition)


def final_checkpoint(wildcards):
    return paths(wildcards).final_checkpoint(wildcards.seed, wildcards.condition)


def base_checkpoint(wildcards):
    return paths(wildcards).final_checkpoint(wildcards.seed, "base")


def start_of_training(wildcards):
    return paths(wildcards).start_of_training(wildcards.seed, wildcards.condition) or []


def named_in_settings(wildcards):
    return paths(wildcards).named_in_settings(wildcards.condition)


def candidate_classifiers(wildcards):
    return paths(wildcards).candidate_classifiers(wildcards.seed)


def all_classifiers(wildcards):
    return paths(wildcards).all_classifiers(wildcards.seed)


def looking_checkpoint(wildcards, archs=None):
    """The checkpoint whose policy.features classifiers see; none without that input.

    They are of `archs`; without them of the wildcard model_arch, or the candidates to filter.
    """
    if archs is None:
        trained = wildcards.get("model_arch")
        archs = [trained] if trained else paths(wildcards).candidate_archs()
    return paths(wildcards).looking_checkpoint(wildcards.seed, archs) or []


def looking(wildcards, archs=None):
    """The same as an option of the commands that read these classifiers."""
    file = looking_checkpoint(wildcards, archs)
    return shlex.join(["--features-of", str(Path(file).parent)] if file else [])


def all_archs(wildcards):
    return list(experiment(wildcards).classifiers.model_archs)


def architectures(wildcards):
    return paths(wildcards).architectures()


def arena(wildcards):
    return ARENA_PATHS[wildcards.experiment]


def evidence(wildcards):
    """What a method needs beside the demonstrations, by name."""
    return arena(wildcards).evidence(wildcards.seed, wildcards.method)


def evidence_options(wildcards):
    """The same as options of score_demonstrations.py."""
    return shlex.join(arena(wildcards).evidence_options(wildcards.seed, wildcards.method))


def external_scores(wildcards):
    return arena(wildcards).external(wildcards.method)


def scores_of_entrant(wildcards):
    return arena(wildcards).scores_of_entrant(wildcards.seed, wildcards.entrant)


def scores_of_run(wildcards):
    return arena(wildcards).scores_of_run(wildcards.seed)


def classifier_metrics(wildcards):
    return paths(wildcards).classifier_metrics()


def evaluations(wildcards):
    return paths(wildcards).evaluations()


def outcomes_of_rollouts(wildcards):
    return paths(wildcards).outcomes_of_rollouts()


def table_files(tables):
    """Tables of an experiment, by name."""
    return {table: f"results/{{experiment}}/tables/{table}.csv" for table in tables}


def table_pages(tables):
    """Their pages, by name."""
    return {
        table: report(
            f"results/{{experiment}}/pages/{table}.html",
            caption=f"../workflow/report/table_{table}.rst",
            category=CATEGORY[table],
            labels={"experiment": "{experiment}", "shows": f"table: {table}"},
        )
        for table in tables
    }


def problems_of_data(wildcards):
    return paths(wildcards).problems()


def data_settings(wildcards):
    return paths(wildcards).data_settings()


def tables_of(wildcards):
    return paths(wildcards).tables()


def inputs_of_seed(wildcards):
    return paths(wildcards).inputs_of_seed(wildcards.seed)


def inputs_of_all_seeds(wildcards):
    return paths(wildcards).inputs_of_all_seeds()


def user_files(name):
    """Input function: all files of an experiment's user-supplied data that lie at paths.

    But for those with braces in their names, which Snakemake takes for wildcards: user_content watches them.
    """
    data = PATHS[name].user_data
    return lambda wildcards: [file for file in user_data.user_files(data) if "{" not in str(file)]


def user_content(name):
    """Params function: what these files hold, for older ones that take their place are not newer than the tables."""
    data = PATHS[name].user_data
    return lambda wildcards: staleness.content_digest(
        user_data.user_files(data), Path(".snakemake/user_data.json")
    )


def compared_experiments():
    """Tables of differences of the experiments to run, where there are several."""
    names = [name for name in config["run"] if PATHS[name].is_compared()]
    return [f"results/{name}/tables/differences.csv" for name in names] if len(names) > 1 else []


def overview():
    """The figure of all experiments to run, where there are several."""
    kinds = ["png", "svg"] if compared_experiments() else []
    return [f"results/overview/differences.{kind}" for kind in kinds]


def tables_of_all(wildcards):
    """All tables of the experiments to run, their summaries, and what they follow from."""
    names = config["run"]
    manifests = [f"results/{name}/tables/manifest.json" for name in names]
    return [table for name in names for table in PATHS[name].tables()] + manifests


def published_tables():
    """The tables of published experiments of the same names as those to run."""
    folders = [Path("results/published", name, "tables") for name in config["run"]]
    return [str(path) for folder in folders for path in sorted(folder.glob("*.*"))]

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


def candidate_classifiers(wildcards):
    return paths(wildcards).candidate_classifiers(wildcards.seed)


def classifier_metrics(wildcards):
    return paths(wildcards).classifier_metrics()


def evaluations(wildcards):
    return paths(wildcards).evaluations()


def outcomes_of_rollouts(wildcards):
    return paths(wildcards).outcomes_of_rollouts()


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


def given_files(name):
    """Input function: all files of an experiment's given data that lie at paths.

    But for those with braces in their names, which Snakemake takes for wildcards: given_content watches them.
    """
    data = PATHS[name].given
    return lambda wildcards: [file for file in given.given_files(data) if "{" not in str(file)]


def given_content(name):
    """Params function: what these files hold, for older ones that take their place are not newer than the tables."""
    data = PATHS[name].given
    return lambda wildcards: staleness.content_digest(given.given_files(data), Path(".snakemake/given.json"))


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

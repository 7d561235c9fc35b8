# The graph of tests/bench/planning.py in rules that do nothing: the least that Snakemake needs to plan so many jobs.
#     snakemake -n -q all -s tests/bench/empty_rules.smk --configfile SETTINGS
TASKS, SEEDS, STEPS = config["tasks"], config["seeds"], config["steps"]
SPLITS, ARCHS, FINAL = config["splits"], config["archs"], config["final"]
CONDITIONS = ["base", *FINAL]
LISTS = {"curated_demos": "demos_only", "curated_rollouts_plus_demos": "rollouts_plus_demos"}
RUN = "{task}/seed{seed}"


wildcard_constraints:
    seed="[0-9]+",
    step="[0-9]+",
    condition="[a-z_]+",
    arch="[a-z0-9]+",


def every(pattern, **values):
    return expand(pattern, **values, allow_missing=True)


rule all:
    default_target: True
    input:
        expand("{task}/tables", task=TASKS),


rule demonstrations:
    output:
        "{task}/demonstrations/{strategy}.hdf5",


rule list:
    input:
        every("{task}/demonstrations/{strategy}.hdf5", strategy=config["strategies"]),
    output:
        "{task}/demonstrations/all.txt",


rule settings:
    output:
        f"{RUN}/{{condition}}/settings.yaml",


rule choose:
    input:
        f"{RUN}/scores.csv",
    output:
        f"{RUN}/{{condition}}/datasets_file.txt",


rule train_base:
    input:
        f"{RUN}/base/settings.yaml",
        "{task}/demonstrations/all.txt",
        every("{task}/demonstrations/{strategy}.hdf5", strategy=config["strategies"]),
    output:
        f"{RUN}/base/metrics.csv",
        every(f"{RUN}/base/{{step}}/{{file}}", step=STEPS, file=["model", "settings"]),


for condition in FINAL:

    rule:
        name:
            f"train_{condition}"
        input:
            f"{RUN}/{condition}/settings.yaml",
            f"{RUN}/lists/{LISTS[condition]}.txt"
            if condition in LISTS
            else f"{RUN}/{condition}/datasets_file.txt",
            every("{task}/demonstrations/{strategy}.hdf5", strategy=config["strategies"]),
            every(f"{RUN}/rollouts/{{step}}.hdf5", step=STEPS)
            if condition == "curated_rollouts_plus_demos"
            else [],
        output:
            f"{RUN}/{condition}/metrics.csv",
            every(f"{RUN}/{condition}/{{step}}/{{file}}", step=STEPS, file=["model", "settings"]),


rule rollouts:
    input:
        f"{RUN}/base/{{step}}/model",
        f"{RUN}/base/{{step}}/settings",
    output:
        f"{RUN}/rollouts/{{step}}.hdf5",


rule outcomes:
    input:
        every(f"{RUN}/rollouts/{{step}}.hdf5", step=STEPS),
    output:
        f"{RUN}/rollouts.csv",


rule classifier_settings:
    output:
        "{task}/classifiers/{arch}.yaml",


rule classifiers:
    input:
        "{task}/classifiers/{arch}.yaml",
        every(f"{RUN}/rollouts/{{step}}.hdf5", step=STEPS),
    output:
        f"{RUN}/classifiers/{{split}}/{{arch}}.safetensors",
        f"{RUN}/classifiers/{{split}}/{{arch}}.csv",


rule select:
    input:
        every(f"{RUN}/classifiers/{{split}}/{{arch}}.safetensors", split=SPLITS, arch=ARCHS),
    output:
        f"{RUN}/classifier.yaml",


rule filter:
    input:
        f"{RUN}/classifier.yaml",
        every(f"{RUN}/classifiers/{{split}}/{{arch}}.safetensors", split=SPLITS, arch=ARCHS),
        "{task}/demonstrations/all.txt",
        every(f"{RUN}/rollouts/{{step}}.hdf5", step=STEPS),
    output:
        f"{RUN}/scores.csv",
        every(f"{RUN}/lists/{{name}}.txt", name=LISTS.values()),


rule architectures:
    input:
        every(f"{RUN}/classifiers/{{split}}/{{arch}}.safetensors", split=SPLITS, arch=ARCHS),
        "{task}/demonstrations/all.txt",
        every("{task}/demonstrations/{strategy}.hdf5", strategy=config["strategies"]),
    output:
        f"{RUN}/architectures.csv",


rule evaluate:
    input:
        f"{RUN}/{{condition}}/{STEPS[-1]}/model",
    output:
        f"{RUN}/{{condition}}/evaluation.csv",


rule tables:
    input:
        every("{task}/seed{seed}/{condition}/evaluation.csv", seed=SEEDS, condition=CONDITIONS),
        every("{task}/seed{seed}/rollouts.csv", seed=SEEDS),
        every("{task}/seed{seed}/scores.csv", seed=SEEDS),
        every("{task}/seed{seed}/architectures.csv", seed=SEEDS),
    output:
        "{task}/tables",

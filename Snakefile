# Demo-SCORE: keep the robot demonstrations that help, by trying a policy trained on all of them.
from snakemake.utils import min_version

min_version("9.19")


include: "rules/start.smk"


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/files.smk"
include: "rules/resources.smk"
include: "rules/demonstrations.smk"
include: "rules/user_data.smk"
include: "rules/train.smk"
include: "rules/rollouts.smk"
include: "rules/classifiers.smk"
include: "rules/demo_score.smk"
include: "rules/evaluation.smk"
include: "rules/arena.smk"
include: "rules/arena_results.smk"
include: "rules/figures.smk"
include: "rules/videos.smk"
include: "rules/provenance.smk"
include: "rules/report.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,
    figures,
    videos,
    list_demonstrations,
    compose_settings,
    write_classifier_settings,
    write_data_settings,


rule all:
    default_target: True
    input:
        [PATHS[name].targets() for name in config["run"]],
        rules.figures.input,
        rules.write_answer.output,


include: "rules/targets.smk"

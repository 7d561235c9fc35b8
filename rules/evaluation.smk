# Every condition on the same initial states, and the tables that compare them.


rule evaluate:
    input:
        model=final_checkpoint,
    output:
        "results/{experiment}/seed{seed}/{condition}/evaluation.csv",
    log:
        "logs/{experiment}/seed{seed}/{condition}/evaluation.log",
    conda:
        "../envs/demo_score.yaml"
    threads: need("threads", "evaluation")
    resources:
        mem_mb=grows(need("memory", "evaluation")),
        runtime=grows(need("minutes", "evaluation")),
        gpu=need("gpus", "evaluation"),
    params:
        code=code("eval.py"),
        checkpoint=subpath(input.model, parent=True),
        out_dir=subpath(output[0], parent=True),
        overrides=evaluation_overrides,
        of_run=of_run,
    message:
        "Evaluate {wildcards.condition}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/eval.py -p {params.checkpoint} --out-dir {params.out_dir}"
        " {params.of_run} {params.overrides} > {log} 2>&1"


rule make_tables:
    input:
        evaluations=evaluations,
        rollouts=outcomes_of_rollouts,
        scores=per_seed("results/{experiment}/seed{seed}/demo_score/scores.csv"),
        classifiers=per_seed("results/{experiment}/seed{seed}/demo_score/classifier.yaml"),
        architectures=architectures,
        problems=problems_of_data,
    output:
        **table_files(ALL_TABLES),
        summary="results/{experiment}/tables/summary.md",
    log:
        "logs/{experiment}/tables.log",
    wildcard_constraints:
        experiment=one_of(EVALUATED),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("make_tables.py"),
        out_dir=subpath(output.summary, parent=True),
        oracle=oracle_of_tables,
    message:
        "Tables of {wildcards.experiment}"
    shell:
        "python workflow/scripts/make_tables.py --evaluations {input.evaluations} --rollouts {input.rollouts}"
        " --scores {input.scores} --classifiers {input.classifiers} --architectures {input.architectures}"
        " --problems {input.problems} {params.oracle} --out {params.out_dir} > {log} 2>&1"


# Where no policy is evaluated there are no rates and differences to tell of.
use rule make_tables as make_curation_tables with:
    input:
        evaluations=[],
        rollouts=outcomes_of_rollouts,
        scores=per_seed("results/{experiment}/seed{seed}/demo_score/scores.csv"),
        classifiers=per_seed("results/{experiment}/seed{seed}/demo_score/classifier.yaml"),
        architectures=architectures,
        problems=problems_of_data,
    output:
        **table_files(CURATION_TABLES),
        summary="results/{experiment}/tables/summary.md",
    wildcard_constraints:
        experiment=one_of(CURATED_ONLY),
    params:
        code=code("make_tables.py"),
        out_dir=subpath(output.summary, parent=True),
        oracle=[],

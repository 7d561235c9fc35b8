# Every arm on the same initial states, and the tables that compare them.


rule evaluate:
    input:
        model=final_checkpoint,
        code=code("eval.py"),
    output:
        "results/{experiment}/seed{seed}/{arm}/evaluation.csv",
    log:
        "logs/{experiment}/seed{seed}/{arm}/evaluation.log",
    conda:
        "../envs/demo_score.yaml"
    params:
        checkpoint=subpath(input.model, parent=True),
        out_dir=subpath(output[0], parent=True),
        overrides=evaluation_overrides,
    message:
        "Evaluate {wildcards.arm}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/eval.py -p {params.checkpoint} --out-dir {params.out_dir}"
        " {params.overrides} > {log} 2>&1"


rule make_tables:
    input:
        evaluations=evaluations,
        rollouts=outcomes_of_rollouts,
        scores=per_seed("results/{experiment}/seed{seed}/demo_score/scores.csv"),
        classifiers=per_seed("results/{experiment}/seed{seed}/demo_score/classifier.yaml"),
        code=code("make_tables.py"),
    output:
        **{
            table: report(
                f"results/{{experiment}}/tables/{table}.csv",
                caption=f"../workflow/report/table_{table}.rst",
                category="Tables",
                labels={"experiment": "{experiment}", "table": table},
            )
            for table in ["success", "differences", "checkpoints", "kept", "classifiers"]
        },
        summary=report(
            "results/{experiment}/tables/summary.md",
            caption="../workflow/report/summary.rst",
            category="Tables",
            labels={"experiment": "{experiment}", "table": "summary"},
        ),
    log:
        "logs/{experiment}/tables.log",
    conda:
        "../envs/demo_score.yaml"
    params:
        out_dir=subpath(output.summary, parent=True),
    message:
        "Tables of {wildcards.experiment}"
    shell:
        "python workflow/scripts/make_tables.py --evaluations {input.evaluations} --rollouts {input.rollouts}"
        " --scores {input.scores} --classifiers {input.classifiers} --out {params.out_dir} > {log} 2>&1"

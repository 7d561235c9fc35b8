# One success and one failure of each arm, to look at. Not part of `all`: drawing needs OpenGL, which the rest does not.


rule videos:
    input:
        [recordings(name) for name in config["run"] if name in EVALUATED],


rule record_rollouts:
    input:
        model=final_checkpoint,
        evaluation="results/{experiment}/seed{seed}/{arm}/evaluation.csv",
    output:
        video=report(
            "results/{experiment}/seed{seed}/{arm}/episodes.mp4",
            caption="../workflow/report/episodes.rst",
            category="Rollouts",
            labels={"experiment": "{experiment}", "seed": "{seed}", "arm": "{arm}", "type": "video"},
        ),
        strip=report(
            "results/{experiment}/seed{seed}/{arm}/episodes.png",
            caption="../workflow/report/episodes.rst",
            category="Rollouts",
            labels={"experiment": "{experiment}", "seed": "{seed}", "arm": "{arm}", "type": "frames"},
        ),
    log:
        "logs/{experiment}/seed{seed}/{arm}/episodes.log",
    conda:
        "../envs/demo_score.yaml"
    threads: 1
    resources:
        mem_mb=grows(need("memory", "evaluation")),
        runtime=grows(need("minutes", "evaluation")),
    params:
        code=code("record_rollouts.py"),
        checkpoint=subpath(input.model, parent=True),
        overrides=evaluation_overrides,
    message:
        "Record a success and a failure of {wildcards.arm}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/record_rollouts.py -p {params.checkpoint} --evaluation {input.evaluation}"
        " --video {output.video} --strip {output.strip} {params.overrides} > {log} 2>&1"

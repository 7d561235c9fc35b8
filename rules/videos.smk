# What episodes look like: one success and one failure of each condition, one demonstration that was kept and one that was
# dropped. Not part of `all`: drawing needs OpenGL, which the rest does not.


rule videos:
    input:
        [PATHS[name].recordings() for name in config["run"]],


rule record_rollouts:
    input:
        model=final_checkpoint,
        evaluation="results/{experiment}/seed{seed}/{condition}/evaluation.csv",
    output:
        video="results/{experiment}/seed{seed}/{condition}/episodes.mp4",
        strip=report(
            "results/{experiment}/seed{seed}/{condition}/episodes.png",
            caption="../workflow/report/episodes.rst",
            category=POLICIES,
            labels={
                "experiment": "{experiment}",
                "condition": "{condition}",
                "seed": "{seed}",
                "shows": "frames",
            },
        ),
        page=report(
            "results/{experiment}/seed{seed}/{condition}/episodes.html",
            caption="../workflow/report/episodes.rst",
            category=POLICIES,
            labels={
                "experiment": "{experiment}",
                "condition": "{condition}",
                "seed": "{seed}",
                "shows": "video",
            },
        ),
    log:
        "logs/{experiment}/seed{seed}/{condition}/episodes.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(need("memory", "evaluation")),
        runtime=grows(need("minutes", "evaluation")),
    params:
        code=code("record_rollouts.py"),
        checkpoint=subpath(input.model, parent=True),
        out_dir=subpath(output.video, parent=True),
        overrides=evaluation_overrides,
    message:
        "Record a success and a failure of {wildcards.condition}, seed {wildcards.seed}"
    shell:
        "(python workflow/scripts/record_rollouts.py -p {params.checkpoint} --evaluation {input.evaluation}"
        " --video {output.video} --strip {output.strip} {params.overrides}"
        " && python workflow/scripts/write_pages.py {output.video} --out-dir {params.out_dir}) > {log} 2>&1"


rule record_demonstrations:
    input:
        scores="results/{experiment}/seed{seed}/demo_score/scores.csv",
        demonstrations=demonstrations,
    output:
        video="results/{experiment}/seed{seed}/demo_score/demonstrations.mp4",
        strip=report(
            "results/{experiment}/seed{seed}/demo_score/demonstrations.png",
            caption="../workflow/report/demonstrations.rst",
            category=DEMONSTRATIONS,
            labels={
                "experiment": "{experiment}",
                "seed": "{seed}",
                "shows": "frames: one kept, one dropped",
            },
        ),
        page=report(
            "results/{experiment}/seed{seed}/demo_score/demonstrations.html",
            caption="../workflow/report/demonstrations.rst",
            category=DEMONSTRATIONS,
            labels={"experiment": "{experiment}", "seed": "{seed}", "shows": "video: one kept, one dropped"},
        ),
    log:
        "logs/{experiment}/seed{seed}/demo_score/demonstrations.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(demonstration_memory),
        runtime=grows(30),
    params:
        code=code("record_demonstrations.py"),
        out_dir=subpath(output.video, parent=True),
    message:
        "Record a kept and a dropped demonstration, seed {wildcards.seed}"
    shell:
        "(python workflow/scripts/record_demonstrations.py --scores {input.scores} --video {output.video}"
        " --strip {output.strip}"
        " && python workflow/scripts/write_pages.py {output.video} --out-dir {params.out_dir}) > {log} 2>&1"

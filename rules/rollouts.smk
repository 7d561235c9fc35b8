# Step 2: try several checkpoints of the base policy; every rollout is labelled by the environment.


rule collect_rollouts:
    input:
        model="results/{experiment}/seed{seed}/base/checkpoints/{step}/model.safetensors",
        settings="results/{experiment}/seed{seed}/base/checkpoints/{step}/settings.yaml",
    output:
        "results/{experiment}/seed{seed}/rollouts/{step}.hdf5",
    log:
        "logs/{experiment}/seed{seed}/rollouts/{step}.log",
    conda:
        "../envs/demo_score.yaml"
    threads: need("threads", "rollouts")
    resources:
        mem_mb=grows(need("memory", "rollouts")),
        runtime=grows(need("minutes", "rollouts")),
        gpu=need("gpus", "rollouts"),
    params:
        code=code("collect_rollouts.py"),
        checkpoint=subpath(input.model, parent=True),
        out_dir=subpath(output[0], parent=True),
        overrides=rollout_overrides,
    message:
        "Roll out checkpoint {wildcards.step} of the base policy, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/collect_rollouts.py -p {params.checkpoint} --out-dir {params.out_dir}"
        " {params.overrides} > {log} 2>&1"


rule list_outcomes:
    input:
        rollouts=rollouts,
    output:
        "results/{experiment}/seed{seed}/rollouts.csv",
    log:
        "logs/{experiment}/seed{seed}/rollouts.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("list_outcomes.py"),
    message:
        "List the outcomes of all rollouts, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/list_outcomes.py {input.rollouts} --run-seed {wildcards.seed} --condition base"
        " --out {output} > {log} 2>&1"


# How a curated policy fares at the same steps and from the same initial states; nothing is chosen by it.
rule evaluate_checkpoint:
    input:
        model="results/{experiment}/seed{seed}/{condition}/checkpoints/{step}/model.safetensors",
    output:
        "results/{experiment}/seed{seed}/{condition}/rollouts/{step}.csv",
    log:
        "logs/{experiment}/seed{seed}/{condition}/rollouts/{step}.log",
    wildcard_constraints:
        condition=one_of(CONDITIONS_ALONG_TRAINING),
    conda:
        "../envs/demo_score.yaml"
    threads: need("threads", "rollouts")
    resources:
        mem_mb=grows(need("memory", "rollouts")),
        runtime=grows(need("minutes", "rollouts")),
        gpu=need("gpus", "rollouts"),
    params:
        code=code("eval.py"),
        checkpoint=subpath(input.model, parent=True),
        out_dir=subpath(output[0], parent=True),
        overrides=rollout_overrides,
    message:
        "Evaluate checkpoint {wildcards.step} of {wildcards.condition}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/eval.py -p {params.checkpoint} --out-dir {params.out_dir}"
        " --name {wildcards.step} --run-seed {wildcards.seed} --condition {wildcards.condition}"
        " {params.overrides} > {log} 2>&1"

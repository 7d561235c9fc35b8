# Steps 1 and 5: the base policy learns from all demonstrations, each condition's final policy from what was chosen.


rule compose_settings:
    output:
        "results/{experiment}/seed{seed}/{condition}/settings.yaml",
    log:
        "logs/{experiment}/seed{seed}/{condition}/settings.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        overrides=policy_overrides,
        resolved=resolved_settings,
    message:
        "Compose settings: {wildcards.condition}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/compose_settings.py {params.overrides} --out {output} > {log} 2>&1"


# A run saves several checkpoints, and which ones differs between experiments and stages: a rule for each.
for experiment_name, stage_name in trained_stages():

    rule:
        name:
            f"train_{stage_name}_{experiment_name}"
        input:
            settings="results/{experiment}/seed{seed}/{condition}/settings.yaml",
            datasets_file=datasets_file,
            episodes=listed_episodes,
            start=start_of_training,
            named=named_in_settings,
        output:
            metrics="results/{experiment}/seed{seed}/{condition}/metrics.csv",
            checkpoints=expand(
                "results/{experiment}/seed{seed}/{condition}/checkpoints/{step}/{file}",
                step=workflow_config.saved_checkpoints(EXPERIMENTS[experiment_name], stage_name),
                file=["model.safetensors", "settings.yaml"],
                allow_missing=True,
            ),
        log:
            "logs/{experiment}/seed{seed}/{condition}/train.log",
        wildcard_constraints:
            **places_of_stage(experiment_name, stage_name),
        # The longest jobs first: else the last of them runs alone.
        priority: 1
        conda:
            "../envs/demo_score.yaml"
        threads: need("threads", stage)
        resources:
            mem_mb=grows(need("memory", stage)),
            runtime=grows(need("minutes", stage)),
            gpu=need("gpus", stage),
        params:
            code=code("train.py"),
            run_dir=subpath(input.settings, parent=True),
        message:
            "Train policy: {wildcards.condition}, seed {wildcards.seed} (progress: {log})"
        shell:
            "python workflow/scripts/train.py --config-path {params.run_dir} --config-name settings"
            " hydra.run.dir={params.run_dir} > {log} 2>&1"


# A base policy that was trained elsewhere: each of its checkpoints becomes one of ours.
rule take_checkpoint:
    input:
        lambda wildcards: paths(wildcards).taken_files(wildcards.seed, wildcards.step),
    output:
        model="results/{experiment}/seed{seed}/base/checkpoints/{step}/model.safetensors",
        settings="results/{experiment}/seed{seed}/base/checkpoints/{step}/settings.yaml",
    log:
        "logs/{experiment}/seed{seed}/base/{step}.log",
    wildcard_constraints:
        experiment=one_of(TAKEN),
        step="[0-9]+",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(STATE_MEMORY),
        runtime=grows(20),
    params:
        code=code("take_checkpoint.py"),
        checkpoint=lambda wildcards: paths(wildcards).taken_checkpoint(wildcards.seed, wildcards.step),
        out_dir=subpath(output.model, parent=True),
        overrides=taken_overrides,
    message:
        "Take checkpoint {wildcards.step} of a base policy that was trained elsewhere, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/take_checkpoint.py {params.checkpoint:q} {params.overrides} --out {params.out_dir}"
        " > {log} 2>&1"

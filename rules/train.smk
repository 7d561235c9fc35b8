# Steps 1 and 5: a policy trained on all demonstrations, and one on the episodes of each other arm.


rule compose_settings:
    output:
        "results/{experiment}/seed{seed}/{arm}/settings.yaml",
    log:
        "logs/{experiment}/seed{seed}/{arm}/settings.log",
    conda:
        "../envs/demo_score.yaml"
    params:
        overrides=policy_overrides,
        resolved=resolved_settings,
    message:
        "Compose settings: {wildcards.arm}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/compose_settings.py {params.overrides} --out {output} 2> {log}"


# One run saves several checkpoints, which ones differs between experiments: hence a rule for each.
for name, e in config["experiments"].items():

    rule:
        name:
            f"train_base_policy_{name}"
        input:
            settings=f"results/{name}/seed{{seed}}/base/settings.yaml",
            datasets_file=f"results/{name}/demonstrations/all.txt",
            episodes=expand(
                "results/{name}/demonstrations/{strategy}.hdf5", name=name, strategy=e["demonstrations"]
            ),
            code=code("train.py"),
        output:
            expand(
                "results/{name}/seed{{seed}}/base/checkpoints/{step}/{file}",
                name=name,
                step=workflow_config.saved_checkpoints(e, "base_policy"),
                file=["model.safetensors", "settings.yaml"],
            ),
            f"results/{name}/seed{{seed}}/base/metrics.csv",
        log:
            f"logs/{name}/seed{{seed}}/base/train.log",
        conda:
            "../envs/demo_score.yaml"
        params:
            run_dir=subpath(input.settings, parent=True),
        message:
            "Train base policy, seed {wildcards.seed} (progress: {log})"
        shell:
            "python workflow/scripts/train.py --config-path {params.run_dir} --config-name settings"
            " hydra.run.dir={params.run_dir} 2> {log}"


rule train_final_policy:
    input:
        settings="results/{experiment}/seed{seed}/{arm}/settings.yaml",
        datasets_file="results/{experiment}/seed{seed}/{arm}/datasets_file.txt",
        episodes=demonstrations,
        rollouts=branch(
            lambda wildcards: wildcards.arm == "curated_rollouts_plus_demos", then=rollouts, otherwise=[]
        ),
        code=code("train.py"),
    output:
        "results/{experiment}/seed{seed}/{arm}/checkpoints/{step}/model.safetensors",
        "results/{experiment}/seed{seed}/{arm}/checkpoints/{step}/settings.yaml",
    log:
        "logs/{experiment}/seed{seed}/{arm}/train_{step}.log",
    wildcard_constraints:
        arm=FINAL_ARM,
    conda:
        "../envs/demo_score.yaml"
    params:
        run_dir=subpath(input.settings, parent=True),
    message:
        "Train policy: {wildcards.arm}, seed {wildcards.seed} (progress: {log})"
    shell:
        "python workflow/scripts/train.py --config-path {params.run_dir} --config-name settings"
        " hydra.run.dir={params.run_dir} 2> {log}"

# Step 3: small classifiers that tell successful from failed rollouts; one job trains all members of a sweep.


rule write_classifier_settings:
    output:
        "results/{experiment}/classifiers/{model_arch}.yaml",
    log:
        "logs/{experiment}/classifiers/{model_arch}.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(500),
        runtime=grows(5),
    params:
        settings=classifier_settings,
    message:
        "Write settings of classifier {wildcards.model_arch}"
    shell:
        "printf '%s\\n' {params.settings:q} > {output} 2> {log}"


rule train_classifiers:
    input:
        settings="results/{experiment}/classifiers/{model_arch}.yaml",
        train=lambda wildcards: rollouts(wildcards, split(wildcards).train),
        cross_val=lambda wildcards: rollouts(wildcards, split(wildcards).cross_val),
        looks=looking_checkpoint,
    output:
        classifiers="results/{experiment}/seed{seed}/classifiers/{split}/{model_arch}.safetensors",
        metrics="results/{experiment}/seed{seed}/classifiers/{split}/{model_arch}.csv",
    log:
        "logs/{experiment}/seed{seed}/classifiers/{split}/{model_arch}.log",
    benchmark:
        "results/{experiment}/seed{seed}/benchmarks/classifiers/{split}/{model_arch}.tsv"
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(STATE_MEMORY),
        runtime=grows(classifier_minutes),
    params:
        code=code("train_classifiers.py"),
        looking=looking,
    message:
        "Train classifiers {wildcards.model_arch} on {wildcards.split}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/train_classifiers.py --settings {input.settings} --model-arch {wildcards.model_arch}"
        " --train {input.train} --cross-val {input.cross_val}"
        " --out {output.classifiers} --metrics {output.metrics} {params.looking} > {log} 2>&1"

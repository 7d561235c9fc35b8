# What the tables follow from, by digest: `make verify` says which number no longer does.


rule digest_inputs:
    input:
        files=inputs_of_seed,
    output:
        "results/{experiment}/seed{seed}/inputs.json",
    log:
        "logs/{experiment}/seed{seed}/inputs.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        code=code("digest_inputs.py"),
    message:
        "Digest what the tables follow from, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/digest_inputs.py {input.files} --out {output} > {log} 2>&1"


rule write_manifest:
    input:
        seeds=per_seed("results/{experiment}/seed{seed}/inputs.json"),
        shared=inputs_of_all_seeds,
        data=data_settings,
        tables=tables_of,
    output:
        manifest="results/{experiment}/tables/manifest.json",
        run="results/{experiment}/tables/run.json",
    log:
        "logs/{experiment}/manifest.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        code=code("write_manifest.py"),
        settings=lambda wildcards: json.dumps(experiment(wildcards).without_arena()),
    message:
        "Write down what the tables of {wildcards.experiment} follow from"
    shell:
        "python workflow/scripts/write_manifest.py --settings {params.settings:q} --seed-inputs {input.seeds}"
        " --shared {input.shared} --data {input.data} --tables {input.tables} --out {output.manifest} > {log} 2>&1"

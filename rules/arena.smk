# The arena: every curation method scores all demonstrations, keeps as many as the others, and is judged by its policy.
# Its policies are trained, and evaluated, by the rules that train and evaluate all others.


rule compute_influence:
    input:
        list=all_demonstrations,
        demonstrations=demonstrations,
        rollouts=rollouts,
        model=base_checkpoint,
    output:
        "results/{experiment}/seed{seed}/arena/influence.safetensors",
    log:
        "logs/{experiment}/seed{seed}/arena/influence.log",
    benchmark:
        "results/{experiment}/seed{seed}/arena/benchmarks/influence.tsv"
    wildcard_constraints:
        experiment=one_of(ARENAS),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(STATE_MEMORY),
        runtime=grows(60),
    params:
        code=code("compute_influence.py"),
        checkpoint=subpath(input.model, parent=True),
        settings=lambda wildcards: method_settings(wildcards, "influence"),
    message:
        "Influence of demonstrations on rollouts, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/compute_influence.py --demonstrations {input.list} --rollouts {input.rollouts}"
        " --checkpoint {params.checkpoint} --settings {params.settings:q} --run-seed {wildcards.seed}"
        " --out {output} > {log} 2>&1"


rule score_demonstrations:
    input:
        unpack(evidence),
        list=all_demonstrations,
        demonstrations=demonstrations,
    output:
        "results/{experiment}/seed{seed}/arena/scores/{method}.csv",
    log:
        "logs/{experiment}/seed{seed}/arena/scores/{method}.log",
    benchmark:
        "results/{experiment}/seed{seed}/arena/benchmarks/{method}.tsv"
    wildcard_constraints:
        experiment=one_of(ARENAS),
        method=one_of(METHODS),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(STATE_MEMORY),
        runtime=grows(60),
    params:
        code=code("score_demonstrations.py"),
        method=method_code,
        evidence=evidence_options,
        settings=method_settings,
    message:
        "Score demonstrations by {wildcards.method}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/score_demonstrations.py {wildcards.method} --demonstrations {input.list}"
        " {params.evidence} --settings {params.settings:q} --run-seed {wildcards.seed} --out {output} > {log} 2>&1"


rule take_external_scores:
    input:
        scores=external_scores,
        list=all_demonstrations,
        demonstrations=demonstrations,
    output:
        "results/{experiment}/seed{seed}/arena/scores/{method}.csv",
    log:
        "logs/{experiment}/seed{seed}/arena/scores/{method}.log",
    wildcard_constraints:
        experiment=one_of(ARENAS),
        method=one_of(EXTERNAL),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("take_external_scores.py"),
        names=lambda wildcards: list(experiment(wildcards).demonstrations),
    message:
        "Take the scores of {wildcards.method}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/take_external_scores.py {wildcards.method} --path {input.scores}"
        " --demonstrations {input.list} --names {params.names} --run-seed {wildcards.seed} --out {output} > {log} 2>&1"


rule keep_demonstrations:
    input:
        filter_scores="results/{experiment}/seed{seed}/demo_score/scores.csv",
        scores=scores_of_entrant,
    output:
        kept="results/{experiment}/seed{seed}/arena/{keep}/{entrant}/kept.csv",
        list="results/{experiment}/seed{seed}/arena/{keep}/{entrant}/datasets_file.txt",
    log:
        "logs/{experiment}/seed{seed}/arena/{keep}/{entrant}/datasets_file.log",
    wildcard_constraints:
        experiment=one_of(ARENAS),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("keep_demonstrations.py"),
        oracle=oracle_of_tables,
        scores=lambda wildcards, input: f"--scores {input.scores}" if input.scores else "",
        size=size_of_keep,
    message:
        "Choose the demonstrations of {wildcards.entrant} ({wildcards.keep}), seed {wildcards.seed}"
    shell:
        "python workflow/scripts/keep_demonstrations.py {wildcards.entrant} {params.size}"
        " --filter-scores {input.filter_scores} {params.scores} {params.oracle} --run-seed {wildcards.seed}"
        " --kept {output.kept} --out {output.list} > {log} 2>&1"


rule list_costs:
    input:
        scores=scores_of_run,
        rollouts=rollouts,
    output:
        "results/{experiment}/seed{seed}/arena/costs.csv",
    log:
        "logs/{experiment}/seed{seed}/arena/costs.log",
    wildcard_constraints:
        experiment=one_of(ARENAS),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("list_costs.py"),
        benchmarks=lambda wildcards: json.dumps(arena(wildcards).benchmarks(wildcards.seed)),
    message:
        "List what the methods cost, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/list_costs.py --benchmarks {params.benchmarks:q} --rollouts {input.rollouts}"
        " --run-seed {wildcards.seed} --out {output} > {log} 2>&1"


rule gather_arena_tables:
    input:
        lambda wildcards: arena(wildcards).gathered(int(wildcards.seed), wildcards.table),
    output:
        "results/{experiment}/seed{seed}/arena/{table}.csv",
    log:
        "logs/{experiment}/seed{seed}/arena/{table}.log",
    wildcard_constraints:
        experiment=one_of(ARENAS),
        table=one_of(RUN_TABLES),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("gather_tables.py"),
        kind=lambda wildcards: RUN_TABLES[wildcards.table],
    message:
        "Put the arena's {wildcards.table} together, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/gather_tables.py {input} --kind {params.kind} --out {output} > {log} 2>&1"

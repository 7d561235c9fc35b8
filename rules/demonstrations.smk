# Demonstrations of mixed quality, made by scripted demonstrators in the simulator.


rule collect_demonstrations:
    output:
        "results/{experiment}/demonstrations/{strategy}.hdf5",
    log:
        "logs/{experiment}/demonstrations/{strategy}.log",
    conda:
        "../envs/demo_score.yaml"
    threads: 2
    resources:
        mem_mb=grows(demonstration_memory),
        runtime=grows(demonstration_minutes),
    params:
        code=code("collect_demonstrations.py"),
        overrides=demonstration_overrides,
        environment=environment_settings,
        n_episodes=lambda wildcards: experiment(wildcards).demonstrations[wildcards.strategy].n_episodes,
        seed=lambda wildcards: experiment(wildcards).demonstrations[wildcards.strategy].seed,
    message:
        "Collect demonstrations of strategy {wildcards.strategy}"
    shell:
        "python workflow/scripts/collect_demonstrations.py {params.overrides} --strategy {wildcards.strategy}"
        " --n-episodes {params.n_episodes} --seed {params.seed} --out {output} > {log} 2>&1"


rule list_demonstrations:
    input:
        demonstrations=demonstrations,
    output:
        "results/{experiment}/demonstrations/all.txt",
    log:
        "logs/{experiment}/demonstrations/all.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("list_episodes.py"),
    message:
        "List all demonstrations"
    shell:
        "python workflow/scripts/list_episodes.py {input.demonstrations} --out {output} > {log} 2>&1"


rule trace_paths:
    input:
        demonstrations,
    output:
        "results/{experiment}/demonstrations/paths.csv",
    log:
        "logs/{experiment}/demonstrations/paths.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(demonstration_memory),
        runtime=grows(30),
    params:
        code=code("trace_paths.py"),
    message:
        "Trace the hands in all demonstrations"
    shell:
        "python workflow/scripts/trace_paths.py {input} --out {output} > {log} 2>&1"

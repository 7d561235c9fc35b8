# What the arena of all runs says together: tables, figures, pages for the report, and what these follow from.


# Which tables there are differs between experiments: a rule for each.
for experiment_name, arena_paths in ARENA_PATHS.items():

    rule:
        name:
            f"make_arena_tables_{experiment_name}"
        input:
            **{table: arena_paths.of_runs(table) for table in (*RUN_TABLES, "costs")},
        output:
            tables=arena_paths.tables()[:-1],
            summary=f"results/{experiment_name}/arena/summary.md",
        log:
            f"logs/{experiment_name}/arena/tables.log",
        conda:
            "../envs/demo_score.yaml"
        resources:
            mem_mb=grows(1000),
            runtime=grows(10),
        params:
            code=code("make_arena_tables.py"),
            oracle=shlex.join(
                ["--oracle", *arena_paths.paths.experiment.oracle()] * arena_paths.paths.is_evaluated
            ),
            out_dir=subpath(output.summary, parent=True),
        message:
            f"Tables of the arena of {experiment_name}"
        shell:
            "python workflow/scripts/make_arena_tables.py --evaluations {input.evaluations} --scores {input.scores}"
            " --kept {input.kept} --costs {input.costs} {params.oracle} --out {params.out_dir} > {log} 2>&1"


# A caption's path takes no wildcard: hence a rule for each figure.
for figure_name, tables in ARENA_FIGURES.items():

    rule:
        name:
            f"plot_{figure_name}"
        input:
            **{option: f"results/{{experiment}}/arena/tables/{table}.csv" for option, table in tables.items()},
        output:
            png=report(
                f"results/{{experiment}}/arena/figures/{figure_name}.png",
                caption=f"../workflow/report/{figure_name}.rst",
                category=ARENA,
                labels={
                    "experiment": "{experiment}",
                    "shows": f"figure: {figure_name.removeprefix('arena_')}",
                },
            ),
            svg=f"results/{{experiment}}/arena/figures/{figure_name}.svg",
        log:
            f"logs/{{experiment}}/arena/figures/{figure_name}.log",
        wildcard_constraints:
            experiment=one_of(ARENAS),
        conda:
            "../envs/demo_score.yaml"
        resources:
            mem_mb=grows(1000),
            runtime=grows(10),
        params:
            code=code("plot.py"),
            figure=figure_name,
            tables=lambda wildcards, input: shlex.join(
                [word for option, path in input.items() for word in (f"--{option}", path)]
            ),
        message:
            "Figure {params.figure} of {wildcards.experiment}"
        shell:
            "python workflow/scripts/plot.py {params.figure} {params.tables} --out {output} > {log} 2>&1"


# Tables as pages for the report; which there are differs between experiments.
for experiment_name, arena_paths in ARENA_PATHS.items():

    rule:
        name:
            f"write_arena_pages_{experiment_name}"
        input:
            arena_paths.tables(),
        output:
            [
                report(
                    page,
                    caption=f"../workflow/report/{caption}.rst",
                    category=ARENA,
                    labels={"experiment": experiment_name, "shows": shows},
                )
                for page, caption, shows in arena_paths.pages()
            ],
        log:
            f"logs/{experiment_name}/arena/pages.log",
        conda:
            "../envs/demo_score.yaml"
        resources:
            mem_mb=grows(1000),
            runtime=grows(10),
        params:
            code=code("write_pages.py"),
            out_dir=subpath(output[0], parent=True),
        message:
            f"Pages of the arena of {experiment_name}"
        shell:
            "python workflow/scripts/write_pages.py {input} --out-dir {params.out_dir} > {log} 2>&1"


rule digest_arena_inputs:
    input:
        files=lambda wildcards: arena(wildcards).inputs_of_seed(int(wildcards.seed)),
    output:
        "results/{experiment}/seed{seed}/arena/inputs.json",
    log:
        "logs/{experiment}/seed{seed}/arena/inputs.log",
    wildcard_constraints:
        experiment=one_of(ARENAS),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        code=code("digest_inputs.py"),
    message:
        "Digest what the arena's tables follow from, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/digest_inputs.py {input.files} --out {output} > {log} 2>&1"


rule write_arena_manifest:
    input:
        seeds=per_seed("results/{experiment}/seed{seed}/arena/inputs.json"),
        shared=inputs_of_all_seeds,
        data=data_settings,
        tables=lambda wildcards: arena(wildcards).tables(),
    output:
        manifest="results/{experiment}/arena/tables/manifest.json",
        run="results/{experiment}/arena/tables/run.json",
    log:
        "logs/{experiment}/arena/manifest.log",
    wildcard_constraints:
        experiment=one_of(ARENAS),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        code=code("write_manifest.py"),
        settings=lambda wildcards: json.dumps(experiment(wildcards).written),
    message:
        "Write down what the arena of {wildcards.experiment} follows from"
    shell:
        "python workflow/scripts/write_manifest.py --settings {params.settings:q} --seed-inputs {input.seeds}"
        " --shared {input.shared} --data {input.data} --tables {input.tables} --out {output.manifest} > {log} 2>&1"


rule arena:
    input:
        [ARENA_PATHS[name].targets() for name in config["run"] if name in ARENAS],

# User-supplied demonstrations or rollouts, from wherever they were recorded: found, checked and listed.


rule write_data_settings:
    output:
        "results/{experiment}/data.yaml",
    log:
        "logs/{experiment}/data_settings.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(500),
        runtime=grows(5),
    params:
        settings=user_data_settings,
    message:
        "Write what {wildcards.experiment} says of user-supplied data"
    shell:
        "printf '%s\\n' {params.settings:q} > {output} 2> {log}"


# Which tables there are differs between experiments: a rule for each.
for experiment_name in USER_DATA:

    rule:
        name:
            f"prepare_data_{experiment_name}"
        input:
            settings=f"results/{experiment_name}/data.yaml",
            data=user_files(experiment_name),
        output:
            tables=PATHS[experiment_name].user_tables(),
            problems=report(
                f"results/{experiment_name}/problems.csv",
                caption="../workflow/report/problems.rst",
                category=DEMONSTRATIONS,
                labels={"experiment": experiment_name, "shows": "table: problems"},
            ),
        log:
            f"logs/{experiment_name}/data.log",
        conda:
            "../envs/demo_score.yaml"
        resources:
            mem_mb=grows(8000),
            runtime=grows(120),
        params:
            code=code("prepare_data.py"),
            data=user_content(experiment_name),
            out_dir=subpath(output.problems, parent=True),
        message:
            "Check the user-supplied data (what is wrong: {log})"
        shell:
            "python workflow/scripts/prepare_data.py --settings {input.settings} --out-dir {params.out_dir} "
            "--content {params.data} > {log} 2>&1"


rule export_lists:
    input:
        list="results/{experiment}/seed{seed}/demo_score_datasets/{dataset_list}.txt",
        sources=scored_episodes,
    output:
        directory("results/{experiment}/seed{seed}/demo_score_datasets/{dataset_list}"),
    log:
        "logs/{experiment}/seed{seed}/demo_score_datasets/{dataset_list}.log",
    wildcard_constraints:
        experiment=one_of(USER_DATA),
        dataset_list="[a-z_]+",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(8000),
        runtime=grows(120),
    params:
        code=code("export_list.py"),
    message:
        "Export {wildcards.dataset_list} for other tools, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/export_list.py {input.list} --sources {input.sources} --out {output} > {log} 2>&1"

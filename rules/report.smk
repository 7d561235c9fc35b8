# Tables and texts as pages for the report (figures, frames and videos are marked for it where they are made).


for kind, tables in {"": ALL_TABLES, "curation_": CURATION_TABLES}.items():

    rule:
        name:
            f"write_{kind}pages"
        input:
            tables=[f"results/{{experiment}}/tables/{table}.csv" for table in tables],
            summary="results/{experiment}/tables/summary.md",
            manifest="results/{experiment}/tables/manifest.json",
            run="results/{experiment}/tables/run.json",
        output:
            **{
                table: report(
                    f"results/{{experiment}}/pages/{table}.html",
                    caption=f"../workflow/report/table_{table}.rst",
                    category=CATEGORY[table],
                    labels={"experiment": "{experiment}", "shows": f"table: {table}"},
                )
                for table in tables
            },
            summary=report(
                "results/{experiment}/pages/summary.html",
                caption="../workflow/report/summary.rst",
                category=OUTCOME,
                labels={"experiment": "{experiment}", "shows": "summary"},
            ),
            manifest=report(
                "results/{experiment}/pages/manifest.html",
                caption="../workflow/report/manifest.rst",
                category=PROVENANCE,
                labels={"experiment": "{experiment}", "shows": "settings, versions, digests"},
            ),
            run=report(
                "results/{experiment}/pages/run.html",
                caption="../workflow/report/run.rst",
                category=PROVENANCE,
                labels={"experiment": "{experiment}", "shows": "commit, machine, times"},
            ),
        log:
            "logs/{experiment}/pages.log",
        wildcard_constraints:
            experiment=one_of(set(config["experiments"]) - set(EVALUATED) if kind else EVALUATED),
        conda:
            "../envs/demo_score.yaml"
        resources:
            mem_mb=grows(1000),
            runtime=grows(10),
        params:
            code=code("write_pages.py"),
            out_dir=subpath(output.summary, parent=True),
        message:
            "Pages of {wildcards.experiment}"
        shell:
            "python workflow/scripts/write_pages.py {input} --out-dir {params.out_dir} > {log} 2>&1"


rule write_answer:
    input:
        tables=tables_of_all,
        published=published_tables(),
    output:
        report(
            "results/overview/answer.html",
            caption="../workflow/report/answer.rst",
            category=OUTCOME,
            labels={"experiment": "all", "shows": "summary and verdict"},
        ),
    log:
        "logs/answer.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("write_answer.py"),
        experiments=[f"results/{name}" for name in config["run"]],
    message:
        "First page of the report"
    shell:
        "python workflow/scripts/write_answer.py {params.experiments} --out {output} > {log} 2>&1"

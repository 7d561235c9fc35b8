# Tables and texts as pages for the report (figures, frames and videos are marked for it where they are made).


rule write_pages:
    input:
        **table_files(ALL_TABLES),
        summary="results/{experiment}/tables/summary.md",
        manifest="results/{experiment}/tables/manifest.json",
        run="results/{experiment}/tables/run.json",
    output:
        **table_pages(ALL_TABLES),
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
        experiment=one_of(EVALUATED),
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


# Where no policy is evaluated: the same of fewer tables.
use rule write_pages as write_curation_pages with:
    input:
        **table_files(CURATION_TABLES),
        summary="results/{experiment}/tables/summary.md",
        manifest="results/{experiment}/tables/manifest.json",
        run="results/{experiment}/tables/run.json",
    output:
        **table_pages(CURATION_TABLES),
        summary=rules.write_pages.output.summary,
        manifest=rules.write_pages.output.manifest,
        run=rules.write_pages.output.run,
    wildcard_constraints:
        experiment=one_of(CURATED_ONLY),


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

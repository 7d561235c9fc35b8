# Figures, drawn from tables alone; each as PNG and SVG.


rule figures:
    input:
        [PATHS[name].figures() for name in config["run"]],
        overview(),


# Figures that show one table. A caption's path takes no wildcard: hence a rule for each.
for figure_name in TABLE_FIGURES:

    rule:
        name:
            f"plot_{figure_name}"
        input:
            table=f"results/{{experiment}}/tables/{figure_name}.csv",
        output:
            png=report(
                f"results/{{experiment}}/figures/{figure_name}.png",
                caption=f"../workflow/report/{figure_name}.rst",
                category=CATEGORY[figure_name],
                labels={"experiment": "{experiment}", "shows": f"figure: {figure_name}"},
            ),
            svg=f"results/{{experiment}}/figures/{figure_name}.svg",
        log:
            f"logs/{{experiment}}/figures/{figure_name}.log",
        conda:
            "../envs/demo_score.yaml"
        resources:
            mem_mb=grows(1000),
            runtime=grows(10),
        params:
            code=code("plot.py"),
            figure=figure_name,
        message:
            "Figure {params.figure} of {wildcards.experiment}"
        shell:
            "python workflow/scripts/plot.py {params.figure} --table {input.table} --out {output} > {log} 2>&1"


rule plot_classifier_curves:
    input:
        metrics=classifier_metrics,
        classifiers=per_seed("results/{experiment}/seed{seed}/demo_score/classifier.yaml"),
    output:
        png=report(
            "results/{experiment}/figures/classifier_curves.png",
            caption="../workflow/report/classifier_curves.rst",
            category=CLASSIFIERS,
            labels={"experiment": "{experiment}", "shows": "figure: training"},
        ),
        svg="results/{experiment}/figures/classifier_curves.svg",
    log:
        "logs/{experiment}/figures/classifier_curves.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("plot.py"),
    message:
        "Figure classifier_curves of {wildcards.experiment}"
    shell:
        "python workflow/scripts/plot.py classifier_curves --metrics {input.metrics}"
        " --classifiers {input.classifiers} --out {output} > {log} 2>&1"


rule plot_scores:
    input:
        scores=per_seed("results/{experiment}/seed{seed}/demo_score/scores.csv"),
        classifiers=per_seed("results/{experiment}/seed{seed}/demo_score/classifier.yaml"),
    output:
        png=report(
            "results/{experiment}/figures/scores.png",
            caption="../workflow/report/scores.rst",
            category=DEMONSTRATIONS,
            labels={"experiment": "{experiment}", "shows": "figure: scores"},
        ),
        svg="results/{experiment}/figures/scores.svg",
    log:
        "logs/{experiment}/figures/scores.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("plot.py"),
    message:
        "Figure scores of {wildcards.experiment}"
    shell:
        "python workflow/scripts/plot.py scores --scores {input.scores} --classifiers {input.classifiers}"
        " --out {output} > {log} 2>&1"


rule plot_traces:
    input:
        traces=per_seed("results/{experiment}/seed{seed}/demo_score/traces.csv"),
        classifiers=per_seed("results/{experiment}/seed{seed}/demo_score/classifier.yaml"),
    output:
        png=report(
            "results/{experiment}/figures/traces.png",
            caption="../workflow/report/traces.rst",
            category=CLASSIFIERS,
            labels={"experiment": "{experiment}", "shows": "figure: score along an episode"},
        ),
        svg="results/{experiment}/figures/traces.svg",
    log:
        "logs/{experiment}/figures/traces.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("plot.py"),
    message:
        "Figure traces of {wildcards.experiment}"
    shell:
        "python workflow/scripts/plot.py traces --traces {input.traces} --classifiers {input.classifiers}"
        " --out {output} > {log} 2>&1"


rule plot_paths:
    input:
        paths="results/{experiment}/demonstrations/paths.csv",
        scores=per_seed("results/{experiment}/seed{seed}/demo_score/scores.csv"),
    output:
        png=report(
            "results/{experiment}/figures/paths.png",
            caption="../workflow/report/paths.rst",
            category=DEMONSTRATIONS,
            labels={"experiment": "{experiment}", "shows": "figure: paths"},
        ),
        svg="results/{experiment}/figures/paths.svg",
    log:
        "logs/{experiment}/figures/paths.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("plot.py"),
    message:
        "Figure paths of {wildcards.experiment}"
    shell:
        "python workflow/scripts/plot.py paths --paths {input.paths} --scores {input.scores} --out {output} > {log} 2>&1"


rule plot_overview:
    input:
        compared_experiments(),
    output:
        png=report(
            "results/overview/differences.png",
            caption="../workflow/report/overview.rst",
            category=OUTCOME,
            labels={"experiment": "all", "shows": "figure: differences"},
        ),
        svg="results/overview/differences.svg",
    log:
        "logs/overview.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("plot.py"),
    message:
        "Figure of all experiments"
    shell:
        "python workflow/scripts/plot.py overview --tables {input} --out {output} > {log} 2>&1"

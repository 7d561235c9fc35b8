# Figures, drawn from tables alone; each as PNG and SVG.


rule figures:
    input:
        expand(
            "results/{experiment}/figures/{figure}.{format}",
            experiment=config["run"],
            figure=FIGURES,
            format=["png", "svg"],
        ),


rule plot_table:
    input:
        table=figure_table,
        code=code("plot.py"),
    output:
        png=report(
            "results/{experiment}/figures/{figure}.png",
            caption="../workflow/report/{figure}.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "{figure}"},
        ),
        svg="results/{experiment}/figures/{figure}.svg",
    log:
        "logs/{experiment}/figures/{figure}.log",
    wildcard_constraints:
        figure="success|checkpoints|kept",
    conda:
        "../envs/demo_score.yaml"
    message:
        "Figure {wildcards.figure} of {wildcards.experiment}"
    shell:
        "python workflow/scripts/plot.py {wildcards.figure} --table {input.table} --out {output} 2> {log}"


rule plot_classifier_curves:
    input:
        metrics=classifier_metrics,
        classifiers=per_seed("results/{experiment}/seed{seed}/demo_score/classifier.yaml"),
        code=code("plot.py"),
    output:
        png=report(
            "results/{experiment}/figures/classifier_curves.png",
            caption="../workflow/report/classifier_curves.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "classifier_curves"},
        ),
        svg="results/{experiment}/figures/classifier_curves.svg",
    log:
        "logs/{experiment}/figures/classifier_curves.log",
    conda:
        "../envs/demo_score.yaml"
    message:
        "Figure classifier_curves of {wildcards.experiment}"
    shell:
        "python workflow/scripts/plot.py classifier_curves --metrics {input.metrics}"
        " --classifiers {input.classifiers} --out {output} 2> {log}"


rule plot_scores:
    input:
        scores=per_seed("results/{experiment}/seed{seed}/demo_score/scores.csv"),
        classifiers=per_seed("results/{experiment}/seed{seed}/demo_score/classifier.yaml"),
        code=code("plot.py"),
    output:
        png=report(
            "results/{experiment}/figures/scores.png",
            caption="../workflow/report/scores.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "scores"},
        ),
        svg="results/{experiment}/figures/scores.svg",
    log:
        "logs/{experiment}/figures/scores.log",
    conda:
        "../envs/demo_score.yaml"
    message:
        "Figure scores of {wildcards.experiment}"
    shell:
        "python workflow/scripts/plot.py scores --scores {input.scores} --classifiers {input.classifiers}"
        " --out {output} 2> {log}"

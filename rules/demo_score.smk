# Step 4: score every episode with the best classifier, keep those above its threshold, and choose what the
# final policies train on.


rule select_classifier:
    input:
        classifiers=candidate_classifiers,
    output:
        "results/{experiment}/seed{seed}/demo_score/classifier.yaml",
    log:
        "logs/{experiment}/seed{seed}/demo_score/classifier.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        code=code("select_classifier.py"),
        model_arch=lambda wildcards: experiment(wildcards).demo_score.model_arch,
        threshold=lambda wildcards: experiment(wildcards).demo_score.threshold,
    message:
        "Select the classifier, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/select_classifier.py --model-arch {params.model_arch} --threshold {params.threshold}"
        " --classifiers {input.classifiers} --run-seed {wildcards.seed} --out {output} > {log} 2>&1"


rule apply_filter:
    input:
        classifier="results/{experiment}/seed{seed}/demo_score/classifier.yaml",
        classifiers=candidate_classifiers,
        list=all_demonstrations,
        demonstrations=demonstrations,
        rollouts=rollouts,
        looks=looking_checkpoint,
    output:
        scores="results/{experiment}/seed{seed}/demo_score/scores.csv",
        demos_only="results/{experiment}/seed{seed}/demo_score_datasets/demo_score_demos_only.txt",
        rollouts_plus_demos="results/{experiment}/seed{seed}/demo_score_datasets/demo_score_rollouts_plus_demos.txt",
    log:
        "logs/{experiment}/seed{seed}/demo_score/filter.log",
    benchmark:
        "results/{experiment}/seed{seed}/benchmarks/filter.tsv"
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    params:
        code=code("apply_filter.py"),
        choosing=choosing,
        looking=looking,
    message:
        "Score and filter all episodes, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/apply_filter.py --classifier {input.classifier}"
        " --demonstrations {input.list} --rollouts {input.rollouts} --scores {output.scores}"
        " --demos-only {output.demos_only} --rollouts-plus-demos {output.rollouts_plus_demos}"
        " --run-seed {wildcards.seed} {params.choosing} {params.looking} > {log} 2>&1"


rule compare_architectures:
    input:
        classifiers=all_classifiers,
        list=all_demonstrations,
        demonstrations=demonstrations,
        looks=lambda wildcards: looking_checkpoint(wildcards, all_archs(wildcards)),
    output:
        "results/{experiment}/seed{seed}/demo_score/architectures.csv",
    log:
        "logs/{experiment}/seed{seed}/demo_score/architectures.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    params:
        code=code("compare_architectures.py"),
        threshold=lambda wildcards: experiment(wildcards).demo_score.threshold,
        oracle=lambda wildcards: experiment(wildcards).oracle(),
        looking=lambda wildcards: looking(wildcards, all_archs(wildcards)),
    message:
        "Compare the architectures of classifiers, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/compare_architectures.py --classifiers {input.classifiers}"
        " --threshold {params.threshold} --demonstrations {input.list} --oracle {params.oracle}"
        " --run-seed {wildcards.seed} --out {output} {params.looking} > {log} 2>&1"


rule trace_scores:
    input:
        classifier="results/{experiment}/seed{seed}/demo_score/classifier.yaml",
        candidates=candidate_classifiers,
        scores="results/{experiment}/seed{seed}/demo_score/scores.csv",
        demonstrations=demonstrations,
        rollouts=rollouts,
        looks=looking_checkpoint,
    output:
        "results/{experiment}/seed{seed}/demo_score/traces.csv",
    log:
        "logs/{experiment}/seed{seed}/demo_score/traces.log",
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    params:
        code=code("trace_scores.py"),
        looking=looking,
    message:
        "Trace the scores of all episodes in time, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/trace_scores.py --classifier {input.classifier} --scores {input.scores}"
        " --out {output} {params.looking} > {log} 2>&1"


rule choose_episodes:
    input:
        scores="results/{experiment}/seed{seed}/demo_score/scores.csv",
    output:
        "results/{experiment}/seed{seed}/{condition}/datasets_file.txt",
    log:
        "logs/{experiment}/seed{seed}/{condition}/datasets_file.log",
    wildcard_constraints:
        condition=one_of(DRAWN),
    conda:
        "../envs/demo_score.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code("choose_episodes.py"),
        oracle=lambda wildcards: experiment(wildcards).oracle(),
    message:
        "Choose the episodes of {wildcards.condition}, seed {wildcards.seed}"
    shell:
        "python workflow/scripts/choose_episodes.py {wildcards.condition} --scores {input.scores} --seed {wildcards.seed}"
        " --oracle {params.oracle} --out {output} > {log} 2>&1"

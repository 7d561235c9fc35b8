"""How long planning takes: a big configuration, beside as many empty rules (empty_rules.smk) in the same run.

Run: python tests/bench/planning.py [tasks] [seeds]
10 tasks x 20 seeds x 10 checkpoints x 12 classifiers x 6 conditions are 31,000 jobs: as many splits as checkpoints, each held
out once. Both are dry runs (`snakemake -n -q all`) in an empty folder; jobs are counted by Snakemake itself.
"""

import copy
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]
STEPS = [f"{1000 * number:06d}" for number in range(1, 11)]
SPLITS = {f"without_{held_out}": [step for step in STEPS if step != held_out] for held_out in STEPS}
ARCHS = {f"arch{n}": {"type": "stepwise", "hidden_sizes": [n], "dropout": 0.3} for n in range(8, 20)}
CONDITIONS = ["curated_demos", "curated_rollouts_plus_demos", "random", "length_matched", "oracle"]
TRAINING = ["experiment=small_act", "training.offline_steps=10000", "training.save_freq=1000"]


def configuration(n_tasks: int, n_seeds: int) -> dict:
    """A config.yaml of `n_tasks` experiments."""
    experiment = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["experiments"]["aloha_cube_state"]
    experiment["seeds"] = [10000 * number for number in range(1, n_seeds + 1)]
    experiment["base_policy"]["overrides"] = TRAINING
    experiment["rollouts"]["eps"] = STEPS
    splits = {name: {"train": train, "cross_val": [name.removeprefix("without_")]} for name, train in SPLITS.items()}
    experiment["classifiers"].update(eps_dict=splits, model_archs=ARCHS)
    experiment["final_policy"].update(overrides=TRAINING, conditions=CONDITIONS)
    tasks = [f"task{number}" for number in range(n_tasks)]
    return {"run": tasks, "experiments": {task: copy.deepcopy(experiment) for task in tasks}}


def empty_configuration(config: dict) -> dict:
    """What empty_rules.smk needs to plan the same jobs."""
    experiment = config["experiments"][config["run"][0]]
    return {
        "tasks": config["run"],
        "seeds": experiment["seeds"],
        "steps": STEPS,
        "splits": list(SPLITS),
        "archs": list(ARCHS),
        "final": CONDITIONS,
        "strategies": list(experiment["demonstrations"]),
    }


def plan(settings: dict, snakefile: str, folder: Path) -> tuple[int, float, float, float]:
    """Jobs, seconds, seconds of CPU and GB of a dry run."""
    configfile = folder / f"{Path(snakefile).stem}.yaml"
    configfile.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "2", "-s", snakefile, "-d", str(folder)]
    start = time.perf_counter()
    with (folder / "plan.txt").open("w") as output:
        quiet = ["--quiet", "rules", "reason", "host"]  # no line a job
        process = subprocess.Popen(
            [*command, *quiet, "--configfile", str(configfile)], stdout=output, stderr=subprocess.STDOUT, cwd=REPOSITORY
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    assert status == 0, f"{snakefile} was not planned"
    jobs = re.search(r"^total +(\d+)", (folder / "plan.txt").read_text(), re.MULTILINE)
    assert jobs, (folder / "plan.txt").read_text()[-1000:]
    return int(jobs[1]), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main(n_tasks: int = 10, n_seeds: int = 20) -> None:
    config = configuration(n_tasks, n_seeds)
    runs = {
        "this workflow": (config, str(REPOSITORY / "Snakefile")),
        "empty rules": (empty_configuration(config), str(REPOSITORY / "tests/bench/empty_rules.smk")),
    }
    for name, (settings, snakefile) in runs.items():
        with tempfile.TemporaryDirectory() as folder:
            jobs, seconds, cpu, memory = plan(settings, snakefile, Path(folder))
        each = 1e3 * cpu / jobs
        print(f"{name}: {jobs:,} jobs in {seconds:.0f} s ({cpu:.0f} s of CPU, {each:.1f} ms a job), {memory:.1f} GB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

"""How long commands take before they work, beside what they cannot do without: seconds, the least of several runs.

python tests/bench/startup.py [--rounds 3]

--help of every command; train.py on a tiny list to its first step, beside `import torch` alone; the plan of the default
experiment from nothing, beside Snakemake's plan of a workflow of one rule.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "workflow/scripts"
sys.path.insert(0, str(REPOSITORY / "workflow"))
COMMON = ["env=aloha_cube_state", "seed=1", "training.offline_steps=1", "training.save_freq=1", "training.eval_freq=0"]
TRAININGS = {
    "ACT": [*COMMON, "policy=act_state", "experiment=small_act"],
    "Diffusion": [*COMMON, "policy=diffusion_state", "policy.down_dims=[32,64]", "training.batch_size=8"],
}
ONE_RULE = 'rule all:\n    output:\n        "made.txt",\n    shell:\n        "touch {output}"\n'


def seconds(command: Sequence[str | Path], rounds: int, folder: Path) -> float:
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([*map(str, command)], check=True, capture_output=True, cwd=folder)
        taken.append(time.perf_counter() - start)
    return min(taken)


def write_list(folder: Path) -> Path:
    """A list of two short episodes."""
    import numpy as np
    from demo_score.data.episodes import Episode
    from demo_score.data.formats.robomimic import write_episodes

    generator = np.random.default_rng(0)
    episodes = []
    for seed in range(2):
        numbers = generator.normal(size=(120, 21)).astype(np.float32)
        seen = {"observation.state": numbers[:, :14], "observation.environment_state": numbers[:, 14:]}
        episodes.append(Episode(seen, numbers[:, :14], None, True, seed))
    write_episodes(folder / "data.hdf5", episodes, {})
    return folder / "data.hdf5"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    python = sys.executable
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        helps = {path.name: seconds([python, path, "--help"], rounds, folder) for path in SCRIPTS.glob("[!_]*.py")}
        slowest = max(helps, key=helps.get)
        data = f"+datasets_file={write_list(folder)}"
        trained = {}
        for policy, settings in TRAININGS.items():
            train = [python, SCRIPTS / "train.py", *settings, data]
            taken = [seconds([*train, f"hydra.run.dir={folder}/{policy}{n}"], 1, folder) for n in range(rounds)]
            trained[policy] = min(taken)
        torch = seconds([python, "-c", "import torch"], rounds, folder)
        (folder / "Snakefile").write_text(ONE_RULE)
        plan = [python, "-m", "snakemake", "-n", "--quiet", "all", "--cores", "1"]
        empty = seconds(plan, rounds, folder)
        settings = ["-s", REPOSITORY / "Snakefile", "--configfile", REPOSITORY / "config.yaml", "-d", folder]
        (folder / "config.yaml").write_text((REPOSITORY / "config.yaml").read_text())
        first = seconds([*plan, *settings], 1, folder)
        again = seconds([*plan, *settings], rounds, folder)
    print("| What | Seconds | Beside | Seconds |\n|---|---|---|---|")
    print(f"| `--help` of {len(helps)} commands, the slowest (`{slowest}`) | {helps[slowest]:.2f} | | |")
    for policy, training in trained.items():
        print(f"| `train.py`, one step, {policy} | {training:.2f} | `import torch` | {torch:.2f} |")
    print(f"| `snakemake -n` of the default, for the first time | {first:.2f} | a workflow of one rule | {empty:.2f} |")
    print(f"| `snakemake -n` of the default, again | {again:.2f} | a workflow of one rule | {empty:.2f} |")


if __name__ == "__main__":
    main()

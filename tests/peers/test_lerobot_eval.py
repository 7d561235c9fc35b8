"""A policy of ours, exported, tried by lerobot-eval in gym-aloha: it succeeds from the starts from which it does here.

gym-aloha draws 480x640 pixels at every step, which takes a quarter of an hour without a GPU.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from places import REPOSITORY, TESTS

START, N, DEMONSTRATED = 40588, 20, 40594  # some starts lie near that of the demonstration, most do not
STEPS = 250  # control steps of an episode: the demonstration takes 243
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS / 'helpers'}:{REPOSITORY / 'workflow'}", "MUJOCO_GL": "egl"}


def run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


def here(policy: Path, out: Path) -> list[bool]:
    tried = ["env=aloha_cube", f"env.episode_length={STEPS}", f"eval.n_episodes={N}", "eval.batch_size=10"]
    script = REPOSITORY / "workflow/scripts/eval.py"
    run(REPOSITORY / ".venv/bin/python", script, "-p", policy, "--out-dir", out, *tried, f"seed={START}")
    rows = list(csv.DictReader((out / "evaluation.csv").open()))
    assert [int(row["start_seed"]) for row in rows] == [*range(START, START + N)]
    return [row["success"] == "1" for row in rows]


def there(policy: Path, out: Path) -> list[bool]:
    tried = ["--env.type=aloha", "--env.task=AlohaTransferCube-v0", f"--seed={START}", f"--eval.n_episodes={N}"]
    tried += [f"--env.episode_length={STEPS}", "--eval.batch_size=10", "--eval.use_async_envs=false"]
    program = Path(sys.executable).with_name("lerobot-eval")
    run(program, f"--policy.path={policy}", "--policy.device=cpu", *tried, f"--output_dir={out}")
    (task,) = json.loads((out / "eval_info.json").read_text())["per_task"]
    return task["metrics"]["successes"]


def test_it_succeeds_there_from_the_starts_from_which_it_does_here(tmp_path) -> None:
    policy = tmp_path / "policy"
    run(REPOSITORY / ".venv/bin/python", TESTS / "helpers/blind_policy.py", DEMONSTRATED, policy)
    ours = here(policy, tmp_path / "here")
    assert 2 <= sum(ours) < N
    assert there(policy, tmp_path / "there") == ours

"""Every command line of the user's guide, section 2.6 (customising), with sizes shrunk by overrides that follow it."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from conftest import one_line_error
from guide import ALOHA, STATE_SIZES, here, results, run, settings_of, shrink
from lerobot_fixture import write_lerobot
from omegaconf import OmegaConf
from places import SCRIPTS

__all__ = ["here"]  # the fixture

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("command", "env", "policy"),
    [
        ("", "pusht", "diffusion"),
        ("env=aloha", "aloha", "diffusion"),
        ("policy=act", "pusht", "act"),
        ("env=aloha policy=act training.batch_size=16", "aloha", "act"),
        ("+my_setting=value", "pusht", "diffusion"),
        # 3.1
        ("env=aloha policy=act", "aloha", "act"),
        ("env=aloha policy=act training.offline_steps=100000 training.batch_size=8 seed=1000", "aloha", "act"),
        # 4: the remedies
        ("seed=1000 training.offline_steps=100000", "pusht", "diffusion"),
        ("training.batch_size=4", "pusht", "diffusion"),
        ("dataset_repo_id=lerobot/pusht", "pusht", "diffusion"),
        ("training.num_workers=8", "pusht", "diffusion"),
        ("use_amp=true", "pusht", "diffusion"),
    ],
)
def test_training_with_overrides(here, command, env, policy) -> None:
    supplied = {part.split("=")[0].lstrip("+") for part in command.split()} - {"training.offline_steps"}
    small = [override for override in shlex.split(shrink(env, policy)) if override.split("=")[0] not in supplied]
    run("train.py", command, *small)
    folder = results(here / "outputs")
    assert folder.name.endswith(f"_{env}_{policy}_default")
    assert folder.parents[1].relative_to(here).as_posix() == "outputs/train"
    settings = OmegaConf.create(settings_of(folder))
    for override in (part for part in command.split() if not part.startswith(("env=", "policy=", "training.off"))):
        key, value = override.lstrip("+").split("=")
        assert OmegaConf.select(settings, key) == yaml.safe_load(value)
    assert pd.read_csv(folder / "metrics.csv")["loss"].notna().all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_cuda_without_a_gpu_is_one_line(here) -> None:
    with one_line_error("device=cuda", "device=auto"):
        run("train.py", "device=cuda", *shlex.split(shrink()), "device=cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")
def test_training_on_a_gpu(here) -> None:
    run("train.py", "device=cuda", *shlex.split(shrink()), "device=cuda")
    assert results(here / "outputs")


MY_ENV = """fps: 25

env:
  name: my_env
  task: MyTask-v0
  state_dim: 10
  action_dim: 5
  fps: ${fps}
  episode_length: 200
"""
MY_GYM = """import gymnasium, numpy as np
class MyTask(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (10,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (5,), np.float32)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.uniform(-1, 1, 10).astype(np.float32), {}
    def step(self, action):
        return np.zeros(10, np.float32), 0.0, False, False, {"is_success": bool(action[0] > 0)}
gymnasium.register("gym_my_env/MyTask-v0", MyTask)
"""


def copy_of_ours(folder: Path) -> Path:
    """Our workflow, to add files to."""
    return shutil.copytree(SCRIPTS.parent, folder / "workflow", ignore=shutil.ignore_patterns("__pycache__"))


def shell(command: str, folder: Path) -> subprocess.CompletedProcess:
    arguments = [sys.executable, *shlex.split(command)]
    return subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)


def test_an_env_file_and_a_policy_file_of_ones_own(here, monkeypatch) -> None:
    configs = copy_of_ours(here) / "configs"
    (configs / "env/my_env.yaml").write_text(MY_ENV)
    (configs / "policy/my_policy.yaml").write_text("policy:\n  name: my_policy\n")
    train = "workflow/scripts/train.py env=my_env policy=my_policy"
    failed = shell(train, here)
    assert failed.returncode == 2 and failed.stderr.count("\n") == 1
    assert "missing settings: give seed=VALUE training.batch_size=VALUE" in failed.stderr
    # A policy of its own needs code; the file can also give another size to one that exists.
    existing = (configs / "policy/act_state.yaml").read_text().replace("dim_model: 512", "dim_model: 24")
    (configs / "policy/my_policy.yaml").write_text(existing)
    (here / "gym_my_env.py").write_text(MY_GYM)
    monkeypatch.setenv("PYTHONPATH", str(here))
    write_my_dataset(here / "my_dataset")
    sizes = " ".join(STATE_SIZES).replace("policy.dim_model=16", "").replace("eval_freq=0", "eval_freq=10")
    done = shell(f"{train} seed=1 dataset_repo_id=my_dataset hydra.run.dir=mine {sizes} eval.n_episodes=2", here)
    assert done.returncode == 0, done.stderr
    assert settings_of(here / "mine")["policy"]["dim_model"] == 24
    assert pd.read_csv(here / "mine/metrics.csv")["eval_n"].max() == 2


def write_my_dataset(folder: Path) -> None:
    write_lerobot(folder, version="v3.0", n_episodes=2, length=12, state_dim=10, action_dim=5, fps=25, images={})


def test_a_policy_that_does_not_exist_lists_those_that_do(here) -> None:
    configs = copy_of_ours(here) / "configs"
    (configs / "policy/my_policy.yaml").write_text(
        (configs / "policy/act_state.yaml").read_text().replace("name: act", "name: my_policy")
    )
    write_my_dataset(here / "my_dataset")
    (configs / "env/my_env.yaml").write_text(MY_ENV)
    train = "workflow/scripts/train.py env=my_env policy=my_policy seed=1 dataset_repo_id=my_dataset"
    failed = shell(f"{train} {' '.join(STATE_SIZES)}", here)
    assert failed.returncode == 2 and failed.stderr.count("\n") == 1, failed.stderr
    assert "policy.name=my_policy" in failed.stderr and "act, diffusion" in failed.stderr


def test_an_experiment_file_of_ones_own(here) -> None:
    (here / "configs/experiment").mkdir(parents=True)
    (here / "configs/experiment/my_experiment.yaml").write_text(
        "# @package _global_\ndefaults:\n  - /env: aloha\n  - /policy: act\n  - _self_\n\nseed: 42\n"
        f"dataset_repo_id: {here}/datasets/lerobot/aloha_sim_insertion_human\n\n"
        "training:\n  offline_steps: 200000\n  batch_size: 16\n  lr: 5e-5\n\neval:\n  n_episodes: 100\n"
    )
    run("train.py", "--config-path configs/experiment --config-name my_experiment", *ALOHA)
    settings = settings_of(results(here / "outputs"))
    assert (settings["seed"], settings["training"]["lr"], settings["eval"]["n_episodes"]) == (42, 5e-5, 100)
    assert (settings["env"]["task"], settings["policy"]["name"]) == ("AlohaInsertion-v0", "act")

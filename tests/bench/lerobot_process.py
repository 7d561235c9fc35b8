"""Rollouts with an ACT of ours, and with the same one through LeRobot's process, in turns: control steps a second.

LEROBOT_PYTHON=.venv-peers/bin/python python tests/bench/lerobot_process.py [--episodes 10] [--rounds 3]

A policy from numbers of the size of the experiments', and one from a camera of 480x640 (ResNet18), each at 100 and at
10 actions a look. Weights are random: what is done does not change how long it takes. Drawing needs OpenGL (EGL).
"""

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))
os.environ.setdefault("MUJOCO_GL", "egl")

import torch
from demo_score.config.settings import compose_settings
from demo_score.policies import make_policy
from demo_score.policies.checkpoints import load_policy
from demo_score.policies.lerobot.folder import LeRobotFolder, write_folder
from demo_score.policies.lerobot.settings import settings_of
from demo_score.rollout.environments import EnvironmentMaker
from demo_score.rollout.loop import RolloutOptions, rollout
from omegaconf import DictConfig

SEED = 90_000_000
SHORT = {"act_state": 400, "act": 100}  # control steps of an episode
ENVIRONMENTS = {"act_state": "aloha_cube_state", "act": "aloha_cube"}
SMALL = ["experiment=small_act", "policy.actions_per_query=1", "policy.sample_latent=false"]
IMAGES = ["policy.pretrained_backbone_weights=null", "policy.dim_model=64", "policy.n_heads=4"]
IMAGES += ["policy.dim_feedforward=256", "training.offline_steps=1", "training.save_freq=1", "training.eval_freq=0"]


def exported(name: str, n_action_steps: int, folder: Path) -> tuple[Path, list[str]]:
    """A policy with random weights in LeRobot's form, and where it is tried."""
    where = [f"env={ENVIRONMENTS[name]}", f"env.episode_length={SHORT[name]}", "device=cpu", "seed=1"]
    own = [*(SMALL if name == "act_state" else IMAGES), f"policy.n_action_steps={n_action_steps}"]
    settings = compose_settings([*where, f"policy={name}", *own])[0]
    torch.manual_seed(0)
    write_folder(folder, make_policy(settings), settings)
    return folder, where


def seconds_of(settings: DictConfig, folder: Path, episodes: int) -> float:
    """Of the rollouts, without the start of the policy's process."""
    policy = load_policy(folder, settings, torch.device("cpu"))
    policy.reset([0])
    start = time.perf_counter()
    seeds = [SEED + number for number in range(episodes)]
    rollout(policy, EnvironmentMaker.of(settings), seeds, RolloutOptions(batch_size=episodes))
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as LeRobot's process
    print("| Policy | Actions a look | Native, steps/s | Through LeRobot, steps/s | Share |\n|---|---|---|---|---|")
    for name in SHORT:
        for n_action_steps in (100, 10):
            with TemporaryDirectory() as folder:
                place, where = exported(name, n_action_steps, Path(folder) / "policy")
                stored = LeRobotFolder(place)
                ways = [settings_of(stored, where), settings_of(stored, where, why_not_ours="a comparison")]
                rounds = [[seconds_of(way, place, arguments.episodes) for way in ways] for _ in range(arguments.rounds)]
            steps = SHORT[name] * arguments.episodes
            native, foreign = (steps / min(taken) for taken in zip(*rounds, strict=True))
            print(
                f"| `{name}` | {n_action_steps} | {native:.0f} | {foreign:.0f} | {foreign / native:.0%} |", flush=True
            )


if __name__ == "__main__":
    main()

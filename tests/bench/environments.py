"""Control steps a second of our environments beside the stock ones, and of rollouts in one process or one for each.

python tests/bench/environments.py [--episodes 100] [--batch-size 50]
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))
os.environ.setdefault("MUJOCO_GL", "egl")

import gymnasium
import numpy as np
from demo_score.envs import make_env
from demo_score.errors import UserError
from demo_score.rollout.environments import open_environments
from demo_score.settings import compose_settings
from omegaconf import OmegaConf

CHUNK = {"aloha": 100, "pusht": 8}  # actions between two looks of the usual policies
ACTION = {"aloha": np.array([0, -0.96, 1.16, 0, -0.3, 0, 0.1] * 2, np.float32), "pusht": np.full(2, 256, np.float32)}


def env_settings(name: str) -> dict:
    return OmegaConf.to_container(compose_settings([f"env={name}"])[0].env)


def steps_per_second(step: Callable[[int], object], seconds: float = 3.0) -> float:
    """How often `step` (of the number of steps so far) runs in a second."""
    step(0)
    start, n_steps = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        n_steps += 1
        step(n_steps)
    return n_steps / passed


def stock(name: str, handle: str) -> float:
    env = gymnasium.make(handle, obs_type="pixels_agent_pos", max_episode_steps=10**9)
    env.reset(seed=1)
    return steps_per_second(lambda _: env.step(ACTION[name]))


def ours(name: str, file: str, look_every: int) -> float:
    """`look_every`: control steps from one image to the next."""
    env = make_env(env_settings(file) | {"episode_length": 10**9})
    env.reset(seed=1)
    return steps_per_second(lambda n: (env.step(ACTION[name]), env.images() if n % look_every == 0 else None))


def print_environments(name: str, handle: str, numbers: str, images: str) -> None:
    rows = {
        "stock, images": lambda: stock(name, handle),
        "ours, an image every step": lambda: ours(name, images, 1),
        f"ours, an image every {CHUNK[name]} steps": lambda: ours(name, images, CHUNK[name]),
        "ours, numbers only": lambda: ours(name, numbers, 1),
    }
    for row, measure in rows.items():
        with suppress(UserError):  # no OpenGL here
            print(f"{name:6} {row:30} {measure():10.1f} control steps/s", flush=True)


def print_rollouts(file: str, n_episodes: int, batch_size: int, use_async_envs: bool) -> None:
    settings = env_settings(file)
    chunk = np.tile(ACTION[settings["name"]], (batch_size, CHUNK[settings["name"]], 1))
    start = time.perf_counter()
    with open_environments(settings, batch_size, 1, False, use_async_envs) as environments:
        ready = time.perf_counter()
        for first in range(0, n_episodes, batch_size):
            environments.reset(seed=list(range(first, first + batch_size)))
            done = np.zeros(batch_size, bool)
            while not done.all():
                done = environments.step(chunk)[4]["done"]
        n_steps = sum(len(episode) for episode in environments.call("episode")) * -(-n_episodes // batch_size)
        seconds = time.perf_counter() - ready
    kind = "a process for each" if use_async_envs else "one process"
    print(
        f"{file:16} {n_episodes} episodes, {batch_size} at once, {kind:18} {ready - start:5.1f} s to start, then "
        f"{seconds:6.1f} s, {n_steps / seconds:8.1f} control steps/s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=50)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print_environments("aloha", "gym_aloha:gym_aloha/AlohaTransferCube-v0", "aloha_cube_state", "aloha_cube")
    print_environments("pusht", "gym_pusht:gym_pusht/PushT-v0", "pusht_state", "pusht")
    for file in ("aloha_cube_state", "pusht_state"):
        for use_async_envs in (False, True):
            print_rollouts(file, arguments.episodes, arguments.batch_size, use_async_envs)


if __name__ == "__main__":
    main()

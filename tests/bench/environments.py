"""Our environments beside the stock ones, in one run: the same bits, and how many control steps a second; then rollouts
in one process or one for each.

python tests/bench/environments.py [--episodes 100] [--batch-size 50]
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))
os.environ.setdefault("MUJOCO_GL", "egl")

import gymnasium
import numpy as np
from demo_score.config.settings import compose_settings
from demo_score.demonstrations.collect import demonstrate
from demo_score.envs import make_env
from demo_score.rollout.environments import EnvironmentMaker, open_environments
from demo_score.runtime.errors import UserError
from omegaconf import OmegaConf

SEED = 90_000_000
CHUNK = {"aloha": 100, "pusht": 8}  # actions between two looks of the usual policies
ACTION = {"aloha": np.array([0, -0.96, 1.16, 0, -0.3, 0, 0.1] * 2, np.float32), "pusht": np.full(2, 256, np.float32)}


def env_settings(name: str) -> dict:
    return OmegaConf.to_container(compose_settings([f"env={name}"])[0].env)


@dataclass
class Run:
    """What an environment gave for the actions of one demonstration."""

    seconds: float  # without the reset
    rewards: list[float]
    successes: list[bool]
    states: list[np.ndarray]  # the observed joints or the agent's position, float32
    images: dict[int, np.ndarray]  # step -> (H, W, 3) uint8


def run_stock(handle: str, seed: int, actions: np.ndarray) -> Run:
    """In the stock environment, which draws at every step."""
    env = gymnasium.make(handle, obs_type="pixels_agent_pos", max_episode_steps=10**9)
    env.reset(seed=seed)
    start = time.perf_counter()
    steps = [env.step(action) for action in actions]
    seconds = time.perf_counter() - start
    pixels = [observation["pixels"] for observation, *_ in steps]
    return Run(
        seconds,
        [float(reward) for _, reward, *_ in steps],
        [bool(info["is_success"]) for *_, info in steps],
        [np.float32(observation["agent_pos"]) for observation, *_ in steps],
        {step: image["top"] if isinstance(image, dict) else image for step, image in enumerate(pixels)},
    )


def run_ours(file: str, seed: int, actions: np.ndarray, look_every: int | None) -> Run:
    """In ours, drawn every `look_every` steps (None: never)."""
    env = make_env(env_settings(file) | {"episode_length": 10**9})
    env.reset(seed=seed)
    env.images()  # makes the OpenGL context, as the stock environment's reset does
    run = Run(0.0, [], [], [], {})
    start = time.perf_counter()
    for step, action in enumerate(actions):
        observation, reward, _, _, info = env.step(action)
        run.rewards.append(reward)
        run.successes.append(bool(info["is_success"]))
        run.states.append(observation["observation.state"])
        if look_every and step % look_every == 0:
            run.images[step] = next(iter(env.images().values()))
    run.seconds = time.perf_counter() - start
    return run


def agreement(stock: Run, ours: Run) -> str:
    """At how many steps each is equal to the last bit; where not, how far rewards are apart."""
    rewards = sum(a == b for a, b in zip(stock.rewards, ours.rewards, strict=True))
    apart = max(abs(a - b) for a, b in zip(stock.rewards, ours.rewards, strict=True))
    successes = sum(a == b for a, b in zip(stock.successes, ours.successes, strict=True))
    states = sum(np.array_equal(a, b) for a, b in zip(stock.states, ours.states, strict=True))
    images = sum(np.array_equal(stock.images[step], image) for step, image in ours.images.items())
    n = len(stock.rewards)
    return (
        f"equal bits: rewards {rewards}/{n}{f' (at most {apart:.0e} apart)' if apart else ''}, success {successes}/{n} "
        f"({sum(ours.successes)} true), states {states}/{n}, images {images}/{len(ours.images)}"
    )


def print_environments(name: str, handle: str, numbers: str, images: str) -> None:
    """Both environments through the actions of one demonstration, which succeeds."""
    actions = demonstrate(make_env(env_settings(numbers)), "reliable", SEED).actions
    rows = {
        "every step": (images, 1),
        f"every {CHUNK[name]} steps": (images, CHUNK[name]),
        "never": (numbers, None),
    }
    try:
        stock = run_stock(handle, SEED, actions)
        print(
            f"{name:6} stock, an image every step      {len(actions) / stock.seconds:9.1f} control steps/s", flush=True
        )
        for row, (file, look_every) in rows.items():
            ours = run_ours(file, SEED, actions, look_every)
            speed, times = len(actions) / ours.seconds, stock.seconds / ours.seconds
            print(f"{name:6} ours, an image {row:17} {speed:9.1f} control steps/s, {times:6.1f} times the stock's")
            print(f"{'':7}{agreement(stock, ours)}", flush=True)
    except UserError as error:
        print(f"{name}: {error}")


def print_rollouts(file: str, n_episodes: int, batch_size: int, use_async_envs: bool) -> None:
    settings = env_settings(file)
    chunk = np.tile(ACTION[settings["name"]], (batch_size, CHUNK[settings["name"]], 1))
    start = time.perf_counter()
    with open_environments(EnvironmentMaker(settings), batch_size, use_async_envs) as environments:
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

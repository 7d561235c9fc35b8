"""Rollouts drawn by EGL: frames of the ALOHA camera, and control steps with one image a chunk."""

import time
from collections.abc import Callable

import numpy as np
from machine import cores
from omegaconf import OmegaConf
from synthetic import settings_for
from table import Rows

MAX_PROCESSES = 16
CHUNK, LENGTH = 100, 400  # control steps: of a chunk, and of an episode that does not end
TINY_SIZE = "env.image_size=[48,64]"


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    budget = 0.1 if quick else 4.0
    for quality in ("full", "fast"):
        with rows.attempt(f"frames, {quality}"):
            settings = env_settings(quick, quality)
            rate, renderer = frames_a_second(settings, budget)
            rows.add("OpenGL", renderer)
            height, width = settings["image_size"]
            rows.add(f"frames, {quality}", f"{rate:.4g} frames/s", f"{height}x{width}, one process")
    for name, n_envs in (("one process", 1), ("all cores", min(cores(), MAX_PROCESSES))):
        with rows.attempt(f"control steps, {name}"):
            n_envs = min(n_envs, 2) if quick else n_envs
            rate, start = control_steps_a_second(
                env_settings(quick, "fast" if quick else "full"), n_envs, not quick, budget
            )
            remark = f"{n_envs} environments, an image every {CHUNK} steps; ready after {start:.1f} s"
            rows.add(f"control steps, {name}", f"{rate:.4g} steps/s", remark)


def env_settings(quick: bool, quality: str) -> dict:
    options = ["env=aloha_cube", "policy=act", f"env.render_quality={quality}", *([TINY_SIZE] if quick else [])]
    return OmegaConf.to_container(settings_for("cpu", *options).env, resolve=True)


def frames_a_second(settings: dict, budget: float) -> tuple[float, str]:
    """Images drawn and read back, one after another; and who draws them."""
    from demo_score.envs import make_env

    env = make_env(settings)
    env.reset(seed=0)
    rate = calls_a_second(env.images, budget)
    (image,) = env.images().values()
    if image.std() < 1:
        raise RuntimeError("the image is empty")
    return rate, renderer_name(settings)


def renderer_name(settings: dict) -> str:
    """OpenGL's own name for what draws: a card, or a program such as llvmpipe."""
    from demo_score.envs import aloha
    from OpenGL import GL

    model = aloha.TASKS[settings["task"]].model_file
    renderer = aloha._renderer(model, *settings["image_size"], settings["render_quality"])
    with renderer.contexts.gl.make_current() as context:
        return context.call(GL.glGetString, GL.GL_RENDERER).decode()


def control_steps_a_second(settings: dict, n_envs: int, processes: bool, budget: float) -> tuple[float, float]:
    """Whole episodes of arms that keep still, stepped as rollouts are; and the seconds until they were ready."""
    from demo_score.rollout.environments import EnvironmentMaker, open_environments

    begun = time.perf_counter()
    with open_environments(EnvironmentMaker(settings), n_envs, processes) as environments:
        seeds = list(range(n_envs))
        observations, _ = environments.reset(seed=seeds)
        ready = time.perf_counter() - begun
        still = np.repeat(observations["observation.state"][:, -1:], CHUNK, axis=1)

        def episode() -> None:
            environments.reset(seed=seeds)
            for _ in range(LENGTH // CHUNK):
                _, _, _, _, infos = environments.step(still)
            if not all(infos["done"]):
                raise RuntimeError("an episode did not end")

        return n_envs * LENGTH * calls_a_second(episode, budget), ready


def calls_a_second(call: Callable[[], object], budget: float) -> float:
    """The mean over `budget` seconds, after a call to warm up."""
    call()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < budget:
        call()
        count += 1
    return count / (time.perf_counter() - start)

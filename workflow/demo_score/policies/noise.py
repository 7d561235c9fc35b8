"""The noise of a diffusion model and how to remove it: DDPM (Ho et al. 2020) and DDIM (Song et al. 2021).

diffusers takes a second to import: other policies do not wait for it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from omegaconf import DictConfig
from torch import Tensor


def make_scheduler(settings: DictConfig):
    """The diffusers scheduler of `settings.policy`, at its inference steps (null: as many as in training)."""
    with _compiler_unseen():
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    with torch.device("cpu"):  # also for a policy without memory: there torch subtracts with its compiler
        scheduler = {"DDPM": DDPMScheduler, "DDIM": DDIMScheduler}[settings.noise_scheduler_type](
            num_train_timesteps=settings.num_train_timesteps,
            beta_schedule=settings.beta_schedule,
            beta_start=settings.beta_start,
            beta_end=settings.beta_end,
            prediction_type=settings.prediction_type,
            clip_sample=settings.clip_sample,
            clip_sample_range=settings.clip_sample_range,
        )
    scheduler.set_timesteps(settings.num_inference_steps or settings.num_train_timesteps)
    return scheduler


@contextmanager
def _compiler_unseen() -> Iterator[None]:
    """Imports do without torch's compiler, seconds long; diffusers wants it for models of its own (torch_utils.py)."""
    sys.modules.setdefault("torch._dynamo", None)  # None: cannot be imported
    try:
        yield
    finally:
        if sys.modules["torch._dynamo"] is None:
            del sys.modules["torch._dynamo"]


def denoise(
    scheduler, predict: Callable[[Tensor, Tensor], Tensor], noise: Tensor, generators: list[torch.Generator]
) -> Tensor:
    """From pure noise (B, ...) to a sample, each row with the draws of its own generator (DDIM needs none).

    predict(noisy sample, step (B,) int64) -> the network's prediction.
    """
    sample = noise
    for step in scheduler.timesteps.tolist():
        predicted = predict(sample, torch.full((len(sample),), step, device=sample.device))
        sample = scheduler.step(predicted, step, sample, generator=generators).prev_sample
    return sample


def draw_noise(shape: tuple[int, ...], generators: list[torch.Generator]) -> Tensor:
    """Standard normal noise (B, *shape), a row from each generator; on the CPU, whatever computes with it."""
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators])

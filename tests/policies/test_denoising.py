"""Diffusion Policy's parts: the noise and its removal, the U-Net."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from demo_score.policies.noise import denoise, draw_noise, make_scheduler
from demo_score.policies.unet import ConditionalUnet, ResidualBlock, SinusoidalStep
from omegaconf import DictConfig
from policy_settings import TINY_DIFFUSION, policy_settings
from torch import Tensor

STATES = {"observation.state": [2], "observation.environment_state": [16]}
SAMPLERS = ["policy.noise_scheduler_type=DDPM", "policy.noise_scheduler_type=DDIM"]


def state_settings(*overrides: str) -> DictConfig:
    return policy_settings("diffusion_state", STATES, 2, *TINY_DIFFUSION, *overrides)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


# Noise


def squared_cosine(t: float) -> float:
    return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2


def test_squared_cosine_schedule_is_that_of_the_paper() -> None:
    """Nichol & Dhariwal 2021, equation 17: alpha bar is cos^2, and beta at most 0.999."""
    betas = [min(1 - squared_cosine((i + 1) / 100) / squared_cosine(i / 100), 0.999) for i in range(100)]
    expected = np.cumprod(1 - np.array(betas))
    np.testing.assert_allclose(make_scheduler(state_settings().policy).alphas_cumprod, expected, rtol=1e-4)


@pytest.mark.parametrize(("schedule", "power"), [("linear", 1), ("scaled_linear", 2)])
def test_linear_schedules_go_from_beta_start_to_beta_end(schedule, power) -> None:
    overrides = f"policy.beta_schedule={schedule}", "policy.beta_start=0.001", "policy.beta_end=0.04"
    scheduler = make_scheduler(state_settings(*overrides).policy)
    betas = np.linspace(0.001 ** (1 / power), 0.04 ** (1 / power), 100) ** power
    np.testing.assert_allclose(scheduler.alphas_cumprod, np.cumprod(1 - betas), rtol=1e-4)


def test_noisy_actions_are_a_mix_by_the_schedule() -> None:
    scheduler = make_scheduler(state_settings().policy)
    clean, noise, step = torch.randn(3, 8, 2), torch.randn(3, 8, 2), torch.tensor([0, 40, 99])
    kept = scheduler.alphas_cumprod[step][:, None, None]
    torch.testing.assert_close(scheduler.add_noise(clean, noise, step), kept.sqrt() * clean + (1 - kept).sqrt() * noise)


def perfect_prediction(clean: Tensor, scheduler, prediction_type: str) -> Callable[[Tensor, Tensor], Tensor]:
    """What a network that knows the sample predicts."""

    def predict(noisy: Tensor, step: Tensor) -> Tensor:
        kept = scheduler.alphas_cumprod[step][:, None, None]
        return clean if prediction_type == "sample" else (noisy - kept.sqrt() * clean) / (1 - kept).sqrt()

    return predict


@pytest.mark.parametrize("n_steps", ["null", 100, 10, 3])
@pytest.mark.parametrize("prediction_type", ["epsilon", "sample"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_perfect_predictions_recover_the_sample(sampler, prediction_type, n_steps) -> None:
    overrides = f"policy.prediction_type={prediction_type}", f"policy.num_inference_steps={n_steps}"
    scheduler = make_scheduler(state_settings(sampler, *overrides).policy)
    assert len(scheduler.timesteps) == (100 if n_steps == "null" else n_steps)
    clean, draws = torch.rand(2, 8, 2) * 1.8 - 0.9, generators(0, 1)
    predict = perfect_prediction(clean, scheduler, prediction_type)
    sample = denoise(scheduler, predict, draw_noise((8, 2), draws), draws)
    torch.testing.assert_close(sample, clean, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sample_of_a_known_distribution_has_its_mean_and_deviation(sampler) -> None:
    """For actions from N(m, s^2) the best prediction of the noise is known in closed form."""
    mean, deviation = 0.3, 0.2
    overrides = "policy.num_inference_steps=100", "policy.clip_sample=false"
    scheduler = make_scheduler(state_settings(sampler, *overrides).policy)

    def predict(noisy: Tensor, step: Tensor) -> Tensor:
        kept = scheduler.alphas_cumprod[step][:, None, None]
        variance = kept * deviation**2 + 1 - kept
        return (1 - kept).sqrt() * (noisy - kept.sqrt() * mean) / variance

    draws = generators(*range(8))
    sample = denoise(scheduler, predict, draw_noise((500, 1), draws), draws)
    assert float(sample.mean()) == pytest.approx(mean, abs=0.02)
    assert float(sample.std()) == pytest.approx(deviation, abs=0.02)


@pytest.mark.parametrize("limit", [1.0, 0.25])
def test_clip_sample_keeps_actions_within_its_range(limit) -> None:
    clean, draws = torch.full((1, 8, 2), 3.0), generators(0)
    for clip, expected in (("true", limit), ("false", 3.0)):
        overrides = f"policy.clip_sample={clip}", f"policy.clip_sample_range={limit}", "policy.prediction_type=sample"
        scheduler = make_scheduler(state_settings(*overrides).policy)
        sample = denoise(scheduler, lambda noisy, step: clean, draw_noise((8, 2), draws), draws)
        torch.testing.assert_close(sample, torch.full((1, 8, 2), expected))


# The U-Net


@pytest.mark.parametrize("film", ["true", "false"])
@pytest.mark.parametrize(("dims", "horizon"), [("[16]", 5), ("[16,32]", 6), ("[16,32,48]", 12)])
def test_prediction_has_the_shape_of_the_actions(dims, horizon, film) -> None:
    overrides = f"policy.down_dims={dims}", f"policy.use_film_scale_modulation={film}"
    unet = ConditionalUnet(state_settings(*overrides).policy, action_dim=3, condition_dim=5)
    actions = torch.randn(4, horizon, 3)
    assert unet(actions, torch.tensor([0, 3, 50, 99]), torch.randn(4, 5)).shape == actions.shape


@pytest.mark.parametrize(("film", "n_condition_features"), [("true", 2), ("false", 1)])
def test_condition_scales_and_shifts_the_channels(film, n_condition_features) -> None:
    block = ResidualBlock(3, 4, 5, state_settings(f"policy.use_film_scale_modulation={film}").policy)
    assert block.film[1].out_features == n_condition_features * 4
    x, condition = torch.randn(2, 3, 6), torch.randn(2, 5)
    features, film_features = block.first(x), block.film(condition)[..., None]
    modulated = film_features[:, :4] * features + film_features[:, 4:] if film == "true" else features + film_features
    torch.testing.assert_close(block(x, condition), block.second(modulated) + block.shortcut(x))


def test_prediction_depends_on_step_and_condition() -> None:
    unet = ConditionalUnet(state_settings().policy, action_dim=2, condition_dim=5)
    actions, condition = torch.randn(1, 8, 2), torch.randn(1, 5)
    predicted = unet(actions, torch.tensor([3]), condition)
    assert not torch.allclose(predicted, unet(actions, torch.tensor([4]), condition), atol=1e-6)
    assert not torch.allclose(predicted, unet(actions, torch.tensor([3]), condition + 1), atol=1e-6)


def test_step_embedding_is_sines_then_cosines() -> None:
    embedded = SinusoidalStep(6)(torch.tensor([0, 7]))
    angles = [7 / 10000 ** (k / 2) for k in range(3)]
    np.testing.assert_allclose(embedded[0], [0, 0, 0, 1, 1, 1])
    np.testing.assert_allclose(embedded[1], [*np.sin(angles), *np.cos(angles)], rtol=1e-4)

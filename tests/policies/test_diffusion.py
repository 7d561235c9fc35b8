import numpy as np
import pytest
import torch
from conftest import one_line_error
from demo_score.policies import action_offsets, make_policy
from demo_score.policies.diffusion import DiffusionPolicy
from demo_score.policies.losses import masked_mse
from omegaconf import DictConfig
from policy_settings import (
    TINY_DIFFUSION,
    TINY_KEYPOINTS,
    losses_of_training,
    policy_settings,
    random_batch,
    random_observations,
)

pytestmark = pytest.mark.slow

STATES = {"observation.state": [2], "observation.environment_state": [16]}
PIXELS = {"observation.state": [2], "observation.image": [3, 48, 48]}
HORIZON, ACTIONS = 8, 2
SAMPLERS = ["policy.noise_scheduler_type=DDPM", "policy.noise_scheduler_type=DDIM"]


def state_settings(*overrides: str) -> DictConfig:
    return policy_settings("diffusion_state", STATES, ACTIONS, *TINY_DIFFUSION, *overrides)


def pixel_settings(*overrides: str, shapes: dict[str, list[int]] = PIXELS) -> DictConfig:
    return policy_settings("diffusion", shapes, ACTIONS, *TINY_DIFFUSION, *TINY_KEYPOINTS, *overrides)


def policy_of(settings: DictConfig) -> DiffusionPolicy:
    torch.manual_seed(0)
    return make_policy(settings)


# The loss


def test_masked_mse_is_the_mean_over_the_entries_of_valid_steps() -> None:
    predicted, target = torch.randn(3, 5, 2), torch.randn(3, 5, 2)
    valid = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]).bool()
    torch.testing.assert_close(masked_mse(predicted, target, valid), (predicted - target)[valid].square().mean())


@pytest.mark.parametrize("prediction_type", ["epsilon", "sample"])
def test_loss_of_a_silent_network_is_the_size_of_its_target(prediction_type) -> None:
    settings = state_settings(f"policy.prediction_type={prediction_type}")
    policy, batch = policy_of(settings), random_batch(settings, 64, HORIZON)
    for parameter in policy.unet.out[1].parameters():
        torch.nn.init.zeros_(parameter)
    expected = 1.0 if prediction_type == "epsilon" else float(batch["action"].square().mean())
    assert float(policy.loss(batch)[0].detach()) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("masked", "counts"), [("true", False), ("false", True)])
def test_padding_counts_unless_it_is_masked(masked, counts) -> None:
    settings = state_settings(f"policy.do_mask_loss_for_padding={masked}")
    policy, batch = policy_of(settings), random_batch(settings, 4, HORIZON)
    losses = []
    for is_pad in (batch["action_is_pad"], torch.arange(HORIZON).expand(4, -1) >= 5):
        torch.manual_seed(1)
        losses.append(float(policy.loss({**batch, "action_is_pad": is_pad})[0].detach()))
    assert (losses[0] == losses[1]) == counts


@pytest.mark.parametrize("prediction_type", ["epsilon", "sample"])
def test_state_policy_learns_a_small_batch_by_heart(prediction_type) -> None:
    settings = state_settings(f"policy.prediction_type={prediction_type}")
    losses = losses_of_training(policy_of(settings), random_batch(settings, 8, HORIZON), n_steps=50, lr=3e-3)
    assert losses[-1] < 0.05 * losses[0]


def test_pixel_policy_learns_a_small_batch_by_heart() -> None:
    settings = pixel_settings()
    losses = losses_of_training(policy_of(settings), random_batch(settings, 2, HORIZON), n_steps=15, lr=3e-3)
    assert losses[-1] < 0.2 * losses[0]


def test_gradient_reaches_every_parameter() -> None:
    settings = pixel_settings()
    policy = policy_of(settings).train()
    policy.loss(random_batch(settings, 2, HORIZON))[0].backward()
    assert not [name for name, p in policy.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]


def test_trained_policy_draws_both_of_two_strategies() -> None:
    """From one observation demonstrations go to -0.6 or to 0.6: samples do, too, and not in between."""
    settings = policy_settings("diffusion_state", {"observation.state": [1]}, 1, *TINY_DIFFUSION)
    policy = policy_of(settings).train()
    strategy = torch.tensor([-0.6, 0.6]).repeat(32)[:, None, None]
    batch = {
        "observation.state": torch.zeros(64, 2, 1),
        "action": strategy.expand(-1, HORIZON, 1),
        "action_is_pad": torch.zeros(64, HORIZON, dtype=torch.bool),
    }
    optimizer = torch.optim.AdamW(policy.parameters(), lr=5e-3, fused=True)
    for _ in range(150):
        loss, _ = policy.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    policy.eval().reset(list(range(40)))
    drawn = policy.act({"observation.state": torch.zeros(40, 2, 1)})[:, :, 0]
    assert (drawn.abs() - 0.6).abs().mean() < 0.15
    assert 8 <= int((drawn.mean(1) > 0).sum()) <= 32


# Acting


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_actions_follow_from_the_episodes_own_seed_whatever_the_batch(sampler) -> None:
    settings = state_settings(sampler)
    policy, seen = policy_of(settings).eval(), random_observations(settings, 3)
    policy.reset([5, 6, 7])
    together = [policy.act(seen) for _ in range(2)]
    assert together[0].shape == (3, 4, ACTIONS)
    assert not torch.allclose(together[0], together[1], atol=1e-3)  # each chunk has its own noise
    torch.manual_seed(99)
    for rows in ([0], [2, 1]):
        policy.reset([5 + row for row in rows])
        for acted in together:
            alone = policy.act({key: values[rows] for key, values in seen.items()})
            torch.testing.assert_close(alone, acted[rows], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_same_seeds_give_the_same_bits(sampler) -> None:
    settings = state_settings(sampler)
    policy, seen = policy_of(settings).eval(), random_observations(settings, 3)
    acted = []
    for _ in range(2):
        policy.reset([5, 6, 7])
        acted.append(policy.act(seen))
    assert torch.equal(*acted)


def test_mixed_precision_gives_actions_in_full() -> None:
    settings = pixel_settings()
    policy = policy_of(settings).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = policy.loss(random_batch(settings, 2, HORIZON))
        policy.reset([0, 1])
        actions = policy.act(random_observations(settings, 2))
    assert loss.dtype == actions.dtype == torch.float32


def test_acting_leaves_torchs_own_generator_alone() -> None:
    settings = pixel_settings()
    policy = policy_of(settings).eval()
    policy.reset([0])
    before = torch.get_rng_state()
    policy.act(random_observations(settings, 1))
    assert torch.equal(torch.get_rng_state(), before)


def test_carried_out_actions_begin_now_in_the_environments_units(monkeypatch) -> None:
    policy = policy_of(state_settings("policy.n_obs_steps=3", "policy.n_action_steps=5"))
    low, high = np.array([0.0, -4.0], np.float32), np.array([10.0, 4.0], np.float32)
    some = {key: (np.zeros(size, np.float32),) * 4 for key, (size,) in STATES.items()}
    policy.normalization.set_statistics({**some, "action": (low, low, low, high)}, min_std=0.01)
    sample = torch.linspace(-1, 1, HORIZON)[None, :, None].expand(1, HORIZON, 2)
    monkeypatch.setattr("demo_score.policies.diffusion.denoise", lambda *arguments: sample)
    policy.reset([0])
    acted = policy.act({key: torch.zeros(1, 3, size) for key, (size,) in STATES.items()})
    assert acted.shape == (1, 5, 2)
    torch.testing.assert_close(acted[0, :, 0], 5 + 5 * sample[0, 2:7, 0])
    torch.testing.assert_close(acted[0, :, 1], 4 * sample[0, 2:7, 1])


def test_actions_of_a_batch_begin_at_the_first_observation() -> None:
    assert action_offsets(state_settings()) == range(-1, HORIZON - 1)
    assert action_offsets(state_settings("policy.n_obs_steps=1")) == range(HORIZON)


def test_every_camera_and_every_step_counts() -> None:
    shapes = {"observation.state": [2], "observation.images.a": [3, 48, 48], "observation.images.b": [3, 64, 48]}
    settings = pixel_settings(shapes=shapes)
    policy, seen = policy_of(settings).eval(), random_observations(settings, 2)
    condition = policy._condition(seen)
    assert condition.shape == (2, 2 * (2 + 2 * 2 * 4))
    for key, step in (("observation.images.a", 0), ("observation.images.b", 1), ("observation.state", 0)):
        changed = {name: values.clone() for name, values in seen.items()}
        changed[key][:, step] = 0.1
        assert not torch.equal(policy._condition(changed), condition)


@pytest.mark.parametrize(
    ("random", "training", "moves"), [("true", True, True), ("true", False, False), ("false", True, False)]
)
def test_crops_are_random_only_in_training(random, training, moves) -> None:
    settings = pixel_settings(f"policy.crop_is_random={random}")
    policy, seen = policy_of(settings).train(training), random_observations(settings, 2)
    torch.manual_seed(1)
    assert torch.equal(policy._condition(seen), policy._condition(seen)) != moves


@pytest.mark.parametrize(("group", "changes"), [("true", False), ("false", True)])
def test_group_norm_does_not_mix_the_images_of_a_batch(group, changes) -> None:
    settings = pixel_settings(f"policy.use_group_norm={group}", "policy.crop_is_random=false")
    policy, seen = policy_of(settings).train(), random_observations(settings, 3)
    with torch.no_grad():
        together, alone = policy._condition(seen)[:1], policy._condition({k: v[:1] for k, v in seen.items()})
    assert torch.allclose(together, alone, atol=1e-5) != changes


# Settings


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["policy.horizon=7"], ["policy.horizon", "multiple of 2"]),
        (["policy.horizon=10", "policy.down_dims=[16,32,64]"], ["policy.horizon", "multiple of 4"]),
        (["policy.n_action_steps=8"], ["policy.n_action_steps"]),
        (["policy.n_action_steps=0"], ["policy.n_action_steps"]),
        (["policy.n_obs_steps=0"], ["policy.n_obs_steps"]),
        (["policy.kernel_size=4"], ["policy.kernel_size"]),
        (["policy.n_groups=5"], ["policy.n_groups"]),
        (["policy.diffusion_step_embed_dim=15"], ["policy.diffusion_step_embed_dim"]),
        (["policy.noise_scheduler_type=EDM"], ["policy.noise_scheduler_type: 'EDM'", "DDPM, DDIM"]),
        (["policy.beta_schedule=sigmoid"], ["policy.beta_schedule: 'sigmoid'", "squaredcos_cap_v2"]),
        (["policy.prediction_type=v"], ["policy.prediction_type: 'v'", "epsilon, sample"]),
        (["policy.num_inference_steps=101"], ["policy.num_inference_steps"]),
        (["policy.name=bc"], ["policy.name=bc", "act, diffusion"]),
    ],
)
def test_setting_that_cannot_work_is_named(overrides, parts) -> None:
    with one_line_error(*parts):
        make_policy(state_settings(*overrides))


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["policy.crop_shape=[40,49]"], ["policy.crop_shape=[40, 49]", "observation.image", "[48, 48]"]),
        (["policy.crop_shape=[32,40]"], ["observation.image", "32 pixels"]),
        (["policy.pretrained_backbone_weights=ResNet18_Weights.IMAGENET1K_V1"], ["policy.use_group_norm=false"]),
    ],
)
def test_image_setting_that_cannot_work_is_named(overrides, parts) -> None:
    with one_line_error(*parts):
        make_policy(pixel_settings(*overrides))


def test_pixel_policy_of_the_original_size_is_that_of_lerobot() -> None:
    """262,709,026 parameters are what LeRobot's training reports for PushT."""
    shapes = {"observation.state": [2], "observation.image": [3, 96, 96]}
    with torch.device("meta"):
        policy = make_policy(policy_settings("diffusion", shapes, 2))
    assert sum(parameter.numel() for parameter in policy.parameters()) == 262_709_026

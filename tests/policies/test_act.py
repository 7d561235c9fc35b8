import numpy as np
import pytest
import torch
from conftest import one_line_error
from demo_score.policies import make_policy
from demo_score.policies.act import ACT
from demo_score.policies.ensembling import TemporalEnsemble
from demo_score.policies.losses import kl_divergence, masked_l1
from omegaconf import DictConfig
from policy_settings import TINY_ACT, policy_settings
from torch import Tensor, nn

CHUNK, ACTIONS = 20, 14
SHAPES = {"observation.state": [14], "observation.environment_state": [7]}
MEAN, STD = 0.5, 2.0


def tiny_settings(*overrides: str, shapes: dict[str, list[int]] = SHAPES) -> DictConfig:
    return policy_settings("act_state", shapes, ACTIONS, *TINY_ACT, *overrides)


def tiny_act(*overrides: str) -> ACT:
    torch.manual_seed(0)
    policy = ACT(tiny_settings(*overrides).policy)
    full = {
        key: tuple(np.full(size, value, np.float32) for value in (MEAN, STD, -1, 1))
        for key, (size,) in {**SHAPES, "action": [ACTIONS]}.items()
    }
    policy.normalization.set_statistics(full, min_std=0.01)
    return policy


def observations(n: int, seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {key: torch.randn(n, 1, size, generator=generator) for key, (size,) in SHAPES.items()}


def training_batch(valid_steps: tuple[int, ...] = (3, 20, 13, 10)) -> dict[str, Tensor]:
    n = len(valid_steps)
    actions = torch.randn(n, CHUNK, ACTIONS, generator=torch.Generator().manual_seed(2))
    is_pad = torch.arange(CHUNK) >= torch.tensor(valid_steps)[:, None]
    return {**observations(n), "action": actions, "action_is_pad": is_pad}


def seeded_loss(policy: ACT, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    torch.manual_seed(5)
    return policy.loss(batch)


# The loss


def test_kl_divergence_is_that_of_torch_distributions() -> None:
    mean, log_variance = torch.randn(6, 4), torch.randn(6, 4)
    posterior = torch.distributions.Normal(mean, log_variance.mul(0.5).exp())
    prior = torch.distributions.Normal(torch.zeros(4), torch.ones(4))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(-1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)


def test_l1_is_the_mean_over_the_entries_of_valid_steps() -> None:
    predicted, target = torch.randn(3, 5, 2), torch.randn(3, 5, 2)
    valid = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]).bool()
    errors = [
        abs(float(predicted[b, t, d] - target[b, t, d]))
        for b in range(3)
        for t in range(5)
        for d in range(2)
        if valid[b, t]
    ]
    assert float(masked_l1(predicted, target, valid)) == pytest.approx(sum(errors) / len(errors), rel=1e-6)


def test_loss_is_l1_plus_weighted_kl() -> None:
    loss, parts = seeded_loss(tiny_act("policy.kl_weight=3"), training_batch())
    torch.testing.assert_close(loss.detach(), parts["l1"] + 3 * parts["kl"])
    assert parts["kl"] > 0


def test_divergence_below_the_free_nats_costs_nothing_and_is_not_pushed_down() -> None:
    (free, kl), (costly, same) = (_kl_part(f"policy.kl_free_nats={nats}") for nats in (1000, 0))
    torch.testing.assert_close(kl, same)
    assert 0 < kl < 1000
    torch.testing.assert_close(free[0], torch.tensor(3 * 1000.0))
    torch.testing.assert_close(costly[0], 3 * kl)
    assert free[1] == 0 and costly[1] > 0


def test_divergence_above_the_free_nats_counts_whole() -> None:
    (free, kl), (costly, _) = (_kl_part(f"policy.kl_free_nats={nats}") for nats in (1e-4, 0))
    assert kl > 1e-4
    torch.testing.assert_close(free, costly)


def _kl_part(*overrides: str) -> tuple[Tensor, Tensor]:
    """What the divergence adds to the loss and to its gradient's norm in the latent's layer; and the divergence."""
    policy = tiny_act("policy.kl_weight=3", *overrides)
    nn.init.zeros_(policy.latent_projection.weight)  # no other gradient reaches the latent
    loss, parts = seeded_loss(policy, training_batch())
    loss.backward()
    return torch.stack([loss.detach() - parts["l1"], policy.vae_encoder.latent.weight.grad.norm()]), parts["kl"]


def test_loss_counts_normalised_actions() -> None:
    policy, batch = tiny_act("policy.use_vae=false"), training_batch()
    nn.init.zeros_(policy.action_head.weight)
    nn.init.zeros_(policy.action_head.bias)
    errors = ((batch["action"] - MEAN) / STD)[~batch["action_is_pad"]].abs()
    torch.testing.assert_close(seeded_loss(policy, batch)[1]["l1"], errors.mean())


@pytest.mark.parametrize("actions_per_query", [1, 10])
def test_padded_actions_change_neither_loss_nor_latent(actions_per_query) -> None:
    policy, batch = tiny_act(f"policy.actions_per_query={actions_per_query}"), training_batch()
    is_pad = batch["action_is_pad"]
    changed = {**batch, "action": torch.where(is_pad[..., None], torch.tensor(100.0), batch["action"])}
    assert torch.equal(seeded_loss(policy, batch)[0], seeded_loss(policy, changed)[0])
    latents = [policy.vae_encoder(x["observation.state"][:, 0], x["action"], ~is_pad) for x in (batch, changed)]
    assert torch.equal(latents[0][0], latents[1][0]) and torch.equal(latents[0][1], latents[1][1])
    valid_changed = {**batch, "action": batch["action"] + 1}
    assert not torch.equal(seeded_loss(policy, batch)[0], seeded_loss(policy, valid_changed)[0])


def test_vae_encoder_does_not_attend_to_padding() -> None:
    """A chunk of which only the first half is valid is encoded as that half alone."""
    long, short = tiny_act().vae_encoder, tiny_act("policy.chunk_size=10", "policy.n_action_steps=10").vae_encoder
    short.load_state_dict(long.state_dict())
    batch = training_batch((10, 10))
    state, actions, valid = batch["observation.state"][:, 0], batch["action"], ~batch["action_is_pad"]
    whole, half = long(state, actions, valid), short(state, actions[:, :10], valid[:, :10])
    torch.testing.assert_close(whole, half, rtol=1e-5, atol=1e-6)


def test_gradient_reaches_every_parameter() -> None:
    policy = tiny_act()
    seeded_loss(policy, training_batch())[0].backward()
    missing = [name for name, parameter in policy.named_parameters() if parameter.grad is None]
    zero = [name for name, parameter in policy.named_parameters() if not parameter.grad.abs().max() > 1e-7]
    # Queries start as zeros, so that the first self-attention mixes equal values, whatever its weights; a bias
    # of the keys shifts all scores of a softmax alike.
    idle = tuple(f"decoder.layers.0.self_attention.{name}" for name in ("query.", "key.", "value.weight"))
    assert not missing
    assert not [name for name in zero if not name.startswith(idle) and not name.endswith("key.bias")]


def test_without_vae_there_is_no_encoder_and_no_kl() -> None:
    policy = tiny_act("policy.use_vae=false")
    assert not [name for name, _ in policy.named_parameters() if name.startswith("vae")]
    assert seeded_loss(policy, training_batch())[1]["kl"] == 0


# Acting


@pytest.mark.parametrize("actions_per_query", [1, 10])
@pytest.mark.parametrize("n_action_steps", [1, 7, 20])
def test_actions_have_the_shape_of_the_settings(actions_per_query, n_action_steps) -> None:
    settings = f"policy.actions_per_query={actions_per_query}", f"policy.n_action_steps={n_action_steps}"
    policy = tiny_act(*settings).eval()
    policy.reset([1, 2, 3])
    assert policy.act(observations(3)).shape == (3, n_action_steps, ACTIONS)
    assert policy.query_position.shape == (1, CHUNK // actions_per_query, 16)


def test_carried_out_actions_are_the_first_of_the_chunk() -> None:
    whole, part = tiny_act().eval(), tiny_act("policy.n_action_steps=7").eval()
    for policy in (whole, part):
        policy.reset([1, 2])
    assert torch.equal(whole.act(observations(2))[:, :7], part.act(observations(2)))


def test_actions_of_one_query_follow_each_other() -> None:
    policy = tiny_act().eval()
    nn.init.zeros_(policy.action_head.weight)
    policy.action_head.bias.data = torch.arange(10 * ACTIONS).float()
    policy.reset([0])
    expected = torch.arange(10 * ACTIONS).float().view(10, ACTIONS).repeat(2, 1) * STD + MEAN
    torch.testing.assert_close(policy.act(observations(1))[0], expected)


def test_zero_latent_acts_the_same_whatever_the_seeds() -> None:
    policy = tiny_act("policy.sample_latent=false", "policy.dropout=0.1").eval()
    policy.reset([1, 2])
    first, second = policy.act(observations(2)), policy.act(observations(2))
    policy.reset([3, 4])
    assert torch.equal(first, second) and torch.equal(first, policy.act(observations(2)))


def test_sampled_latent_depends_on_the_episodes_own_seed_only() -> None:
    policy, same = tiny_act("policy.sample_latent=true").eval(), {k: v[:1] for k, v in observations(1).items()}
    batch = {key: values.expand(3, -1, -1) for key, values in same.items()}
    policy.reset([5, 6, 7])
    together = [policy.act(batch) for _ in range(2)]
    assert not torch.allclose(together[0][0], together[0][1], atol=1e-3)
    assert not torch.allclose(together[0], together[1], atol=1e-3)  # each chunk has its own draw
    torch.manual_seed(99)
    for row, seed in enumerate([5, 6, 7]):
        policy.reset([seed])
        for acted in together:
            torch.testing.assert_close(policy.act(same)[0], acted[row], rtol=1e-4, atol=1e-5)


def test_sampled_latents_are_standard_normal() -> None:
    policy = tiny_act("policy.sample_latent=true")
    policy.reset(list(range(5000)))
    latents = policy._latent()
    assert abs(float(latents.mean())) < 0.03
    assert float(latents.std()) == pytest.approx(1, abs=0.03)


# Temporal ensembling


@pytest.mark.parametrize("coefficient", [0.0, 0.01, 0.5, -0.3])
def test_ensemble_weighs_predictions_by_their_age(coefficient) -> None:
    """Against the formula, step by step: the i-th oldest of the chunks that reach a step weighs exp(-m i)."""
    chunks, size, ensemble = torch.randn(12, 2, 5, 3), 5, TemporalEnsemble(coefficient)
    for now in range(12):
        reaching = range(max(0, now - size + 1), now + 1)
        weights = np.exp(-coefficient * np.arange(len(reaching)))
        weighted = [weight * chunks[step, :, now - step] for weight, step in zip(weights, reaching, strict=True)]
        torch.testing.assert_close(ensemble.add(chunks[now])[:, 0], sum(weighted) / weights.sum())


def test_ensemble_forgets_at_reset() -> None:
    policy = tiny_act("policy.temporal_ensemble_coeff=0.01", "policy.n_action_steps=1").eval()
    first, second = observations(2, seed=1), observations(2, seed=2)
    policy.reset([0, 1])
    fresh = policy.act(second)
    policy.reset([0, 1])
    policy.act(first)
    assert not torch.allclose(policy.act(second), fresh, atol=1e-5)
    policy.reset([0, 1])
    assert torch.equal(policy.act(second), fresh) and fresh.shape == (2, 1, ACTIONS)


def test_ensemble_is_not_used_unless_asked_for() -> None:
    policy = tiny_act("policy.n_action_steps=1").eval()
    policy.reset([0, 1])
    policy.act(observations(2, seed=1))
    acted = policy.act(observations(2, seed=2))
    policy.reset([0, 1])
    assert torch.equal(policy.act(observations(2, seed=2)), acted)


# Settings


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("policy.actions_per_query=3", "policy.actions_per_query"),
        ("policy.n_action_steps=21", "policy.n_action_steps"),
        ("policy.n_action_steps=0", "policy.n_action_steps"),
        ("policy.n_obs_steps=2", "policy.n_obs_steps"),
        ("policy.n_heads=3", "policy.dim_model"),
        ("policy.dim_model=18", "policy.dim_model"),
        ("policy.temporal_ensemble_coeff=0.01", "policy.n_action_steps=1"),
        ("policy.feedforward_activation=tanh", "policy.feedforward_activation"),
    ],
)
def test_setting_that_cannot_work_is_named(override, name) -> None:
    with one_line_error(name):
        make_policy(tiny_settings(override))


def test_vae_without_joint_state_is_reported() -> None:
    with one_line_error("policy.use_vae", "observation.state"):
        make_policy(tiny_settings(shapes={"observation.environment_state": [7]}))


def test_actions_of_a_batch_begin_now() -> None:
    assert ACT.action_offsets(tiny_settings().policy) == range(CHUNK)


def test_act_of_the_original_size_has_the_expected_number_of_parameters() -> None:
    with torch.device("meta"):
        policy = ACT(policy_settings("act_state", SHAPES, ACTIONS).policy)
    dim, hidden, latent, chunk = 512, 3200, 32, 100

    def linear(inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs

    attention, norm = 4 * linear(dim, dim), 2 * dim
    feed_forward = linear(dim, hidden) + linear(hidden, dim)
    encoder = 4 * (attention + feed_forward + 2 * norm)
    decoder = 2 * attention + feed_forward + 3 * norm + norm
    vae = dim + linear(14, dim) + linear(14, dim) + encoder + linear(dim, 2 * latent)
    inputs = linear(latent, dim) + linear(14, dim) + linear(7, dim) + 3 * dim
    expected = vae + inputs + encoder + chunk * dim + decoder + linear(dim, 14)
    assert sum(parameter.numel() for parameter in policy.parameters()) == expected

"""ACT: each part against an independent formula, and what acting and the loss may depend on."""

import numpy as np
import pytest
import torch
from conftest import one_line_error, tiny_settings
from demo_score.policies.act import ACT, kl_divergence, masked_l1
from demo_score.policies.normalization import Normalization
from demo_score.policies.transformer import Attention, DecoderLayer, EncoderLayer, sinusoidal_positions
from demo_score.settings import compose_settings
from torch import Tensor, nn

CHUNK, STATE, ENVIRONMENT, ACTIONS = 20, 14, 7, 14
MEAN, STD = 0.5, 2.0


def tiny_act(*overrides: str, dropout: float = 0.0) -> ACT:
    torch.manual_seed(0)
    policy = ACT(tiny_settings(f"policy.dropout={dropout}", *overrides).policy)
    sizes = {"observation.state": STATE, "observation.environment_state": ENVIRONMENT, "action": ACTIONS}
    full = {key: (np.full(n, MEAN, np.float32), np.full(n, STD, np.float32)) for key, n in sizes.items()}
    policy.normalization.set_statistics(full, min_std=0.01)
    return policy


def observations(n: int, seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sizes = {"observation.state": STATE, "observation.environment_state": ENVIRONMENT}
    return {key: torch.randn(n, size, generator=generator) for key, size in sizes.items()}


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
    latents = [policy.vae_encoder(x["observation.state"], x["action"], ~is_pad) for x in (batch, changed)]
    assert torch.equal(latents[0][0], latents[1][0]) and torch.equal(latents[0][1], latents[1][1])
    valid_changed = {**batch, "action": batch["action"] + 1}
    assert not torch.equal(seeded_loss(policy, batch)[0], seeded_loss(policy, valid_changed)[0])


def test_vae_encoder_does_not_attend_to_padding() -> None:
    """A chunk of which only the first half is valid is encoded as that half alone."""
    long, short = tiny_act().vae_encoder, tiny_act("policy.chunk_size=10", "policy.n_action_steps=10").vae_encoder
    short.load_state_dict(long.state_dict())
    batch = training_batch((10, 10))
    state, actions, valid = batch["observation.state"], batch["action"], ~batch["action_is_pad"]
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
    policy = tiny_act("policy.sample_latent=false", dropout=0.1).eval()
    policy.reset([1, 2])
    first, second = policy.act(observations(2)), policy.act(observations(2))
    policy.reset([3, 4])
    assert torch.equal(first, second) and torch.equal(first, policy.act(observations(2)))


def test_sampled_latent_depends_on_the_episodes_own_seed_only() -> None:
    policy, same = tiny_act("policy.sample_latent=true").eval(), {k: v[:1] for k, v in observations(1).items()}
    batch = {key: values.expand(3, -1) for key, values in same.items()}
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


# The transformer


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer_without_positions_is_torchs(pre_norm, activation) -> None:
    layer = randomised(EncoderLayer(16, 4, 32, activation, 0.0, pre_norm))
    torchs = nn.TransformerEncoderLayer(16, 4, 32, 0.0, activation, batch_first=True, norm_first=pre_norm)
    copy_attention(layer.attention, torchs.self_attn)
    copy_common(layer, torchs, n_norms=2)
    x = torch.randn(3, 6, 16)
    valid = torch.tensor([6, 2, 4])[:, None] > torch.arange(6)
    expected = torchs(x, src_key_padding_mask=~valid)
    torch.testing.assert_close(layer(x, torch.zeros(1, 6, 16), valid[:, None, None]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_decoder_layer_without_positions_is_torchs(pre_norm) -> None:
    layer = randomised(DecoderLayer(16, 4, 32, "relu", 0.0, pre_norm))
    torchs = nn.TransformerDecoderLayer(16, 4, 32, 0.0, "relu", batch_first=True, norm_first=pre_norm)
    copy_attention(layer.self_attention, torchs.self_attn)
    copy_attention(layer.cross_attention, torchs.multihead_attn)
    copy_common(layer, torchs, n_norms=3)
    x, memory = torch.randn(3, 5, 16), torch.randn(3, 4, 16)
    decoded = layer(x, torch.zeros(1, 5, 16), memory, torch.zeros(1, 4, 16))
    torch.testing.assert_close(decoded, torchs(x, memory), rtol=1e-4, atol=1e-5)


def test_positions_enter_queries_and_keys_but_not_values() -> None:
    layer = randomised(EncoderLayer(16, 4, 32, "relu", 0.0, False))
    attention = nn.MultiheadAttention(16, 4, batch_first=True)
    copy_attention(layer.attention, attention)
    x, position = torch.randn(2, 6, 16), torch.randn(1, 6, 16)
    mixed = layer.residuals[0].norm(x + attention(x + position, x + position, x)[0])
    expected = layer.residuals[1].norm(mixed + layer.feed_forward(mixed))
    torch.testing.assert_close(layer(x, position), expected, rtol=1e-4, atol=1e-5)


def randomised(module: nn.Module) -> nn.Module:
    """Parameters away from zeros and ones, so that a forgotten one shows."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def copy_attention(source: Attention, target: nn.MultiheadAttention) -> None:
    parts = (source.query, source.key, source.value)
    target.in_proj_weight.data = torch.cat([part.weight for part in parts])
    target.in_proj_bias.data = torch.cat([part.bias for part in parts])
    target.out_proj.load_state_dict(source.out.state_dict())


def copy_common(source: EncoderLayer | DecoderLayer, target: nn.Module, n_norms: int) -> None:
    """Feed-forward and norms."""
    first, _, _, second = source.feed_forward
    target.linear1.load_state_dict(first.state_dict())
    target.linear2.load_state_dict(second.state_dict())
    for number in range(n_norms):
        getattr(target, f"norm{number + 1}").load_state_dict(source.residuals[number].norm.state_dict())


def test_sinusoidal_positions_are_those_of_the_paper() -> None:
    table = sinusoidal_positions(9, 6)
    assert table.shape == (1, 9, 6)
    for position in range(9):
        for pair in range(3):
            angle = position / 10000 ** (2 * pair / 6)
            assert float(table[0, position, 2 * pair]) == pytest.approx(np.sin(angle), abs=1e-5)
            assert float(table[0, position, 2 * pair + 1]) == pytest.approx(np.cos(angle), abs=1e-5)


def test_act_of_the_original_size_has_the_expected_number_of_parameters() -> None:
    with torch.device("meta"):
        policy = ACT(compose_settings(["seed=0"])[0].policy)
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


# Normalisation


def test_normalisation_comes_back_and_has_unit_deviation() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(3, [0.1, 20.0], size=(1000, 2)).astype(np.float32)
    normalization = Normalization({"observation.state": [2]})
    normalization.set_statistics({"observation.state": (values.mean(0), values.std(0))}, min_std=0.01)
    normalized = normalization.normalize("observation.state", torch.from_numpy(values))
    np.testing.assert_allclose(normalized.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(normalized.std(0), 1, atol=1e-2)
    np.testing.assert_allclose(normalization.restore("observation.state", normalized), values, rtol=1e-4, atol=1e-5)


def test_deviations_are_not_below_min_std() -> None:
    normalization = Normalization({"action": [3]})
    std = np.array([0.0, 0.01, 3.0], np.float32)
    normalization.set_statistics({"action": (np.zeros(3, np.float32), std)}, min_std=0.5)
    normalized = normalization.normalize("action", torch.ones(3))
    torch.testing.assert_close(normalized, torch.tensor([2.0, 2.0, 1 / 3]))


@pytest.mark.parametrize("size", [1, 7])
def test_statistics_of_another_size_are_reported(size) -> None:
    normalization, values = Normalization({"action": [14]}), np.ones(size, np.float32)
    with one_line_error("action", f"({size},)", "(14,)"):
        normalization.set_statistics({"action": (values, values)}, min_std=0.1)


# Settings


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("policy.actions_per_query=3", "policy.actions_per_query"),
        ("policy.n_action_steps=21", "policy.n_action_steps"),
        ("policy.n_action_steps=0", "policy.n_action_steps"),
        ("policy.n_obs_steps=2", "policy.n_obs_steps"),
        ("policy.n_heads=3", "policy.dim_model"),
        ("policy.dim_model=15", "policy.dim_model"),
        ("policy.feedforward_activation=tanh", "policy.feedforward_activation"),
    ],
)
def test_setting_that_cannot_work_is_named(override, name) -> None:
    with one_line_error(name):
        tiny_act(override)


def test_vae_without_joint_state_is_reported() -> None:
    settings = tiny_settings().policy
    settings.input_shapes = {"observation.environment_state": [7]}
    with one_line_error("policy.use_vae", "observation.state"):
        ACT(settings)

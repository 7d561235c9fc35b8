import numpy as np
import pytest
import torch
from conftest import one_line_error
from demo_score.policies.act import ACT
from demo_score.policies.ensembling import TemporalEnsemble
from demo_score.policies.losses import kl_divergence, masked_l1
from demo_score.policies.transformer import Attention, DecoderLayer, EncoderLayer, sinusoidal_positions
from demo_score.policies.vision import sinusoidal_positions_2d
from omegaconf import DictConfig, OmegaConf
from policy_settings import TINY_ACT, losses_of_training, policy_settings, random_batch, random_observations
from torch import Tensor, nn

CHUNK, ACTIONS = 20, 14
SHAPES = {"observation.state": [14], "observation.environment_state": [7]}
PIXELS = {"observation.state": [14], "observation.images.top": [3, 64, 96]}
MEAN, STD = 0.5, 2.0


def tiny_settings(*overrides: str, file: str = "act_state", shapes: dict[str, list[int]] = SHAPES) -> DictConfig:
    return policy_settings(file, shapes, ACTIONS, *TINY_ACT, *overrides)


def tiny_act(*overrides: str) -> ACT:
    torch.manual_seed(0)
    policy = ACT(tiny_settings(*overrides).policy)
    full = {
        key: tuple(np.full(size, value, np.float32) for value in (MEAN, STD, -1, 1))
        for key, (size,) in {**SHAPES, "action": [ACTIONS]}.items()
    }
    policy.normalization.set_statistics(full, min_std=0.01)
    return policy


def pixel_act(*overrides: str, shapes: dict[str, list[int]] = PIXELS) -> ACT:
    torch.manual_seed(0)
    return ACT(tiny_settings(*overrides, file="act", shapes=shapes).policy)


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


# Images


def test_pixel_act_of_the_original_size_is_that_of_lerobot() -> None:
    """51,597,190 parameters are what LeRobot's training reports for six joints and a camera of 480x640."""
    shapes = {"observation.state": [6], "observation.images.top": [3, 480, 640]}
    with torch.device("meta"):
        policy = ACT(policy_settings("act", shapes, 6).policy)
    assert sum(parameter.numel() for parameter in policy.parameters()) == 51_597_190


def test_every_camera_adds_the_tokens_of_its_feature_map() -> None:
    two = {"observation.state": [14], "observation.images.a": [3, 64, 96], "observation.images.b": [3, 32, 64]}
    policy = pixel_act(shapes=two)
    observations = policy._now(random_observations(policy_settings("act", two, ACTIONS), 2))
    tokens, position = policy._tokens(observations, torch.zeros(2, 4))
    n_tokens = 1 + 1 + 2 * 3 + 1 * 2
    assert tokens.shape == (2, n_tokens, 16) and position.shape == (1, n_tokens, 16)
    places = [sinusoidal_positions_2d(2, 3, 16), sinusoidal_positions_2d(1, 2, 16)]
    assert torch.equal(position, torch.cat([policy.token_position, *places], dim=1))
    moved = {**observations, "observation.images.b": observations["observation.images.b"] + 1}
    changed = (policy._tokens(moved, torch.zeros(2, 4))[0] != tokens).any(dim=2)
    assert not changed[:, :-2].any() and changed[:, -2:].all()


def test_dilation_quadruples_the_tokens_of_an_image() -> None:
    settings = tiny_settings(file="act", shapes=PIXELS)
    sizes = []
    for dilate in ("false", "true"):
        policy = pixel_act(f"policy.replace_final_stride_with_dilation={dilate}")
        tokens, _ = policy._tokens(policy._now(random_observations(settings, 1)), torch.zeros(1, 4))
        sizes.append(tokens.shape[1] - 2)
    assert sizes == [2 * 3, 4 * 6]


def test_images_decide_the_actions_of_pixel_act() -> None:
    policy, settings = pixel_act().eval(), tiny_settings(file="act", shapes=PIXELS)
    seen = random_observations(settings, 2)
    policy.reset([0, 1])
    other = {**seen, "observation.images.top": 1 - seen["observation.images.top"]}
    assert policy.act(seen).shape == (2, CHUNK, ACTIONS)
    assert not torch.allclose(policy.act(seen), policy.act(other), atol=1e-5)


def test_batch_norm_of_the_backbone_stays_frozen() -> None:
    policy, settings = pixel_act(), tiny_settings(file="act", shapes=PIXELS)
    before = {name: buffer.clone() for name, buffer in policy.backbone.named_buffers()}
    losses_of_training(policy, random_batch(settings, 2, CHUNK), n_steps=1, lr=1e-3)
    assert before and all(torch.equal(buffer, before[name]) for name, buffer in policy.backbone.named_buffers())
    assert not [name for name, _ in policy.backbone.named_parameters() if "bn" in name]


def test_pixel_act_learns_a_small_batch_by_heart() -> None:
    """Better than the best constant, whose mean absolute error is 0.5."""
    shapes = {"observation.state": [14], "observation.images.top": [3, 40, 40]}
    batch = random_batch(tiny_settings(file="act", shapes=shapes), 2, CHUNK)
    losses = losses_of_training(pixel_act("policy.kl_weight=0", shapes=shapes), batch, n_steps=25, lr=3e-3)
    assert losses[0] > 0.55 and losses[-1] < 0.42


def test_gradient_reaches_the_whole_backbone() -> None:
    policy, settings = pixel_act(), tiny_settings(file="act", shapes=PIXELS)
    policy.train().loss(random_batch(settings, 2, CHUNK))[0].backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in policy.backbone.parameters())


def test_mixed_precision_gives_actions_in_full() -> None:
    policy, settings = pixel_act().eval(), tiny_settings(file="act", shapes=PIXELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, parts = policy.loss(random_batch(settings, 2, CHUNK))
        policy.reset([0, 1])
        actions = policy.act(random_observations(settings, 2))
    assert {loss.dtype, actions.dtype, *(part.dtype for part in parts.values())} == {torch.float32}


def test_backbone_has_its_own_learning_rate() -> None:
    policy = pixel_act()
    rest, backbone = policy.parameter_groups(OmegaConf.create({"lr_backbone": 2e-5}))
    assert backbone["lr"] == 2e-5 and "lr" not in rest
    assert {id(p) for p in backbone["params"]} == {id(p) for p in policy.backbone.parameters()}
    assert sorted(map(id, [*rest["params"], *backbone["params"]])) == sorted(map(id, policy.parameters()))


def test_without_a_backbone_or_a_rate_for_it_all_parameters_are_one_group() -> None:
    for policy, rate in ((tiny_act(), 1e-5), (pixel_act(), None)):
        (group,) = policy.parameter_groups(OmegaConf.create({"lr_backbone": rate}))
        assert list(map(id, group["params"])) == list(map(id, policy.parameters()))


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
        tiny_act(override)


def test_vae_without_joint_state_is_reported() -> None:
    with one_line_error("policy.use_vae", "observation.state"):
        ACT(tiny_settings(shapes={"observation.environment_state": [7]}).policy)


def test_actions_of_a_batch_begin_now() -> None:
    assert ACT.action_offsets(tiny_settings().policy) == range(CHUNK)

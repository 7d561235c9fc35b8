import torch
from demo_score.policies.act import ACT
from demo_score.policies.vision import sinusoidal_positions_2d
from omegaconf import DictConfig, OmegaConf
from policy_settings import TINY_ACT, losses_of_training, policy_settings, random_batch, random_observations

CHUNK, ACTIONS = 20, 14
PIXELS = {"observation.state": [14], "observation.images.top": [3, 64, 96]}


def pixel_settings(shapes: dict[str, list[int]] = PIXELS, *overrides: str) -> DictConfig:
    return policy_settings("act", shapes, ACTIONS, *TINY_ACT, *overrides)


def pixel_act(*overrides: str, shapes: dict[str, list[int]] = PIXELS) -> ACT:
    torch.manual_seed(0)
    return ACT(pixel_settings(shapes, *overrides).policy)


def test_pixel_act_of_the_original_size_is_that_of_lerobot() -> None:
    """51,597,190 parameters are what LeRobot's training reports for six joints and a camera of 480x640."""
    shapes = {"observation.state": [6], "observation.images.top": [3, 480, 640]}
    with torch.device("meta"):
        policy = ACT(policy_settings("act", shapes, 6).policy)
    assert sum(parameter.numel() for parameter in policy.parameters()) == 51_597_190


def test_every_camera_adds_the_tokens_of_its_feature_map() -> None:
    two = {"observation.state": [14], "observation.images.a": [3, 64, 96], "observation.images.b": [3, 32, 64]}
    policy = pixel_act(shapes=two)
    observations = policy._now(random_observations(pixel_settings(two), 2))
    tokens, position = policy._tokens(observations, torch.zeros(2, 4))
    n_tokens = 1 + 1 + 2 * 3 + 1 * 2
    assert tokens.shape == (2, n_tokens, 16) and position.shape == (1, n_tokens, 16)
    places = [sinusoidal_positions_2d(2, 3, 16), sinusoidal_positions_2d(1, 2, 16)]
    assert torch.equal(position, torch.cat([policy.token_position, *places], dim=1))
    moved = {**observations, "observation.images.b": observations["observation.images.b"] + 1}
    changed = (policy._tokens(moved, torch.zeros(2, 4))[0] != tokens).any(dim=2)
    assert not changed[:, :-2].any() and changed[:, -2:].all()


def test_dilation_quadruples_the_tokens_of_an_image() -> None:
    settings = pixel_settings()
    sizes = []
    for dilate in ("false", "true"):
        policy = pixel_act(f"policy.replace_final_stride_with_dilation={dilate}")
        tokens, _ = policy._tokens(policy._now(random_observations(settings, 1)), torch.zeros(1, 4))
        sizes.append(tokens.shape[1] - 2)
    assert sizes == [2 * 3, 4 * 6]


def test_images_decide_the_actions_of_pixel_act() -> None:
    policy, settings = pixel_act().eval(), pixel_settings()
    seen = random_observations(settings, 2)
    policy.reset([0, 1])
    other = {**seen, "observation.images.top": 1 - seen["observation.images.top"]}
    assert policy.act(seen).shape == (2, CHUNK, ACTIONS)
    assert not torch.allclose(policy.act(seen), policy.act(other), atol=1e-5)


def test_batch_norm_of_the_backbone_stays_frozen() -> None:
    policy, settings = pixel_act(), pixel_settings()
    before = {name: buffer.clone() for name, buffer in policy.backbone.named_buffers()}
    losses_of_training(policy, random_batch(settings, 2, CHUNK), n_steps=1, lr=1e-3)
    assert before and all(torch.equal(buffer, before[name]) for name, buffer in policy.backbone.named_buffers())
    assert not [name for name, _ in policy.backbone.named_parameters() if "bn" in name]


def test_pixel_act_learns_a_small_batch_by_heart() -> None:
    """Better than the best constant, whose mean absolute error is 0.5."""
    shapes = {"observation.state": [14], "observation.images.top": [3, 40, 40]}
    batch = random_batch(pixel_settings(shapes), 2, CHUNK)
    losses = losses_of_training(pixel_act("policy.kl_weight=0", shapes=shapes), batch, n_steps=40, lr=3e-3)
    assert losses[0] > 0.55 and losses[-1] < 0.42


def test_gradient_reaches_the_whole_backbone() -> None:
    policy, settings = pixel_act(), pixel_settings()
    policy.train().loss(random_batch(settings, 2, CHUNK))[0].backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in policy.backbone.parameters())


def test_mixed_precision_gives_actions_in_full() -> None:
    policy, settings = pixel_act().eval(), pixel_settings()
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
    for policy, rate in ((pixel_act(shapes={"observation.state": [14]}), 1e-5), (pixel_act(), None)):
        (group,) = policy.parameter_groups(OmegaConf.create({"lr_backbone": rate}))
        assert list(map(id, group["params"])) == list(map(id, policy.parameters()))

"""Influence against gradients by autograd, one at a time, a dense inverse, and nested loops."""

import numpy as np
import pytest
import torch
from conftest import one_line_error
from demo_score.methods.gradients import Projection, n_parameters, sample_gradients
from demo_score.methods.influence import aggregate, compute_influence, dimensions, solve
from demo_score.methods.influence_settings import InfluenceSettings
from demo_score.policies.diffusion import DiffusionPolicy
from method_evidence import CPU, act_settings, diffusion_settings, episodes, saved_policy, window
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow
SETTINGS = InfluenceSettings(projection=4, regularization=0.01, stride=5, draws=3)


def act_output(policy, batch) -> torch.Tensor:
    """Written out for a batch of one: the mean square of what is predicted at the posterior's mean."""
    norm, valid = policy.normalization, ~batch["action_is_pad"]
    seen = {key: norm.normalize(key, batch[key])[:, -1] for key in policy.settings.input_shapes}
    if policy.vae_encoder is None:
        mean = torch.zeros(1, policy.settings.latent_dim)
    else:
        mean = policy.vae_encoder(seen["observation.state"], norm.normalize("action", batch["action"]), valid)[0]
    return policy._predict(seen, mean)[valid].square().mean()


def diffusion_output(policy, batch, noise, step) -> torch.Tensor:
    """The same of the predicted noise, with the noised actions of DDPM's equation 4."""
    actions = policy.normalization.normalize("action", batch["action"])
    kept = policy.scheduler.alphas_cumprod[step]
    noisy = kept.sqrt() * actions + (1 - kept).sqrt() * noise
    seen = [policy.normalization.normalize(key, batch[key]) for key in policy.vector_sizes]
    return policy.unet(noisy, step[None], torch.cat(seen, -1).flatten(1)).square().mean()


def gradient_of(output: torch.Tensor, policy) -> np.ndarray:
    found = torch.autograd.grad(output, list(policy.parameters()), allow_unused=True)
    parts = [
        torch.zeros_like(parameter) if g is None else g for g, parameter in zip(found, policy.parameters(), strict=True)
    ]
    return torch.cat([part.flatten() for part in parts]).double().numpy()


def loop_gradients(policy, chosen, draws) -> np.ndarray:
    """Of frames (episode, frame): one backward pass a draw, and their mean."""
    settings, rows = policy.settings, []
    for number, (episode, frame) in enumerate(chosen):
        if isinstance(policy, DiffusionPolicy):
            batch = window(episode, frame, policy.action_offsets(settings), settings.n_obs_steps)
            noise, steps = draws["noise"][number], draws["step"][number]
            outputs = [diffusion_output(policy, batch, noise[None, i], steps[i]) for i in range(len(steps))]
        else:
            outputs = [act_output(policy, window(episode, frame, range(settings.chunk_size)))]
        rows.append(np.mean([gradient_of(output, policy) for output in outputs], axis=0))
    return np.array(rows)


@pytest.mark.parametrize("settings", [act_settings(), act_settings("policy.use_vae=false"), diffusion_settings()])
def test_gradients_of_single_samples_are_those_of_autograd(tmp_path, settings) -> None:
    policy = saved_policy(tmp_path, settings)
    chosen = [(episode, frame) for episode in episodes(12, 9) for frame in (0, 7)]
    offsets = policy.action_offsets(policy.settings)
    windows = [window(episode, frame, offsets, policy.settings.n_obs_steps) for episode, frame in chosen]
    batch = {key: torch.cat([each[key] for each in windows]) for key in windows[0]}
    drawn = policy.output_draws(4 * 3, torch.Generator().manual_seed(5))
    draws = {key: values.unflatten(0, (4, 3)) for key, values in drawn.items()}
    found = sample_gradients(policy, batch, draws).double().numpy()
    np.testing.assert_allclose(found, loop_gradients(policy, chosen, draws), rtol=1e-3, atol=1e-6)
    assert np.abs(found).max() > 1e-3


def test_projection_is_gaussian_and_the_same_block_by_block() -> None:
    projection = Projection(5000, 400, seed=3, device=CPU)
    whole = projection(torch.eye(5000)).numpy()
    assert abs(whole.mean()) < 1e-4 and abs(whole.std() * 400**0.5 - 1) < 0.01
    small, redrawn = (Projection(5000, 400, seed=3, device=CPU) for _ in range(2))
    small.rows = redrawn.rows = 1700
    redrawn.kept = None
    gradients = torch.randn(3, 5000, generator=torch.Generator().manual_seed(0))
    blocks = np.concatenate([small.block(first).numpy() for first in (0, 1700, 3400)])
    assert blocks.shape == (5000, 400) and not np.array_equal(blocks[:1700], blocks[1700:3400])
    np.testing.assert_allclose(small(gradients), gradients.numpy() @ blocks, rtol=1e-3, atol=1e-3)
    assert torch.equal(small(gradients), redrawn(gradients))
    assert not torch.equal(Projection(5000, 400, 4, CPU).block(0), projection.block(0))


@pytest.mark.parametrize("regularization", [0.0, 0.5])
def test_solution_is_the_dense_inverse(regularization) -> None:
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(30, 6)), rng.normal(size=(4, 6))
    moments = train.T @ train
    expected = test @ np.linalg.inv(moments + regularization * np.trace(moments) / 6 * np.eye(6))
    found = solve(torch.from_numpy(train), torch.from_numpy(test), regularization).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_no_inverse_is_one_line() -> None:
    with one_line_error("regularization=0.0", "influence.regularization=0.1"):
        solve(torch.ones(5, 3).double(), torch.ones(1, 3).double(), 0.0)


def test_aggregates_are_nested_loops_over_frames() -> None:
    rng = np.random.default_rng(1)
    weighted, train = rng.normal(size=(7, 3)), rng.normal(size=(9, 3))
    frames_of_rollouts, frames_of_demonstrations = [range(0, 3), range(3, 7)], [range(0, 4), range(4, 5), range(5, 9)]
    found = aggregate(weighted, train, np.array([0, 3]), np.array([0, 4, 5]))
    for r, ts in enumerate(frames_of_rollouts):
        for d, hs in enumerate(frames_of_demonstrations):
            tau = [[float(np.dot(weighted[t], train[h])) for h in hs] for t in ts]
            total = sum(sum(row) for row in tau)
            assert found["sum"][r, d] == pytest.approx(total)
            assert found["mean"][r, d] == pytest.approx(total / len(ts) / len(hs))
            assert found["min_max"][r, d] == pytest.approx(min(max(row) for row in tau))
            assert found["max_min"][r, d] == pytest.approx(max(min(row) for row in tau))


@pytest.mark.parametrize("settings", [act_settings(), diffusion_settings()])
def test_file_holds_influence_by_its_formula(tmp_path, settings) -> None:
    policy = saved_policy(tmp_path / "checkpoint", settings)
    demonstrations, rollouts = episodes(31, 24, 18), episodes(13, 9, first_seed=50)
    compute_influence(tmp_path / "a", demonstrations, rollouts, tmp_path / "checkpoint", SETTINGS, seed=7)
    left_out = settings.training.drop_n_last_frames
    train = [(episode, frame) for episode in demonstrations for frame in range(0, len(episode) - left_out, 5)]
    test = [(episode, frame) for episode in rollouts for frame in range(0, len(episode), 4)]
    size = min(4, len(train) // 4)
    projection, generator = Projection(n_parameters(policy), size, 7, CPU), torch.Generator().manual_seed(7)
    assert projection.rows > n_parameters(policy)
    projected = []
    for chosen in (train, test):
        drawn = policy.output_draws(3 * len(chosen), generator)
        draws = {key: values.unflatten(0, (-1, 3)) for key, values in drawn.items()}
        projected.append(loop_gradients(policy, chosen, draws) @ projection.block(0).double().numpy())
    g, g_test = projected
    moments = g.T @ g
    tau = g_test @ np.linalg.inv(moments + 0.01 * moments.diagonal().mean() * np.eye(size)) @ g.T
    found = load_file(tmp_path / "a")
    np.testing.assert_array_equal(found["success"], [1, 0])
    for r, rollout in enumerate(rollouts):
        for d, demonstration in enumerate(demonstrations):
            rows = [i for i, (episode, _) in enumerate(test) if episode is rollout]
            columns = [i for i, (episode, _) in enumerate(train) if episode is demonstration]
            block = tau[np.ix_(rows, columns)]
            np.testing.assert_allclose(found["sum"][r, d], block.sum(), rtol=2e-2, atol=2e-2 * np.abs(block).sum())
            assert found["min_max"][r, d] == pytest.approx(block.max(1).min(), rel=2e-2, abs=2e-3)


def test_same_input_gives_the_same_bits_and_another_seed_others(tmp_path) -> None:
    saved_policy(tmp_path / "checkpoint", diffusion_settings())
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        compute_influence(tmp_path / name, episodes(31, 24), episodes(9, 9), tmp_path / "checkpoint", SETTINGS, seed)
        torch.rand(3)  # no state of torch's own counts
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


def test_a_quarter_of_the_frames_bounds_the_projection(tmp_path, capsys) -> None:
    assert dimensions(InfluenceSettings(projection=100), 1000) == 100
    assert dimensions(InfluenceSettings(projection=100), 203) == 50
    assert dimensions(InfluenceSettings(projection=100), 2) == 1
    saved_policy(tmp_path / "checkpoint", act_settings())
    compute_influence(tmp_path / "a", episodes(31, 8), episodes(9), tmp_path / "checkpoint", SETTINGS, seed=0)
    assert "9 frames of demonstrations, 3 of rollouts, 2 dimensions" in capsys.readouterr().err


def test_a_rollout_of_unknown_outcome_is_one_line(tmp_path) -> None:
    (rollout,) = episodes(9)
    rollout.success = None
    with one_line_error("rollout 0", "success or failure is not known"):
        compute_influence(tmp_path / "a", episodes(9), [rollout], tmp_path, SETTINGS, seed=0)

"""Methods that open a checkpoint, each against its formula frame by frame."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import one_line_error
from demo_score.methods.base import Evidence
from demo_score.methods.compatibility import Settings as Agreement
from demo_score.methods.compatibility import frame_scores
from demo_score.policies.losses import kl_divergence, masked_l1
from method_evidence import act_settings, diffusion_settings, episodes, saved_policy, window
from places import WORKFLOW

pytestmark = pytest.mark.slow
NAMES = ["success_similarity", "policy_loss", "compatibility", "state_diversity", "action_diversity"]
FEW = {"stride": 4}


def method(name: str):
    return importlib.import_module(f"demo_score.methods.{name}").METHOD


def scored(name: str, evidence: Evidence, **settings) -> list[float]:
    chosen = method(name)
    return chosen.score(evidence, chosen.settings.checked(settings, name))


def evidence_of(folder: Path, settings, n_checkpoints: int = 1, seed: int = 0) -> Evidence:
    folders = [folder / str(number) for number in range(n_checkpoints)]
    for number, each in enumerate(folders):
        saved_policy(each, settings, seed=number)
    return Evidence(episodes(13, 10, 17), 50.0, seed, episodes(9, 14, 8, first_seed=70), folders)


@pytest.fixture(scope="module")
def act(tmp_path_factory) -> Evidence:
    return evidence_of(tmp_path_factory.mktemp("act"), act_settings(), n_checkpoints=3)


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory) -> Evidence:
    return evidence_of(tmp_path_factory.mktemp("diffusion"), diffusion_settings(), n_checkpoints=2)


def loaded(evidence: Evidence, settings):
    """The last checkpoint's policy, made again rather than read."""
    return saved_policy(evidence.checkpoints[-1], settings, seed=len(evidence.checkpoints) - 1)


def conditions(episode, policy) -> np.ndarray:
    """A diffusion policy's embedding: normalised observations of two steps, one after the other."""
    norm, rows = policy.normalization, []
    for frame in range(0, len(episode), 4):
        steps = [max(frame - 1, 0), frame]
        parts = [
            norm.normalize(key, torch.from_numpy(episode.observations[key][step]))
            for step in steps
            for key in policy.vector_sizes
        ]
        rows.append(torch.cat(parts).double().numpy())
    return np.array(rows)


def test_success_similarity_is_the_mean_distance_to_successes(diffusion) -> None:
    policy = loaded(diffusion, diffusion_settings())
    demonstrations = [conditions(episode, policy) for episode in diffusion.demonstrations]
    rollouts = [conditions(episode, policy) for episode in diffusion.rollouts]
    every = np.concatenate([*demonstrations, *rollouts])
    low, high = every.min(0), every.max(0)
    expected = []
    for demonstration in demonstrations:
        score = 0.0
        for rollout, episode in zip(rollouts, diffusion.rollouts, strict=True):
            pairs = [np.linalg.norm((a - b) / (high - low)) for a in rollout for b in demonstration]
            score -= np.mean(pairs) if episode.success else 0.0
        expected.append(score)
    assert scored("success_similarity", diffusion, **FEW) == pytest.approx(expected, rel=1e-6)


def test_state_diversity_is_the_mahalanobis_distance_to_the_others(tmp_path) -> None:
    settings = diffusion_settings("policy.n_obs_steps=1", "policy.input_shapes={observation.environment_state: [7]}")
    folder = tmp_path / "checkpoint"
    policy = saved_policy(folder, settings)
    evidence = Evidence(episodes(60, 80, 70), 50.0, 0, checkpoints=[folder])
    raw = [episode.observations["observation.environment_state"][::4] for episode in evidence.demonstrations]
    embedded = [policy.normalization.normalize("observation.environment_state", torch.from_numpy(x)) for x in raw]
    embedded = [frames.double().numpy() for frames in embedded]
    expected = []
    for number, frames in enumerate(embedded):
        others = np.concatenate([each for i, each in enumerate(embedded) if i != number])
        inverse = np.linalg.inv(np.cov(others.T))
        expected.append(np.mean([np.sqrt((x - others.mean(0)) @ inverse @ (x - others.mean(0))) for x in frames]))
    assert scored("state_diversity", evidence, **FEW) == pytest.approx(expected, rel=1e-4)


def test_act_embeds_the_mean_of_what_its_decoder_reads(act, monkeypatch) -> None:
    policy = loaded(act, act_settings())
    batch, seen = window(act.demonstrations[0], 3, range(10)), []
    decode = policy.decoder.forward
    monkeypatch.setattr(
        policy.decoder, "forward", lambda q, p, memory, m: (seen.append(memory), decode(q, p, memory, m))[1]
    )
    policy.reset([0])
    policy.act(batch)  # sample_latent=false: the latent is 0
    torch.testing.assert_close(policy.embedding(batch), seen[0].mean(1))


def test_action_diversity_is_the_variance_over_latents(act) -> None:
    policy = loaded(act, act_settings())
    generator, expected = torch.Generator().manual_seed(act.seed), []
    frames = [(episode, frame) for episode in act.demonstrations for frame in range(0, len(episode), 4)]
    latents = torch.randn(len(frames) * 5, 4, generator=generator).unflatten(0, (-1, 5))
    for (episode, frame), drawn in zip(frames, latents, strict=True):
        batch = window(episode, frame, range(10))
        seen = {key: policy.normalization.normalize(key, batch[key])[:, 0] for key in policy.vector_sizes}
        chunks = [policy._predict(seen, latent[None]).detach().numpy()[0] for latent in drawn]
        expected.append(np.var(np.array(chunks, dtype=np.float64), axis=0).mean())
    counts = [len(range(0, len(episode), 4)) for episode in act.demonstrations]
    means = [np.mean(part) for part in np.split(expected, np.cumsum(counts)[:-1])]
    assert scored("action_diversity", act, samples=5, **FEW) == pytest.approx(means, rel=1e-4)


def test_diffusion_chunk_is_what_act_does_with_the_same_noise(diffusion) -> None:
    policy = loaded(diffusion, diffusion_settings())
    batch = window(diffusion.demonstrations[0], 3, policy.action_offsets(policy.settings), 2)
    policy.reset([4])
    noise = torch.randn(8, 14, generator=torch.Generator().manual_seed(4))[None]
    with torch.no_grad():
        chunk = policy.normalization.restore("action", policy.chunk(batch, noise))
    torch.testing.assert_close(policy.act(batch), chunk[:, 1:5])


def test_policy_loss_is_minus_the_training_loss(act) -> None:
    """In the mean over many draws: ACT's by its formula, with the latent's divergence, over an episode's frames."""
    policy = loaded(act, act_settings())
    draws, expected = 100, []
    generator = torch.Generator().manual_seed(9)
    for episode in act.demonstrations:
        windows = [window(episode, frame, range(10)) for frame in range(0, len(episode), 4)]
        batch = {key: torch.cat([each[key] for each in windows]) for key in windows[0]}
        seen = {key: policy.normalization.normalize(key, batch[key])[:, 0] for key in policy.vector_sizes}
        actions, valid = policy.normalization.normalize("action", batch["action"]), ~batch["action_is_pad"]
        with torch.no_grad():
            mean, log_variance = policy.vae_encoder(seen["observation.state"], actions, valid)
            total = 0.0
            for _ in range(draws):
                z = mean + torch.randn(mean.shape, generator=generator) * (0.5 * log_variance).exp()
                total += float(masked_l1(policy._predict(seen, z), actions, valid)) / draws
            expected.append(-(total + policy.settings.kl_weight * float(kl_divergence(mean, log_variance))))
    assert scored("policy_loss", act, draws=200, **FEW) == pytest.approx(expected, rel=2e-3)


def test_policy_loss_of_diffusion_is_its_error_of_the_noise(diffusion) -> None:
    """With noise and steps that are replayed."""
    policy = loaded(diffusion, diffusion_settings())
    found = scored(
        "policy_loss", Evidence(diffusion.demonstrations[:1], 50.0, 3, (), diffusion.checkpoints), draws=1, **FEW
    )
    length = len(diffusion.demonstrations[0]) - 7  # training.drop_n_last_frames
    offsets = policy.action_offsets(policy.settings)
    windows = [window(diffusion.demonstrations[0], frame, offsets, 2) for frame in range(0, length, 4)]
    batch = {key: torch.cat([each[key] for each in windows]) for key in windows[0]}
    torch.manual_seed(3)
    noise, step = torch.randn(len(windows), 8, 14), torch.randint(100, (len(windows),))
    kept = policy.scheduler.alphas_cumprod[step][:, None, None]
    noisy = kept.sqrt() * policy.normalization.normalize("action", batch["action"]) + (1 - kept).sqrt() * noise
    condition = torch.cat([policy.normalization.normalize(key, batch[key]) for key in policy.vector_sizes], -1).flatten(
        1
    )
    with torch.no_grad():
        error = (policy.unet(noisy, step, condition) - noise).square().mean()
    assert found == pytest.approx([-float(error)], rel=1e-5)


def test_compatibility_of_frames_by_hand() -> None:
    chunks = np.array(
        [[[[1.0, 2.0], [0.0, 0.0]], [[5.0, 0.0], [0.0, 0.0]]], [[[1.02, 2.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]]
    )
    actions = np.array([[[0.01, 1.0], [9.0, 9.0]], [[9.0, 9.0], [9.0, 9.0]]])
    valid = np.array([[True, False], [True, True]])
    # The first: deviations .01, 0, 0, 0; errors 1 + 1 at the one step that counts: 1 - 2 / 4. The second: no agreement.
    assert frame_scores(chunks, actions, valid, Agreement()).tolist() == pytest.approx([0.5, 1.0])
    assert frame_scores(chunks, actions, valid, Agreement(worst_loss=1.0)).tolist() == pytest.approx([0.0, 1.0])
    assert frame_scores(chunks, actions, valid, Agreement(agreement=0.002)).tolist() == [1.0, 1.0]


def test_compatibility_asks_every_checkpoint_at_latent_zero(act, capsys) -> None:
    policies = [saved_policy(folder, act_settings(), seed=number) for number, folder in enumerate(act.checkpoints)]
    expected = []
    for episode in act.demonstrations:
        of_frames = []
        for frame in range(0, len(episode), 4):
            batch = window(episode, frame, range(10))
            latent = torch.zeros(1, 4)
            chunks = [p._predict(p._now(batch), latent).detach().numpy()[0] for p in policies]
            wanted = policies[-1].normalization.normalize("action", batch["action"]).numpy()[0]
            loss = np.mean(np.square(np.mean(chunks, axis=0) - wanted).sum(1)[~batch["action_is_pad"].numpy()[0]])
            of_frames.append(1 - min(loss / 100, 1) if np.std(chunks, axis=0).mean() < 1e9 else 1)
        expected.append(np.mean(of_frames))
    found = scored("compatibility", act, agreement=1e9, worst_loss=100.0, **FEW)
    assert found == pytest.approx(expected, rel=1e-5) and len(set(found)) == 3
    assert scored("compatibility", act, agreement=1e-9) == [1, 1, 1]
    assert "all demonstrations have the score 1" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["act", "diffusion"])
def test_same_evidence_gives_the_same_bits_whatever_torch_has_drawn(request, name, kind) -> None:
    evidence = request.getfixturevalue(kind)
    before = torch.get_rng_state()
    found = scored(name, evidence, **FEW)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert found == scored(name, evidence, **FEW)
    assert len(found) == 3 and np.isfinite(found).all() and all(isinstance(score, float) for score in found)


@pytest.mark.parametrize("name", ["policy_loss", "action_diversity"])
def test_another_seed_draws_others(act, name) -> None:
    other = Evidence(act.demonstrations, 50.0, 1, act.rollouts, act.checkpoints)
    assert scored(name, act) != scored(name, other)


def test_evidence_that_does_not_suffice_is_one_line(act, tmp_path) -> None:
    folders = act.checkpoints
    failed = [episode for episode in act.rollouts if not episode.success]
    with one_line_error("none of 1 rollouts succeeded"):
        scored("success_similarity", Evidence(act.demonstrations, 50.0, 0, failed, folders))
    with one_line_error("there are no rollouts"):
        scored("success_similarity", Evidence(act.demonstrations, 50.0, 0, [], folders))
    with one_line_error("two checkpoints or more", "there are 1"):
        scored("compatibility", Evidence(act.demonstrations, 50.0, 0, (), folders[:1]))
    with one_line_error("state_diversity", "other demonstrations"):
        scored("state_diversity", Evidence(act.demonstrations[:1], 50.0, 0, (), folders))
    saved_policy(tmp_path, act_settings("policy.use_vae=false"))
    with one_line_error("policy.use_vae=false", "leave action_diversity out"):
        scored("action_diversity", Evidence(act.demonstrations, 50.0, 0, (), [tmp_path]))
    del (episode := episodes(9)[0]).observations["observation.state"]
    with one_line_error("demonstration 0", "no observation.state but observation.environment_state"):
        scored("policy_loss", Evidence([episode], 50.0, 0, (), folders))


def test_names_of_the_data_are_those_of_the_training(tmp_path, act) -> None:
    """dataset_keys renames demonstrations; rollouts have the policy's names."""
    settings = act_settings("dataset_keys={observation.state: [observation.a, observation.b]}")
    saved_policy(tmp_path, settings, seed=2)
    renamed = episodes(13, 10, 17)
    for episode in renamed:
        state = episode.observations.pop("observation.state")
        episode.observations |= {"observation.a": state[:, :4], "observation.b": state[:, 4:]}
    expected = scored("success_similarity", act, **FEW)
    assert scored("success_similarity", Evidence(renamed, 50.0, 0, act.rollouts, [tmp_path]), **FEW) == expected


def test_methods_are_imported_without_torch() -> None:
    modules = ", ".join(
        f"demo_score.methods.{name}" for name in [*NAMES, "cupid", "cupid_mean", "cupid_quality", "influence_settings"]
    )
    code = (
        f"import sys, {modules}; print([m for m in ('torch', 'scipy', 'sklearn', 'safetensors') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=WORKFLOW, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

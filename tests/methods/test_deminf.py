"""KSG against loops and a Gaussian; the autoencoders' loss by hand; draws, normalisation and what comes of them."""

import math

import numpy as np
import pytest
import torch
from conftest import one_line_error, random_episode
from demo_score.methods.autoencoders import Training, embed, loss
from demo_score.methods.base import Evidence
from demo_score.methods.deminf import METHOD, Settings, frame_means, normalised
from demo_score.methods.mutual_information import contributions, draw_batches
from demo_score.methods.vectors import chunks, states

QUICK = Settings(width=16, train_steps=20, batch=64)
EULER = 0.5772156649015329


def psi(n: int) -> float:
    """Digamma of a whole number."""
    return -EULER + sum(1 / i for i in range(1, n))


def by_loops(first: np.ndarray, second: np.ndarray, neighbours: list[int]) -> list[float]:
    added = []
    for a, b in zip(first, second, strict=True):
        near = [math.dist(a, other) for other in first]
        close = [math.dist(b, other) for other in second]
        joint = sorted(max(pair) for pair in zip(near, close, strict=True))
        terms = []
        for k in neighbours:
            counts = [sum(distance < joint[k] for distance in distances) for distances in (near, close)]
            terms.append(psi(counts[0]) + psi(counts[1]))
        added.append(-sum(terms) / len(terms))
    return added


def test_contributions_are_those_of_loops() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(40, 3)), generator.normal(size=(40, 2))
    second[:, 0] += first[:, 1]
    for neighbours in ([5, 6, 7], [1], [2, 9]):
        got = contributions(torch.from_numpy(first), torch.from_numpy(second), neighbours)
        np.testing.assert_allclose(got, by_loops(first, second, neighbours), rtol=1e-9)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_their_mean_estimates_the_mutual_information_of_a_gaussian(correlation) -> None:
    generator = np.random.default_rng(2)
    x, noise = generator.normal(size=(2, 1500, 1))
    y = correlation * x + math.sqrt(1 - correlation**2) * noise
    added = contributions(torch.from_numpy(x), torch.from_numpy(y), [5, 6, 7])
    estimate = added.mean() + np.mean([psi(k) for k in (5, 6, 7)]) + psi(1500)
    assert estimate == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.06)


def test_a_row_among_too_many_equals_is_not_judged() -> None:
    rows = torch.arange(20.0)[:, None].repeat(1, 2)
    rows[:8] = 0
    added = contributions(rows, rows, [5, 6, 7])
    np.testing.assert_array_equal(added.isnan(), np.arange(20) < 8)


def test_loss_is_squared_error_plus_divergence() -> None:
    batch, restored = np.array([[1.0, 2], [0, -1]]), np.array([[0.5, 2], [1, 1]])
    mean, deviation = np.array([[0.3], [-1.0]]), np.array([[0.5], [2.0]])
    errors = [0.25, 1 + 4]
    divergences = [math.log(1 / s) + (s**2 + m**2) / 2 - 0.5 for m, s in ((0.3, 0.5), (-1.0, 2.0))]
    expected = np.mean(errors) + 0.05 * np.mean(divergences)
    tensors = [torch.from_numpy(values) for values in (batch, restored, mean, 2 * np.log(deviation))]
    assert float(loss(*tensors, beta=0.05)) == pytest.approx(expected)


def test_an_embedding_keeps_what_varies() -> None:
    """Vectors on a line: their order along it is the embedding's, or its reverse."""
    place = torch.linspace(-1.5, 1.5, 400)[:, None]
    training = Training(width=32, beta=0.05, lr=1e-2, batch_size=64, n_steps=150)
    means = embed(place * torch.tensor([1.0, -2.0, 0.5]), 1, training, torch.Generator().manual_seed(0))
    assert means.shape == (400, 1)
    assert abs(np.corrcoef(means[:, 0], place[:, 0])[0, 1]) > 0.95


def test_passes_draw_a_share_of_each_episode_in_full_batches() -> None:
    batches = draw_batches([40, 1, 19], 3, 0.5, 10, torch.Generator().manual_seed(0))
    assert [len(batch) for batch in batches] == [10] * 9  # of 20 + 1 + 9 rows a pass
    for start in range(0, 9, 3):
        drawn = torch.cat(batches[start : start + 3])
        assert len(drawn.unique()) == 30
        assert ((drawn < 40).sum(), (drawn == 40).sum()) == (20, 1)
    assert not torch.equal(batches[0], batches[3])


def test_a_pass_that_fills_no_batch_is_one() -> None:
    batches = draw_batches([8, 6], 2, 1.0, 100, torch.Generator().manual_seed(0))
    assert [sorted(batch.tolist()) for batch in batches] == [list(range(14))] * 2


def test_values_are_clipped_and_standardised_but_for_what_is_missing() -> None:
    values = np.append(np.random.default_rng(0).normal(3, 2, 500), [1e6, -1e6, np.nan])
    low, high = np.quantile(values[:-1], [0.01, 0.99])
    clipped = values[:-1].clip(low, high)
    expected = (clipped - clipped.sum() / 502) / math.sqrt(((clipped - clipped.mean()) ** 2).sum() / 502)
    np.testing.assert_allclose(normalised(values)[:-1], expected)
    assert np.isnan(normalised(values)[-1])


def test_a_frames_score_is_the_mean_of_its_draws() -> None:
    means = frame_means(np.array([0, 2, 0, 3]), np.array([1.0, 4.0, 2.0, np.nan]), 5)
    np.testing.assert_array_equal(means, [1.5, np.nan, 4.0, np.nan, np.nan])
    assert METHOD.aggregate(np.array([1.0, np.nan, 4.0])) == 2.5


def test_chunks_hold_the_next_actions_and_repeat_the_last() -> None:
    episodes = [random_episode(6, seed=1), random_episode(4, seed=2)]
    actions = np.concatenate([episode.actions for episode in episodes]).astype(float)
    (_, rows) = chunks(episodes, 3)
    standard = (episodes[1].actions - actions.mean(0)) / actions.std(0)
    for step, row in enumerate(rows):
        expected = standard[[step, min(step + 1, 3), min(step + 2, 3)]].ravel()
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_states_are_all_vectors_and_no_image() -> None:
    episode = random_episode(7)
    episode.observations["observation.image"] = np.zeros((7, 8, 8, 3), np.uint8)
    assert states([episode])[0].shape == (7, 21)
    episode.observations = {"observation.image": np.zeros((7, 8, 8, 3), np.uint8)}
    with one_line_error("demonstration 0", "no observations but images"):
        states([episode])


def test_actions_that_follow_states_score_higher_than_random_ones() -> None:
    """Of two groups with the same spread of actions, one repeats its state's direction, the other does not."""
    episodes = [random_episode(120, seed=seed) for seed in range(8)]
    for episode in episodes:
        phase = np.random.default_rng(episode.seed).uniform(0, 2 * np.pi, 120)
        other = np.random.default_rng(episode.seed + 50).uniform(0, 2 * np.pi, 120)
        episode.observations = {"observation.state": np.stack([np.cos(phase), np.sin(phase)], 1).astype(np.float32)}
        shown = phase if episode.seed < 4 else other
        episode.actions = np.stack([np.cos(shown), np.sin(shown)], 1).astype(np.float32)
    settings = Settings(chunk=1, state_size=2, action_size=2, width=32, lr=3e-3, train_steps=150, batch=400)
    scores = [METHOD.aggregate(frames) for frames in METHOD.score(Evidence(episodes, 50, 0), settings)]
    assert min(scores[:4]) > max(scores[4:])


def test_scores_are_a_frame_each_and_follow_the_seed_alone() -> None:
    episodes = [random_episode(length, seed=length) for length in (30, 45, 60)]
    runs = []
    for seed, of_others in ((3, 1), (3, 2), (4, 1)):
        torch.manual_seed(of_others)
        runs.append(METHOD.score(Evidence(episodes, 50, seed), QUICK))
    assert [len(frames) for frames in runs[0]] == [30, 45, 60]
    np.testing.assert_array_equal(np.concatenate(runs[0]), np.concatenate(runs[1]))
    assert not np.array_equal(np.concatenate(runs[0]), np.concatenate(runs[2]), equal_nan=True)


def test_too_few_frames_are_one_line() -> None:
    with one_line_error("deminf", "draws 5 frames", "7 neighbours"):
        METHOD.score(Evidence([random_episode(10)], 50, 0), QUICK)


def test_a_demonstration_that_no_pass_could_judge_is_one_line() -> None:
    still = random_episode(40)
    still.observations = {key: np.zeros_like(values) for key, values in still.observations.items()}
    still.actions = np.zeros_like(still.actions)
    with one_line_error("demonstration 1", "can tell of none of its 40 steps"):
        METHOD.score(Evidence([random_episode(40), still], 50, 0), QUICK)

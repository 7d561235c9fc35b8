"""SCIZOR's formula by loops with given probabilities; the pairs that are drawn; what the classifier learns."""

import math

import numpy as np
import pytest
import torch
from conftest import one_line_error, random_episode
from demo_score.methods.base import Evidence
from demo_score.methods.elapsed_time import Training, draw_pairs, expected_bins
from demo_score.methods.scizor import METHOD, Settings, elapsed_steps, fractional_bins, suboptimality

BINS = [(0, 0.5), (0.5, 1), (1, 2), (2, 5), (5, 10000)]
QUICK = Settings(width=16, train_steps=20, train_batch=64)
WIDE = Settings(width=128, train_steps=20)


def true_bin(seconds: float) -> float:
    for number, (start, end) in enumerate(BINS):
        if start <= seconds < end:
            return min(max(number + (seconds - start) / (end - start) - 0.5, 0), 4)
    raise AssertionError


def by_loops(probabilities: np.ndarray, fps: float, window: int, mix: float) -> list[float]:
    """Of an episode with bin probabilities (T, 5): V, its windows' means, blame backwards, the mix with the mean."""
    length = len(probabilities)
    values = []
    for step, chances in enumerate(probabilities):
        elapsed = min(step + window, length - 1) - step
        expected = sum(number * chance for number, chance in enumerate(chances))
        values.append(min(max((true_bin(elapsed / fps) - expected) / max(elapsed, 1), 0), 1))
    scores = []
    for step in range(length):
        holding = [values[start] for start in range(length) if start <= step < start + window]
        scores.append(sum(holding) / len(holding))
    for step in reversed(range(1, length)):
        scores[step - 1] += 0.5 ** (1 / fps) * scores[step]
    mean = sum(scores) / length
    return [mix * mean + (1 - mix) * score for score in scores]


@pytest.mark.parametrize("seconds", [0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3.5, 4.99, 5, 60])
def test_true_bins_are_fractional(seconds) -> None:
    assert fractional_bins(np.array([seconds]))[0] == pytest.approx(true_bin(seconds))


def test_true_bins_at_places_worked_out_by_hand() -> None:
    np.testing.assert_allclose(
        fractional_bins(np.array([0, 0.25, 0.5, 1.5, 2.0, 3.5, 5.0])), [0, 0, 0.5, 2, 2.5, 3, 3.5]
    )


@pytest.mark.parametrize(("length", "fps", "seconds", "mix"), [(60, 10, 2, 0.5), (12, 10, 2, 0.2), (90, 25, 0.5, 0)])
def test_suboptimality_is_that_of_loops(length, fps, seconds, mix) -> None:
    probabilities = np.random.default_rng(length).dirichlet(np.full(5, 0.4), length)
    window = int(seconds * fps)
    steps = elapsed_steps(length, fps, seconds)
    got = suboptimality(steps, probabilities @ np.arange(5), fps, window, mix)
    np.testing.assert_allclose(got, by_loops(probabilities, fps, window, mix), rtol=1e-12)
    assert got.max() > 0


def test_one_slow_pair_is_blamed_on_its_window_and_on_what_led_there() -> None:
    """20 frames at 10 Hz, pairs 5 steps apart: V = (.5 - 0) / 5 = .1 at step 10 alone."""
    expected = np.full(20, 4.0)
    expected[10] = 0
    scores = suboptimality(elapsed_steps(20, 10, 0.5), expected, 10, 5, 0)
    held = np.zeros(20)
    held[10:15] = 0.1 / 5
    decay = 0.5**0.1
    for step in range(20):
        assert scores[step] == pytest.approx(sum(held[later] * decay ** (later - step) for later in range(step, 20)))
    assert not scores[15:].any()


def test_pairs_lie_in_one_episode_and_times_fall_in_all_bins_alike() -> None:
    lengths = [400, 5, 300]
    first, later = draw_pairs(lengths, 50, 20000, torch.Generator().manual_seed(0))
    ends = np.cumsum(lengths)
    owners = [np.searchsorted(ends, rows, side="right") for rows in (first.numpy(), later.numpy())]
    np.testing.assert_array_equal(*owners)
    np.testing.assert_allclose(np.bincount(owners[0]) / 20000, np.array(lengths) / 705, atol=0.015)
    assert (later >= first).all()
    seconds = ((later - first) / 50).numpy()[owners[0] == 0]
    counts = np.histogram(seconds, [0, 0.5, 1, 2, 5, 1000])[0] / len(seconds)
    np.testing.assert_allclose(counts, 0.2, atol=0.02)
    # Evenly within a bin: of those of 2 to 5 s, half are below 3.5 s.
    within = seconds[(seconds >= 2) & (seconds < 5)]
    assert np.mean(within < 3.5) == pytest.approx(0.5, abs=0.03)


def test_starts_leave_their_time_room() -> None:
    first, later = draw_pairs([200], 50, 5000, torch.Generator().manual_seed(1))
    short = (later - first) < 25
    assert first[short].max() > 190 - 25 and first.min() == 0
    assert later.max() == 199


def test_the_classifier_learns_times_from_states() -> None:
    states = [torch.arange(400.0)[:, None] / 100] * 6
    elapsed = [elapsed_steps(400, 50, 2)] * 6
    training = Training(width=32, lr=3e-3, weight_decay=1e-3, batch_size=256, n_steps=400)
    (bins, *_) = expected_bins(states, elapsed, 50, training, seed=0)
    assert bins[:250] == pytest.approx(2.5, abs=0.7)  # 2 s lie between bins 2 and 3
    assert bins[-5:].max() < 0.5


def test_who_progresses_slowly_scores_lower() -> None:
    """Four advance at one pace; two stop on the way for 3 seconds."""
    episodes = [random_episode(300, seed=seed) for seed in range(6)]
    for episode in episodes:
        place = np.arange(300, dtype=float)
        if episode.seed >= 4:
            place = np.concatenate([place[:100], np.full(150, 100), place[100:150]])
        episode.observations = {"observation.state": (place[:, None] / 100).astype(np.float32)}
    settings = Settings(width=32, lr=3e-3, train_steps=400, train_batch=256)
    scores = [METHOD.aggregate(frames) for frames in METHOD.score(Evidence(episodes, 50, 0), settings)]
    assert max(scores[4:]) < min(scores[:4])


def test_scores_are_a_frame_each_at_most_0_and_follow_the_seed_alone() -> None:
    episodes = [random_episode(length, seed=length) for length in (30, 2, 60)]
    runs = []
    for seed, of_others in ((3, 1), (3, 2), (4, 1)):
        torch.manual_seed(of_others)
        runs.append(METHOD.score(Evidence(episodes, 10, seed), QUICK))
    assert [len(frames) for frames in runs[0]] == [30, 2, 60]
    assert all((frames <= 0).all() and math.isfinite(frames.sum()) for frames in runs[0])
    np.testing.assert_array_equal(np.concatenate(runs[0]), np.concatenate(runs[1]))
    assert not np.array_equal(np.concatenate(runs[0]), np.concatenate(runs[2]))


def test_bits_do_not_depend_on_the_callers_threads() -> None:
    episodes = [random_episode(500, seed=seed) for seed in range(4)]
    before, runs = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            runs.append(np.concatenate(METHOD.score(Evidence(episodes, 50, 0), WIDE)))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*runs)


def test_an_episode_in_which_no_time_elapses_is_one_line() -> None:
    with one_line_error("demonstration 1", "has 1 step"):
        METHOD.score(Evidence([random_episode(20), random_episode(1)], 50, 0), QUICK)

"""Training batches: chunks end with their episode, and everything is checked before training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import one_line_error, random_episode
from demo_score.data.chunks import ChunkSampler
from demo_score.data.episodes import Episode

KEYS = ["observation.state"]
LENGTHS = [3, 8, 1, 5]
CHUNK = 4


def numbered_episodes() -> list[Episode]:
    """Episode e's frame t has action and observation 100 e + t in every feature."""
    episodes = []
    for number, length in enumerate(LENGTHS):
        values = (100 * number + np.arange(length, dtype=np.float32))[:, None]
        episode = random_episode(length, seed=number)
        episodes.append(replace(episode, observations={KEYS[0]: values}, actions=np.repeat(values, 2, axis=1)))
    return episodes


def sampler(**options) -> ChunkSampler:
    return ChunkSampler(numbered_episodes(), KEYS, CHUNK, **options)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_chunk_follows_its_observation_and_ends_with_its_episode() -> None:
    batch = sampler().sample(500, seeded())
    assert batch["action"].shape == (500, CHUNK, 2) and batch["action_is_pad"].shape == (500, CHUNK)
    frames = batch[KEYS[0]][:, 0].int().tolist()
    for frame, actions, is_pad in zip(frames, batch["action"], batch["action_is_pad"], strict=True):
        number, start = divmod(frame, 100)
        wanted = [start + offset for offset in range(CHUNK)]
        last = LENGTHS[number] - 1
        assert is_pad.tolist() == [time > last for time in wanted]
        assert actions[:, 0].tolist() == [100 * number + min(time, last) for time in wanted]
        assert torch.equal(actions[:, 0], actions[:, 1])


def test_every_frame_is_as_likely_as_any_other() -> None:
    frames = sampler().sample(17_000, seeded())[KEYS[0]][:, 0]
    values, counts = frames.unique(return_counts=True)
    assert len(sampler()) == len(values) == sum(LENGTHS)
    assert ((counts - 1000).abs() < 150).all()  # five standard deviations


def test_start_fraction_of_a_batch_comes_from_the_start_of_episodes() -> None:
    batch = sampler(start_fraction=0.5, start_frames=1).sample(200, seeded())
    within = batch[KEYS[0]][:, 0] % 100
    assert (within[:100] == 0).all()
    assert (within[100:] > 0).any()
    starts = batch[KEYS[0]][:100, 0].unique().tolist()
    assert starts == [0, 100, 200, 300]


def test_without_start_fraction_the_number_of_start_frames_changes_nothing() -> None:
    first, second = (sampler(start_frames=n).sample(50, seeded()) for n in (1, 5))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_same_generator_gives_the_same_batches() -> None:
    data = sampler(start_fraction=0.2)
    first, second = seeded(3), seeded(3)
    for _ in range(3):
        batches = data.sample(16, first), data.sample(16, second)
        assert all(torch.equal(batches[0][key], batches[1][key]) for key in batches[0])
    assert not torch.equal(data.sample(16, first)[KEYS[0]], data.sample(16, seeded(4))[KEYS[0]])


def test_statistics_are_those_of_all_frames() -> None:
    episodes = [random_episode(length, seed=length) for length in (4, 30)]
    keys = ["observation.state", "observation.environment_state"]
    statistics = ChunkSampler(episodes, keys, CHUNK).statistics()
    assert list(statistics) == [*keys, "action"]
    arrays = {key: np.concatenate([episode.observations[key] for episode in episodes]) for key in keys}
    arrays["action"] = np.concatenate([episode.actions for episode in episodes])
    for key, values in arrays.items():
        np.testing.assert_allclose(statistics[key][0], values.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(statistics[key][1], values.std(axis=0, ddof=1), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_reported(bad) -> None:
    episodes = [random_episode(4, seed=6), random_episode(4, seed=7)]
    episodes[1].actions[2, 3] = bad
    with one_line_error("episode 1", "seed 7", "NaN or infinite"):
        ChunkSampler(episodes, KEYS, CHUNK)


def test_missing_observation_is_reported_with_those_there_are() -> None:
    with one_line_error("episode 0", "observation.force", "observation.environment_state", "policy.input_shapes"):
        ChunkSampler([random_episode(4)], ["observation.force"], CHUNK)


@pytest.mark.parametrize("name", ["observation.state", "action"])
def test_episodes_of_different_sizes_are_reported(name) -> None:
    odd = random_episode(4)
    if name == "action":
        odd.actions = odd.actions[:, :6]
    else:
        odd.observations[name] = odd.observations[name][:, :6]
    with one_line_error("episode 1", name, "(6,)"):
        ChunkSampler([random_episode(4), odd], KEYS, CHUNK)


def test_digest_changes_with_whatever_changes_batches() -> None:
    changed_action, changed_observation, cut = numbered_episodes(), numbered_episodes(), numbered_episodes()
    changed_action[1].actions[0, 0] += 1
    changed_observation[3].observations[KEYS[0]][4, 0] += 1
    joined = [replace(episode) for episode in cut]
    joined[0] = replace(
        cut[0],
        observations={KEYS[0]: np.concatenate([cut[0].observations[KEYS[0]], cut[1].observations[KEYS[0]]])},
        actions=np.concatenate([cut[0].actions, cut[1].actions]),
        rewards=np.concatenate([cut[0].rewards, cut[1].rewards]),
    )
    del joined[1]
    samplers = [
        sampler(),
        sampler(start_fraction=0.5),
        sampler(start_frames=2),
        ChunkSampler(numbered_episodes(), KEYS, CHUNK + 1),
        *(ChunkSampler(episodes, KEYS, CHUNK) for episodes in (changed_action, changed_observation, joined)),
    ]
    assert len({data.digest() for data in samplers}) == len(samplers)
    assert sampler().digest() == sampler().digest()

"""Training batches: chunks end with their episode, and everything is checked before training."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import one_line_error, random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.images import prepare_observations
from demo_score.training import chunks
from demo_score.training.chunks import ChunkDataset

KEYS = ["observation.state"]
IMAGE = "observation.images.top"
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


def dataset(n_obs_steps: int = 1, offsets: range = range(CHUNK), **options) -> ChunkDataset:
    return ChunkDataset(numbered_episodes(), KEYS, n_obs_steps, offsets, **options)


def sample(data: ChunkDataset, batch_size: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    return data.__getitems__(data.draw(batch_size, generator))


def number_and_time(values: torch.Tensor) -> tuple[int, int]:
    """Of what the current observation, the last one, holds."""
    return divmod(int(values[-1, 0]), 100)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_chunk_follows_its_observation_and_ends_with_its_episode() -> None:
    batch = sample(dataset(), 500, seeded())
    assert batch["action"].shape == (500, CHUNK, 2) and batch["action_is_pad"].shape == (500, CHUNK)
    assert batch[KEYS[0]].shape == (500, 1, 1)
    for seen, actions, is_pad in zip(batch[KEYS[0]], batch["action"], batch["action_is_pad"], strict=True):
        number, start = number_and_time(seen)
        wanted = [start + offset for offset in range(CHUNK)]
        last = LENGTHS[number] - 1
        assert is_pad.tolist() == [time > last for time in wanted]
        assert actions[:, 0].tolist() == [100 * number + min(time, last) for time in wanted]
        assert torch.equal(actions[:, 0], actions[:, 1])


def test_what_lies_before_the_episode_repeats_its_first_step() -> None:
    offsets = range(-2, 3)
    batch = sample(dataset(n_obs_steps=3, offsets=offsets), 500, seeded())
    assert batch[KEYS[0]].shape == (500, 3, 1)
    for seen, actions, is_pad in zip(batch[KEYS[0]], batch["action"], batch["action_is_pad"], strict=True):
        number, now = number_and_time(seen)
        first, last = 100 * number, 100 * number + LENGTHS[number] - 1
        assert seen[:, 0].tolist() == [max(first + now + offset, first) for offset in (-2, -1, 0)]
        wanted = [first + now + offset for offset in offsets]
        assert actions[:, 0].tolist() == [min(max(time, first), last) for time in wanted]
        assert is_pad.tolist() == [not first <= time <= last for time in wanted]


def test_last_frames_are_left_out_where_asked() -> None:
    data = dataset(drop_n_last_frames=3, start_fraction=0.5)
    drawn = sample(data, 500, seeded())[KEYS[0]][:, 0, 0].unique().tolist()
    assert drawn == [100, 101, 102, 103, 104, 300, 301]  # episodes 0 and 2 have no more than three frames
    assert len(data) == sum(LENGTHS)


def test_episodes_without_a_frame_to_draw_are_reported() -> None:
    with one_line_error("more than 8 frames", "training.drop_n_last_frames"):
        dataset(drop_n_last_frames=8)


def test_every_frame_is_as_likely_as_any_other() -> None:
    frames = sample(dataset(), 17_000, seeded())[KEYS[0]][:, 0, 0]
    values, counts = frames.unique(return_counts=True)
    assert len(dataset()) == len(values) == sum(LENGTHS)
    assert ((counts - 1000).abs() < 150).all()  # five standard deviations


def test_start_fraction_of_a_batch_comes_from_the_start_of_episodes() -> None:
    batch = sample(dataset(start_fraction=0.5, start_frames=1), 200, seeded())
    within = batch[KEYS[0]][:, 0, 0] % 100
    assert (within[:100] == 0).all()
    assert (within[100:] > 0).any()
    starts = batch[KEYS[0]][:100, 0, 0].unique().tolist()
    assert starts == [0, 100, 200, 300]


def test_without_start_fraction_the_number_of_start_frames_changes_nothing() -> None:
    first, second = (sample(dataset(start_frames=n), 50, seeded()) for n in (1, 5))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_draws_are_those_of_published_results() -> None:
    data, generator = dataset(start_fraction=0.25), seeded(3)
    draws = [data.draw(8, generator).tolist() for _ in range(2)]
    again = seeded(3)
    for drawn in draws:
        expected = torch.randint(sum(LENGTHS), (8,), generator=again).tolist()
        starts = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16]  # the first five frames of each episode
        expected[:2] = [starts[choice] for choice in torch.randint(len(starts), (2,), generator=again)]
        assert drawn == expected


def test_same_generator_gives_the_same_batches() -> None:
    data = dataset(start_fraction=0.2)
    first, second = seeded(3), seeded(3)
    for _ in range(3):
        batches = sample(data, 16, first), sample(data, 16, second)
        assert all(torch.equal(batches[0][key], batches[1][key]) for key in batches[0])
    assert not torch.equal(sample(data, 16, first)[KEYS[0]], sample(data, 16, seeded(4))[KEYS[0]])


def test_statistics_are_those_of_all_frames() -> None:
    episodes = [random_episode(length, seed=length) for length in (4, 30)]
    keys = ["observation.state", "observation.environment_state"]
    statistics = ChunkDataset(episodes, keys, 1, range(CHUNK)).statistics()
    assert list(statistics) == [*keys, "action"]
    arrays = {key: np.concatenate([episode.observations[key] for episode in episodes]) for key in keys}
    arrays["action"] = np.concatenate([episode.actions for episode in episodes])
    for key, values in arrays.items():
        np.testing.assert_allclose(statistics[key].mean, values.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(statistics[key].std, values.std(axis=0, ddof=1), rtol=1e-6)
        np.testing.assert_array_equal(statistics[key].min, values.min(axis=0))
        np.testing.assert_array_equal(statistics[key].max, values.max(axis=0))


def with_images() -> list[Episode]:
    """Image t of episode e is filled with 10 e + t."""
    episodes = numbered_episodes()
    for number, episode in enumerate(episodes):
        values = (10 * number + np.arange(len(episode), dtype=np.uint8))[:, None, None, None]
        episode.observations[IMAGE] = np.broadcast_to(values, (len(episode), 4, 6, 3)).copy()
    return episodes


@pytest.mark.parametrize("stored", [False, True])
def test_images_are_those_of_their_observations(tmp_path, stored) -> None:
    episodes = with_images()
    if stored:
        write_episodes(tmp_path / "episodes.hdf5", episodes, {})
        episodes = read_episodes(tmp_path / "episodes.hdf5")
    data = ChunkDataset(episodes, [*KEYS, IMAGE], 2, range(CHUNK))
    batch = sample(data, 50, seeded())
    assert batch[IMAGE].shape == (50, 2, 4, 6, 3) and batch[IMAGE].dtype == torch.uint8
    numbers, times = batch[KEYS[0]][..., 0] // 100, batch[KEYS[0]][..., 0] % 100
    expected = (10 * numbers + times)[..., None, None, None].expand(batch[IMAGE].shape)
    assert torch.equal(batch[IMAGE].float(), expected)
    assert list(data.statistics()) == [*KEYS, "action"]


def test_prepared_images_have_channels_first_and_lie_between_0_and_1() -> None:
    images = torch.randint(256, (2, 3, 4, 6, 3), dtype=torch.uint8)
    prepared = prepare_observations({IMAGE: images, KEYS[0]: torch.ones(2, 3, 14, dtype=torch.float64)})
    assert prepared[IMAGE].shape == (2, 3, 3, 4, 6)
    assert torch.equal(prepared[IMAGE][1, 2, 0], images[1, 2, :, :, 0] / 255)
    assert (prepared[IMAGE] * 255).max() == images.max()
    assert {values.dtype for values in prepared.values()} == {torch.float32}
    assert torch.equal(prepared[KEYS[0]], torch.ones(2, 3, 14))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_reported(bad) -> None:
    episodes = [random_episode(4, seed=6), random_episode(4, seed=7)]
    episodes[1].actions[2, 3] = bad
    with one_line_error("episode 1", "seed 7", "NaN or infinite"):
        ChunkDataset(episodes, KEYS, 1, range(CHUNK))


def test_missing_observation_is_reported_with_those_there_are() -> None:
    with one_line_error("episode 0", "observation.force", "observation.environment_state", "policy.input_shapes"):
        ChunkDataset([random_episode(4)], ["observation.force"], 1, range(CHUNK))


@pytest.mark.parametrize("name", ["observation.state", "action"])
def test_episodes_of_different_sizes_are_reported(name) -> None:
    odd = random_episode(4)
    if name == "action":
        odd.actions = odd.actions[:, :6]
    else:
        odd.observations[name] = odd.observations[name][:, :6]
    with one_line_error("episode 1", name, "(6,)"):
        ChunkDataset([random_episode(4), odd], KEYS, 1, range(CHUNK))


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
    images, changed_image = with_images(), with_images()
    changed_image[2].observations[IMAGE][0, 0, 0, 0] += 1
    datasets = [
        dataset(),
        dataset(start_fraction=0.5),
        dataset(start_frames=2),
        dataset(drop_n_last_frames=1),
        dataset(n_obs_steps=2),
        dataset(offsets=range(CHUNK + 1)),
        dataset(offsets=range(-1, CHUNK - 1)),
        *(ChunkDataset(changed, KEYS, 1, range(CHUNK)) for changed in (changed_action, changed_observation, joined)),
        *(ChunkDataset(episodes, [*KEYS, IMAGE], 1, range(CHUNK)) for episodes in (images, changed_image)),
    ]
    assert len({data.digest() for data in datasets}) == len(datasets)
    assert dataset().digest() == dataset().digest()


def test_digest_changes_with_the_file_that_holds_the_images(tmp_path) -> None:
    path = tmp_path / "episodes.hdf5"
    digests = []
    for changed in (0, 0, 1):
        episodes = with_images()
        episodes[0].observations[IMAGE][0, 0, 0] += changed
        write_episodes(path, episodes, {})
        os.utime(path, (changed, changed))
        digests.append(ChunkDataset(read_episodes(path), [IMAGE], 1, range(CHUNK)).digest())
    assert digests[0] == digests[1] != digests[2]


def test_statistics_of_pixels_are_those_of_frames_all_over_the_episodes(monkeypatch) -> None:
    """Of all frames, and of as many as are looked at."""
    generator = np.random.default_rng(0)
    episodes = [random_episode(length) for length in (30, 51)]
    for episode in episodes:
        episode.observations["observation.image"] = generator.integers(0, 256, (len(episode), 4, 5, 3), dtype=np.uint8)
    data = ChunkDataset(episodes, ["observation.state", "observation.image"], 1, range(3))
    assert "observation.image" not in data.statistics()
    images = np.concatenate([episode.observations["observation.image"] for episode in episodes])
    for n_images, seen in ((100, images), (9, images[::10])):
        monkeypatch.setattr(chunks, "N_IMAGES", n_images)
        found = data.statistics(["observation.image"])["observation.image"]
        expected = np.moveaxis(seen / 255, -1, 1)
        np.testing.assert_allclose(found.mean, expected.mean(0), rtol=1e-5)
        np.testing.assert_allclose(found.std, expected.std(0, ddof=1), rtol=1e-4)

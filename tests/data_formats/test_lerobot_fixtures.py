"""Data sets that the real lerobot wrote (tests/data/README.md) are read as what they were made of."""

import numpy as np
import pytest
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from fixture_content import CAMERA, CHECKPOINTS, Content, demonstrations, rollouts, small_episodes
from places import TESTS

DATA = TESTS / "data"
STATE = "observation.state"


def assert_holds(episode: Episode, expected: Content, number: int) -> None:
    np.testing.assert_array_equal(episode.observations[STATE], expected.state, strict=True)
    np.testing.assert_array_equal(episode.actions, expected.action, strict=True)
    found = (episode.success, episode.task, episode.seed, episode.strategy, episode.checkpoint)
    assert found == (expected.success, expected.task, number, None, None)


@pytest.mark.parametrize(
    ("name", "version", "image_error"),
    [("lerobot_v3.0", "v3.0", 2.5), ("lerobot_v3.0_images", "v3.0", 0), ("lerobot_v2.1", "v2.1", 2.5)],
)
def test_episodes_with_a_camera_are_read_exactly(name, version, image_error) -> None:
    dataset = open_dataset(DATA / name)
    assert (dataset.format, dataset.version, dataset.fps, dataset.episode_indices) == (
        "lerobot",
        version,
        10,
        [0, 1, 2],
    )
    assert dataset.features() == {STATE: (4,), CAMERA: (64, 64, 3), "action": (3,)}
    for number, (episode, expected) in enumerate(zip(dataset.read(), small_episodes(), strict=True)):
        assert_holds(episode, expected, number)
        np.testing.assert_array_equal(episode.rewards, expected.reward, strict=True)
        errors = np.abs(episode.observations[CAMERA][:].astype(float) - expected.images).mean(axis=(1, 2, 3))
        assert errors.max() <= image_error


def test_frames_next_to_each_other_differ_by_more_than_a_codec_loses() -> None:
    for episode in small_episodes():
        assert np.abs(np.diff(episode.images.astype(float), axis=0)).mean(axis=(1, 2, 3)).min() > 5


@pytest.mark.parametrize("folder", ["demonstrations", *(f"rollouts_{checkpoint}" for checkpoint in CHECKPOINTS)])
def test_reaches_are_read_exactly(folder) -> None:
    dataset = open_dataset(DATA / "bring_your_own" / folder)
    assert dataset.features() == {STATE: (4,), "action": (2,)}
    expected = demonstrations() if folder == "demonstrations" else rollouts(folder.removeprefix("rollouts_"))
    for number, (episode, content) in enumerate(zip(dataset.read(), expected, strict=True)):
        assert_holds(episode, content, number)
        assert episode.rewards is None


def test_reaches_over_the_top_succeed_and_those_underneath_fail() -> None:
    assert [sum(episode.way == way for episode in demonstrations()) for way in ("over", "under")] == [12, 12]
    assert all(episode.success for episode in demonstrations())
    for checkpoint in CHECKPOINTS:
        for way, low, high in (("over", 0.8, 1), ("under", 0, 0.25)):
            outcomes = [episode.success for episode in rollouts(checkpoint) if episode.way == way]
            assert len(outcomes) == 15 and low <= np.mean(outcomes) <= high
    for episode in demonstrations() + rollouts(CHECKPOINTS[0]):
        assert (episode.state[:, 1].mean() > 0.1) == (episode.way == "over")

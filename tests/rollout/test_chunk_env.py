"""An environment that takes chunks of actions: which images it renders, and what it does when its episode is over."""

import numpy as np
import pytest
from conftest import one_line_error
from demo_score.envs.base import Environment
from demo_score.rollout.chunk_env import LOOKS, ChunkEnv
from rollout_policies import IMAGE


class Counter(Environment):
    """Counts its steps, in its observation and in its image; ends with its `length`th step."""

    def __init__(self, length: int):
        super().__init__({"obs_type": "pixels_agent_pos", "state_dim": 1, "action_dim": 1, "image_size": 1})
        self.length, self.rendered = length, []

    def reset(self, *, seed=None, options=None):
        self.count = 0
        return self._observation(), {}

    def step(self, action):
        self.count += 1
        return self._observation(), 1.0, self.count == self.length, False, {"is_success": self.count == self.length}

    def images(self):
        self.rendered.append(self.count)
        return {IMAGE: np.full((1, 1, 3), self.count, np.uint8)}

    def _observation(self):
        return {"observation.state": np.array([self.count], np.float32)}


@pytest.mark.parametrize(
    ("n_obs_steps", "record_images", "rendered"),
    [
        (1, False, [0, 4, 8]),
        (2, False, [0, 3, 4, 7, 8]),
        (5, False, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (1, LOOKS, [0, 4, 8]),
        (2, LOOKS, [0, 3, 4, 7, 8]),
        (1, True, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_images_are_rendered_only_where_the_policy_looks_or_they_are_stored(n_obs_steps, record_images, rendered):
    """Chunks of four, of which the last is cut short; no one looks at what follows the last action."""
    counter = Counter(length=10)
    env = ChunkEnv(counter, n_obs_steps, record_images)
    env.reset(seed=1)
    for expected in (4, 8, None):
        observation, *_, info = env.step(np.zeros((4, 1)))
        assert env.observation_space.contains(observation)
        if expected is not None:
            steps = np.arange(expected - n_obs_steps + 1, expected + 1).clip(0)
            np.testing.assert_array_equal(observation["observation.state"][:, 0], steps)
            np.testing.assert_array_equal(observation[IMAGE][:, 0, 0, 0], steps)
    assert info == {"done": True, "success": True}
    assert counter.rendered == rendered
    episode = env.episode()
    assert (len(episode), episode.success, list(episode.rewards)) == (10, True, [1.0] * 10)
    if record_images:
        images = episode.observations[IMAGE]
        np.testing.assert_array_equal(images.steps, rendered)
        np.testing.assert_array_equal(images[rendered][:, 0, 0, 0], rendered)
        if missing := sorted({*range(10)} - {*rendered}):
            with one_line_error(f"step {missing[0]} was not drawn", "eval.record_images=true"):
                images[:]


def test_a_finished_or_idle_environment_does_nothing() -> None:
    counter = Counter(length=3)
    env = ChunkEnv(counter, n_obs_steps=1)
    env.reset(seed=1)
    env.step(np.zeros((4, 1)))
    before = env.step(np.zeros((4, 1)))
    assert (counter.count, before[4]) == (3, {"done": True, "success": True})
    assert len(env.episode()) == 3
    idle, _ = env.reset()
    assert (env.episode(), env.step(np.zeros((4, 1)))[4]["done"], counter.count) == (None, True, 3)
    assert env.observation_space.contains(idle)

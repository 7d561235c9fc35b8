"""A user's own environment, from a package gym_<name>, as the guide describes it."""

import sys
import textwrap

import gymnasium
import numpy as np
import pytest
from conftest import one_line_error
from demo_score.data.episodes import Episode
from demo_score.envs import make_env
from demo_score.rollout.environments import EnvironmentMaker
from demo_score.rollout.loop import RolloutOptions, rollout
from torch import Tensor, nn, zeros

GUIDE = {"name": "my_env", "task": "MyTask-v0", "state_dim": 10, "action_dim": 5, "fps": 25, "episode_length": 200}
IMAGES = {"image_size": [4, 6], "obs_type": "pixels_agent_pos"}

PACKAGE = """
    import gymnasium, numpy as np
    from gymnasium import spaces

    numbers = lambda size: spaces.Box(-1, 1, (size,), np.float64)
    image = spaces.Box(0, 255, (4, 6, 3), np.uint8)
    OBSERVATIONS = {
        "state": numbers(10),
        "environment_state_agent_pos": spaces.Dict(agent_pos=numbers(10), environment_state=numbers(3)),
        "pixels": image,
        "pixels_agent_pos": spaces.Dict(agent_pos=numbers(10), pixels=image),
        "two_cameras": spaces.Dict(agent_pos=numbers(10), pixels=spaces.Dict(left=image, right=image)),
        "floats": spaces.Dict(agent_pos=numbers(10), pixels=spaces.Box(0, 1, (4, 6, 3), np.float32)),
    }

    class MyTask(gymnasium.Env):
        metadata = {"render_modes": [], "render_fps": 25}

        def __init__(self, obs_type="state", tells_success=True, succeeds_at=None):
            self.observation_space, self.action_space = OBSERVATIONS[obs_type], spaces.Box(-1, 1, (5,))
            self.tells_success, self.succeeds_at = tells_success, succeeds_at

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.observation_space.seed(seed)
            self.steps = 0
            return self.observation_space.sample(), {}

        def step(self, action):
            self.steps += 1
            success = self.steps == self.succeeds_at
            info = {"is_success": success} if self.tells_success else {}
            return self.observation_space.sample(), 0.5, success, False, info

    class Discrete(MyTask):
        def __init__(self):
            super().__init__()
            self.action_space = spaces.Discrete(5)

    gymnasium.register("gym_my_env/MyTask-v0", MyTask)
    gymnasium.register("gym_my_env/Discrete-v0", Discrete)
"""


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch) -> None:
    """gym_my_env can be imported in this test, here and in other processes."""
    (tmp_path / "gym_my_env.py").write_text(textwrap.dedent(PACKAGE))
    (tmp_path / "gym_needy.py").write_text("import a_package_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    sys.modules.pop("gym_my_env", None)
    for name in [name for name in gymnasium.registry if name.startswith("gym_my_env/")]:
        del gymnasium.registry[name]


class Still(nn.Module):
    """A policy that asks for four actions of zero at a time."""

    def reset(self, seeds: list[int]) -> None:
        self.n = len(seeds)

    def act(self, observations: dict[str, Tensor]) -> Tensor:
        return zeros(self.n, 4, 5)


def roll_out(settings: dict, seeds: list[int], use_async_envs: bool = False) -> list[Episode]:
    return rollout(Still(), EnvironmentMaker(settings), seeds, RolloutOptions(2, use_async_envs))


def test_the_guide_s_settings_make_the_environment_of_that_package() -> None:
    env = make_env(GUIDE)
    observation, _ = env.reset(seed=1)
    assert list(observation) == ["observation.state"]
    assert observation["observation.state"].dtype == np.float32
    assert env.observation_space.contains(observation)
    assert env.images() == {}
    assert env.env.unwrapped.__class__.__module__ == "gym_my_env"


def test_it_truncates_after_episode_length() -> None:
    env = make_env(GUIDE | {"episode_length": 3})
    env.reset(seed=1)
    assert [env.step(np.zeros(5))[3] for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("settings", "numbers", "images"),
    [
        ({"obs_type": "environment_state_agent_pos", "environment_state_dim": 3}, ["environment_state", "state"], []),
        ({"obs_type": "environment_state_agent_pos"}, ["state"], []),
        (IMAGES | {"obs_type": "pixels"}, [], ["image"]),
        (IMAGES, ["state"], ["image"]),
        (IMAGES | {"gym": {"obs_type": "two_cameras"}, "cameras": ["left"]}, ["state"], ["images.left"]),
        (
            IMAGES | {"gym": {"obs_type": "two_cameras"}, "cameras": ["right", "left"]},
            ["state"],
            ["images.left", "images.right"],
        ),
    ],
)
def test_observations_are_named_as_lerobot_names_them(settings, numbers, images) -> None:
    """Those that the settings observe: a camera that they do not name is left out."""
    env = make_env(GUIDE | settings)
    observation, _ = env.reset(seed=1)
    assert sorted(observation) == [f"observation.{key}" for key in numbers]
    assert sorted(env.images()) == [f"observation.{key}" for key in images]
    assert env.observation_space.contains(observation)
    assert env.image_space.contains(env.images())


def test_cameras_are_not_mixed_up() -> None:
    env = make_env(GUIDE | IMAGES | {"gym": {"obs_type": "two_cameras"}, "cameras": ["right", "left"]})
    env.reset(seed=1)
    np.testing.assert_array_equal(env.images()["observation.images.left"], env._observation["observation.images.left"])
    raw, _ = env.env.reset(seed=1)
    np.testing.assert_array_equal(env.images()["observation.images.left"], raw["pixels"]["left"])
    np.testing.assert_array_equal(env.images()["observation.images.right"], raw["pixels"]["right"])


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"name": "moon"}, ["'moon'", "aloha, pusht", "gym_moon", "PYTHONPATH"]),
        ({"name": "needy"}, ["gym_needy", "a_package_that_is_not_there"]),
        ({"task": "Other-v0"}, ["gym_my_env/Other-v0", "gym_my_env/MyTask-v0, gym_my_env/Discrete-v0"]),
        ({"task": "Discrete-v0"}, ["actions must be vectors", "Discrete(5)"]),
        ({"state_dim": 9}, ["env.state_dim=10"]),
        ({"action_dim": 6}, ["env.action_dim=5"]),
        ({"environment_state_dim": 3}, ["observation.environment_state", "observes observation.state"]),
        ({"fps": 30}, ["25 steps a second", "set fps=25"]),
        ({"gym": {"colour": "red"}}, ["colour", "env.gym"]),
        (IMAGES | {"image_size": 96}, ["env.image_size=[4, 6]"]),
        (IMAGES | {"gym": {"obs_type": "floats"}}, ["float32", "not uint8"]),
        (IMAGES | {"cameras": ["top"]}, ["observation.images.top", "env.cameras"]),
    ],
)
def test_settings_that_cannot_be_met_are_named_with_the_remedy(changes, parts) -> None:
    with one_line_error(*parts):
        make_env(GUIDE | changes)


def test_an_environment_that_does_not_tell_success_is_refused_at_its_first_step() -> None:
    with one_line_error("is_success"):
        roll_out(GUIDE | {"gym": {"tells_success": False}}, [1, 2])


@pytest.mark.parametrize("use_async_envs", [False, True])
def test_it_is_rolled_out_and_judged_by_its_own_success(use_async_envs) -> None:
    settings = GUIDE | {"gym": {"succeeds_at": 6}, "episode_length": 9}
    episodes = roll_out(settings, [1, 2, 3], use_async_envs)
    assert [(episode.success, len(episode), episode.seed) for episode in episodes] == [(True, 6, s) for s in (1, 2, 3)]
    assert episodes[0].observations["observation.state"].shape == (6, 10)
    failed = roll_out(settings | {"episode_length": 5}, [1])
    assert [(episode.success, len(episode)) for episode in failed] == [(False, 5)]


def test_an_error_in_another_process_comes_back_as_one_line() -> None:
    with one_line_error("is_success"):
        roll_out(GUIDE | {"gym": {"tells_success": False}}, [1, 2], use_async_envs=True)

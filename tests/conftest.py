"""What several tests share: small episodes, the settings of a tiny policy, and what an error must look like."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from demo_score.reporting.report import can_draw

# pytest's processes share the cores, and threads that wait for one another there make a test take ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DEMO_SCORE_GRACE", "600")  # a busy machine may need longer for a step than 9 seconds
# One choice for all tests of a process, whichever imports a simulator first.
if "MUJOCO_GL" not in os.environ:
    os.environ["MUJOCO_GL"] = "egl" if can_draw() else "disable"
with suppress(ImportError):  # before OpenGL, see envs/aloha.py
    import triton  # noqa: F401

import numpy as np
import pytest
from demo_score.config.settings import compose_settings
from demo_score.data.episodes import Episode
from demo_score.runtime.errors import UserError
from omegaconf import DictConfig
from policy_settings import TINY_ACT

TINY = [
    "env=aloha_cube_state",
    "policy=act_state",
    "device=cpu",
    "seed=0",
    "training.offline_steps=12",
    "training.eval_freq=0",
    "training.save_freq=5",
    "training.log_freq=4",
    "training.resume_freq=3",
    "training.batch_size=4",
    "training.num_workers=0",
    "training.lr=1e-3",
    *TINY_ACT,
    "env.episode_length=30",
]

SLOWEST = [
    "test_workflow.py",
    "test_arithmetics.py",
    "test_image_workflow.py",
    "test_bring_your_own.py",
    "test_robomimic_workflow.py",
]  # minutes each


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that two processes end at about the same time."""
    items.sort(key=lambda item: (*SLOWEST, item.path.name).index(item.path.name))


def tiny_settings(*overrides: str) -> DictConfig:
    """The settings of an ACT that trains in milliseconds, changed by `overrides`."""
    return compose_settings([*TINY, *overrides])[0]


def random_episode(length: int, seed: int = 0, **attributes) -> Episode:
    """An episode of noise with the sizes of the cube task."""
    generator = np.random.default_rng(seed)
    return Episode(
        observations={
            "observation.state": generator.normal(size=(length, 14)).astype(np.float32),
            "observation.environment_state": generator.normal(size=(length, 7)).astype(np.float32),
        },
        actions=generator.normal(size=(length, 14)).astype(np.float32),
        rewards=generator.integers(0, 5, length).astype(np.float32),
        **{"success": True, "seed": seed, **attributes},
    )


@contextmanager
def one_line_error(*parts: object) -> Iterator[None]:
    """Expect a UserError of one line that holds all `parts`."""
    with pytest.raises(UserError) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message


def assert_half_the_rate_is_two_steps(slow, fast, actions: np.ndarray) -> None:
    """One step of an environment at half the rate is two at full rate with the same targets, to the bit."""
    slow.reset(seed=2)
    fast.reset(seed=2)
    for action in actions:
        observation, *_ = slow.step(action)
        fast.step(action)
        np.testing.assert_array_equal(observation["observation.state"], fast.step(action)[0]["observation.state"])

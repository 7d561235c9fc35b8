"""An environment that is stepped by chunks of actions and remembers what happened."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from demo_score.data.episodes import Episode
from demo_score.data.frames import NOT_DRAWN, PackedFrames
from demo_score.envs.base import Environment, Observation
from demo_score.runtime.errors import UserError

LOOKS = "looks"
Recorded = bool | Literal["looks"]  # the images of an episode: of every step, none, or those that the policy sees


class ChunkEnv(gymnasium.Env[Observation, np.ndarray]):
    """`env`, of which one step carries out a chunk of actions, as far as the episode lasts.

    Observation: the last `n_obs_steps` ones, key -> (n_obs_steps, ...), the first one repeated at the start. Images
    are rendered for these alone, or, with `record_images`, at every step, to be stored in the episode; LOOKS: those
    that the policy sees are stored.
    Action: a chunk (n_actions, action_dim) of any length. Vector environments step no environment that has
    terminated, so this one tells by info["done"], beside info["success"], and then does nothing until the reset.
    A UserError becomes info["error"], its text, so that it comes out of another process as what it is.
    """

    def __init__(self, env: Environment, n_obs_steps: int, record_images: Recorded = False):
        self.env = env
        self.record_images = record_images
        self.recent: deque[Observation] = deque(maxlen=n_obs_steps)
        space = spaces.Dict({**env.observation_space, **env.image_space})
        self.observation_space = batch_space(space, n_obs_steps)
        self.action_space = env.action_space  # of each action in a chunk

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the episode numbered `seed`; without a seed stay idle, and go on showing what was seen last."""
        self.done, self.seed = seed is None, seed
        if seed is not None:
            self._start(seed)
        return self.seen, {}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out a chunk. Its rewards are in the episode, not here."""
        try:
            self._carry_out(action)
        except UserError as error:
            return self.seen, 0.0, False, False, {"error": str(error)}
        return self.seen, 0.0, False, False, {"done": self.done, "success": self.success}

    def episode(self) -> Episode | None:
        """What happened since the reset; None when idle."""
        if self.seed is None:
            return None
        images = {key: PackedFrames(self.packed[key], self.env.image_space[key].shape) for key in self.packed}
        return Episode(
            observations=_stack(self.numbers) | images,
            actions=np.stack(self.actions).astype(np.float32),
            rewards=np.array(self.rewards, dtype=np.float32),
            success=self.success,
            seed=self.seed,
        )

    def close(self) -> None:
        self.env.close()

    def _start(self, seed: int) -> None:
        self.success = False
        self.numbers: list[Observation] = []  # before each action
        self.packed: dict[str, list[bytes]] = {key: [] for key in self.env.image_space if self.record_images}
        self.actions: list[np.ndarray] = []
        self.rewards: list[float] = []
        observation, _ = self.env.reset(seed=seed)
        self.recent.extend([observation | self.env.images()] * self.recent.maxlen)
        self.seen = _stack(self.recent)

    def _carry_out(self, chunk: np.ndarray) -> None:
        for n_left, action in zip(reversed(range(len(chunk))), chunk, strict=True):
            if self.done:
                return
            observation = self._step(action)
            looks = not self.done and (self.record_images is True or n_left < self.recent.maxlen)
            self.recent.append(observation | self.env.images() if looks else observation)
        if not self.done:
            self.seen = _stack(self.recent)

    def _step(self, action: np.ndarray) -> Observation:
        """One control step, recorded; what the environment tells after it."""
        self._record(action)
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.rewards.append(reward)
        self.success = bool(info["is_success"])
        self.done = terminated or truncated
        return observation

    def _record(self, action: np.ndarray) -> None:
        now = self.recent[-1]
        self.numbers.append({key: now[key] for key in self.env.observation_space})
        for key, images in self.packed.items():
            images.append(PackedFrames.pack(now[key]) if key in now else NOT_DRAWN)
        self.actions.append(action)


def _stack(observations: Iterable[Observation]) -> Observation:
    """Observations, one after another -> key -> (n, ...)."""
    observations = list(observations)
    return {key: np.stack([observation[key] for observation in observations]) for key in observations[0]}

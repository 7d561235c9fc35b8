"""Environments that also draw chosen episodes as a person would see them."""

from dataclasses import dataclass

import numpy as np

from demo_score.data.episodes import Episode
from demo_score.envs import make_env
from demo_score.envs.base import Environment, Observation
from demo_score.rollout.chunk_env import ChunkEnv, Recorded
from demo_score.rollout.environments import EnvironmentMaker


@dataclass(frozen=True)
class Drawing:
    """Which episodes a person wants to see, and how often."""

    seeds: frozenset[int]  # the episodes' environment seeds
    every: int  # control steps


@dataclass(kw_only=True)
class DrawnEpisode(Episode):
    """An episode with what a person would have seen of it, the start and the end included."""

    drawings: dict[int, np.ndarray]  # control steps taken so far -> uint8 (H, W, 3)


class DrawnChunkEnv(ChunkEnv):
    """A ChunkEnv whose episodes are DrawnEpisodes where `drawing` names them."""

    def __init__(self, env: Environment, n_obs_steps: int, record_images: Recorded, drawing: Drawing):
        super().__init__(env, n_obs_steps, record_images)
        self.drawing = drawing

    def episode(self) -> Episode | None:
        episode = super().episode()
        return DrawnEpisode(**vars(episode), drawings=self.drawings) if episode and self.drawings else episode

    def _start(self, seed: int) -> None:
        super()._start(seed)
        self.drawings: dict[int, np.ndarray] = {}
        self._draw()

    def _step(self, action: np.ndarray) -> Observation:
        observation = super()._step(action)
        self._draw()
        return observation

    def _draw(self) -> None:
        if self.seed in self.drawing.seeds and (self.done or len(self.actions) % self.drawing.every == 0):
            self.drawings[len(self.actions)] = self.env.draw()


@dataclass(frozen=True, kw_only=True)
class DrawnEnvironmentMaker(EnvironmentMaker):
    """Makes DrawnChunkEnvs. Raises UserError for an environment that cannot be drawn."""

    drawing: Drawing

    @property
    def needs_opengl(self) -> bool:
        return True

    def __call__(self) -> DrawnChunkEnv:
        env = make_env(self.settings, drawing=True)
        return DrawnChunkEnv(env, self.n_obs_steps, self.record_images, self.drawing)

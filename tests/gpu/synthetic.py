"""Settings, and episodes of noise in memory, for a training that needs no data set."""

import numpy as np
from demo_score.config.settings import compose_settings
from demo_score.data.episodes import Episode
from demo_score.policies import action_offsets
from demo_score.training.chunks import ChunkDataset
from omegaconf import DictConfig

COMMON = ["seed=0", "training.num_workers=0", "training.eval_freq=0", "training.save_freq=1000000"]


def settings_for(device: str, *overrides: str) -> DictConfig:
    return compose_settings([f"device={device}", *COMMON, *overrides])[0]


def noise_data(settings: DictConfig, length: int = 120) -> ChunkDataset:
    """An episode of noise, with all that the policy of `settings` sees."""
    generator = np.random.default_rng(0)
    shapes = {key: tuple(shape) for key, shape in settings.policy.input_shapes.items()}
    observations = {
        key: generator.integers(0, 256, (length, *shape[1:], 3), dtype=np.uint8)
        if len(shape) == 3
        else generator.normal(size=(length, *shape)).astype(np.float32)
        for key, shape in shapes.items()
    }
    actions = generator.normal(size=(length, *settings.policy.output_shapes.action)).astype(np.float32)
    episode = Episode(observations, actions, np.zeros(length, np.float32), success=True, seed=0)
    return ChunkDataset([episode], list(shapes), settings.policy.n_obs_steps, action_offsets(settings))

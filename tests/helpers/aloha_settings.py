"""Settings of the ALOHA environments, and actions for them."""

import numpy as np

START = np.array([0, -0.96, 1.16, 0, -0.3, 0, 0.1] * 2, dtype=np.float32)
STOCK_TASKS = {"AlohaTransferCube-v0": "transfer_cube", "AlohaInsertion-v0": "insertion"}


def settings(task="AlohaTransferCube-v0", **changes):
    sizes = {"state_dim": 14, "environment_state_dim": 7 if "Cube" in task else 14, "action_dim": 14}
    rest = {"name": "aloha", "task": task, "obs_type": "environment_state_agent_pos", "fps": 50, "episode_length": 400}
    return rest | sizes | changes


def image_settings(task="AlohaTransferCube-v0", **changes):
    images = {"obs_type": "pixels_agent_pos", "cameras": ["top"], "image_size": [480, 640]}
    return settings(task) | {"environment_state_dim": None} | images | changes


def random_actions(steps, seed=0):
    """A random walk round the start, which moves the arms into each other and the table."""
    walk = np.random.default_rng(seed).normal(0, 0.08, (steps, 14)).cumsum(axis=0)
    return (START + walk).astype(np.float32)

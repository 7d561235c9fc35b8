"""The names of what is observed and done, and the shapes that an environment's settings give to observations."""

from collections.abc import Mapping
from typing import Any

from demo_score.runtime.errors import UserError

ACTION = "action"
FEATURES = "policy.features"  # what a policy makes of what is observed (curation/policy_features.py)
STATE, ENVIRONMENT_STATE, IMAGE = "observation.state", "observation.environment_state", "observation.image"
SIZES = {STATE: "state_dim", ENVIRONMENT_STATE: "environment_state_dim"}  # observation -> setting of its width


def observation_shapes(env: Mapping[str, Any]) -> dict[str, list[int]]:
    """Observation key -> shape as a policy sees it (images: 3, height, width) for settings `env`.

    obs_type begins with pixels: there are images; it is not pixels alone: there is a state. An
    environment_state_dim adds the poses of objects. Keys are LeRobot's.
    """
    obs_type = env.get("obs_type", "state")
    shapes = {} if obs_type == "pixels" else {STATE: [env["state_dim"]]}
    if env.get("environment_state_dim"):
        shapes[ENVIRONMENT_STATE] = [env["environment_state_dim"]]
    if obs_type.startswith("pixels"):
        shapes |= {key: [3, *image_size(env)] for key in image_keys(env)}
    return shapes


def image_keys(env: Mapping[str, Any]) -> list[str]:
    """One key a camera; an environment that names no cameras has one image."""
    return [f"{IMAGE}s.{camera}" for camera in env.get("cameras") or []] or [IMAGE]


def image_size(env: Mapping[str, Any]) -> list[int]:
    """Height and width. Raises UserError for settings that have none."""
    if not (size := env.get("image_size")):
        raise UserError(f"env.obs_type={env['obs_type']} needs a size; set +env.image_size=[480,640], say")
    return [size, size] if isinstance(size, int) else list(size)

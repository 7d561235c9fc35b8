"""What every environment here is like: numbers at every step, images when asked for."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from demo_score.observations import image_keys, image_size, observation_shapes
from demo_score.runtime.errors import UserError

Observation = dict[str, np.ndarray]  # key -> float32 array, or for an image (H, W, 3) uint8


class Environment(gymnasium.Env[Observation, np.ndarray]):
    """A task whose `reset` and `step` return numbers only, as an image takes far longer to draw than a step.

    `observation_space` holds the numbers (float32) and `image_space` the images (uint8, H, W, 3), together what
    `observation_shapes` says that the settings observe. Action: float32 (action_dim,). Every step's info holds
    "is_success"; an episode truncates after settings["episode_length"] steps.
    """

    observation_space: spaces.Dict
    image_space: spaces.Dict

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.simulator = settings.get("name", "")
        shapes = observation_shapes(settings)
        self.observation_space = spaces.Dict({k: unbounded(shape) for k, shape in shapes.items() if len(shape) != 3})
        self.image_space = spaces.Dict({k: image_space(*shape[1:]) for k, shape in shapes.items() if len(shape) == 3})
        self.action_space = unbounded([settings["action_dim"]])

    def images(self) -> Observation:
        """The images of this moment: each key of `image_space` -> uint8 (H, W, 3)."""
        raise NotImplementedError

    def draw(self) -> np.ndarray:
        """What a person would look at in this moment, whatever is observed: uint8 (H, W, 3)."""
        raise NotImplementedError


def unbounded(shape: Sequence[int]) -> spaces.Box:
    """All float32 arrays of a shape."""
    return spaces.Box(-np.inf, np.inf, shape=tuple(shape), dtype=np.float32)


def image_space(height: int, width: int) -> spaces.Box:
    """All images of a size."""
    return spaces.Box(0, 255, shape=(height, width, 3), dtype=np.uint8)


def asks_for_images(settings: Mapping[str, Any]) -> bool:
    """Whether `settings` observe images. Raises UserError where they do not say how large."""
    images = settings.get("obs_type", "").startswith("pixels")
    if images:
        image_size(settings)
    return images


def check_choice(settings: Mapping[str, Any], key: str, choices: Sequence[str]) -> None:
    """Raise UserError where settings[key] is none of `choices`."""
    if settings.get(key) not in choices:
        name, value = settings["name"], settings.get(key)
        raise UserError(f"env {name} has no {key} '{value}'; set env.{key} to one of {', '.join(choices)}")


def check_sizes(settings: Mapping[str, Any], sizes: Mapping[str, Any]) -> None:
    """Raise UserError for the first of `sizes` (state_dim -> 14, say) that `settings` do not share."""
    for key, size in sizes.items():
        if settings.get(key) != size:
            raise UserError(f"{settings['task']} has {key} {size}, not {settings.get(key)}; set env.{key}={size}")


def chosen_cameras(settings: Mapping[str, Any], known: Sequence[str], default: str | None) -> dict[str, str]:
    """Key of an image -> its camera. Raises UserError for one that is not `known`."""
    chosen = settings.get("cameras") or [default]
    if unknown := [camera for camera in chosen if camera not in known]:
        task, names = settings["task"], ", ".join(known)
        raise UserError(f"{task} has no camera {unknown[0]}; set env.cameras to some of {names}")
    return dict(zip(image_keys(settings), chosen, strict=True))


def step_info(success: bool, physics_error: bool) -> dict[str, bool]:
    """The info of a step, or of a reset, where the physics may break down."""
    return {"is_success": success, "physics_error": physics_error}


def substeps(settings: Mapping[str, Any], simulated_hz: float) -> int:
    """Steps of the simulation in a control step, 1/fps long. Raises UserError where that is no whole number."""
    steps = simulated_hz / settings["fps"]
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-9:
        raise UserError(
            f"fps={settings['fps']}: {settings['task']} is simulated at {simulated_hz:g} Hz, which a control rate "
            f"must divide; set fps to {', '.join(str(n) for n in range(1, 101) if simulated_hz % n == 0)}"
        )
    return round(steps)


def no_opengl(error: Exception) -> UserError:
    """What to say where images were asked for and OpenGL does not work."""
    return UserError(
        f"images need OpenGL, which does not work here with MUJOCO_GL={os.environ['MUJOCO_GL']} ({error}); set "
        "MUJOCO_GL=egl and install the Debian packages libegl1 and libgl1-mesa-dri (or a GPU driver with EGL), or "
        "choose an env without images, such as env=aloha_cube_state, and record no videos"
    )

"""Any gymnasium environment that follows LeRobot's conventions, from a package gym_<name>.

Observation: a vector, an image, or a dict of agent_pos, environment_state and pixels (an image, or a dict of one
for each camera). info["is_success"] tells success. Source: LeRobot 0.1, common/envs/{factory,utils}.py.
"""

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from demo_score.envs.base import Environment, Observation, check_sizes
from demo_score.observations import ENVIRONMENT_STATE, IMAGE, SIZES, STATE, observation_shapes
from demo_score.runtime.errors import UserError

NAMES = {"agent_pos": STATE, "environment_state": ENVIRONMENT_STATE, "pixels": IMAGE}


class GymEnv(Environment):
    """`env` under this project's names: "observation.state", "observation.images.<camera>" and so on.

    What the settings do not observe is left out. Raises UserError where `env` lacks what they observe or has it in
    other sizes, and at the first step of one that does not tell success.
    """

    def __init__(self, env: gymnasium.Env, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self.env = env
        self.task = settings["task"]
        self._check_observations(settings)
        if not isinstance(env.action_space, spaces.Box) or len(env.action_space.shape) != 1:
            raise UserError(f"{self.task}: actions must be vectors of numbers, not {env.action_space}")
        check_sizes(settings, {"action_dim": env.action_space.shape[0]})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the episode numbered `seed`."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._observed(observation), info

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Advance 1 / fps seconds with `action` (action_dim,)."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if "is_success" not in info:
            raise UserError(f"{self.task}: its step's info has no 'is_success'; set it there, or success is unknown")
        return self._observed(observation), float(reward), terminated, truncated, info

    def images(self) -> Observation:
        return {key: self._observation[key] for key in self.image_space}

    def draw(self) -> np.ndarray:
        """See base class; only where it was made with drawing."""
        return self.env.render()

    def close(self) -> None:
        self.env.close()

    def offered(self) -> dict[str, spaces.Space]:
        """What can be observed, by this project's names."""
        return by_our_names(self.env.observation_space)

    def _observed(self, observation: Any) -> Observation:
        self._observation = by_our_names(observation)
        return {key: np.asarray(self._observation[key], np.float32).reshape(-1) for key in self.observation_space}

    def _check_observations(self, settings: Mapping[str, Any]) -> None:
        offered = self.offered()
        for key, shape in observation_shapes(settings).items():
            if key not in offered:
                raise UserError(
                    f"{self.task} observes {', '.join(offered) or 'nothing'}, and no {key}; "
                    "set env.obs_type, env.cameras or env.environment_state_dim to what it has"
                )
            if key in SIZES:
                check_sizes(settings, {SIZES[key]: math.prod(offered[key].shape)})
            elif (offered[key].shape, offered[key].dtype) != ((*shape[1:], 3), np.uint8):
                raise UserError(
                    f"{self.task}: {key} is {offered[key].dtype} {offered[key].shape}, not uint8 {(*shape[1:], 3)}; "
                    f"set env.image_size={list(offered[key].shape[:2])}, or observe other images"
                )


def by_our_names(observation: Any) -> dict[str, Any]:
    """An observation, or the space of it, by LeRobot's names -> by this project's: the values are passed on."""
    if not isinstance(observation, Mapping):
        return {IMAGE if len(observation.shape) == 3 else STATE: observation}
    named = {}
    for name, value in observation.items():
        if name == "pixels" and isinstance(value, Mapping):
            named |= {f"{IMAGE}s.{camera}": image for camera, image in value.items()}
        elif name in NAMES:
            named[NAMES[name]] = value
    return named


def make_registered(settings: Mapping[str, Any], built_in: list[str], drawing: bool = False) -> gymnasium.Env:
    """The environment gym_<name>/<task> of the package gym_<name>, with the arguments of settings.gym.

    It is asked for obs_type where the settings have one, for images by render() with `drawing`, and stops after
    episode_length steps. Raises UserError where there is no such package or environment, it cannot draw, or it runs
    at another rate than fps.
    """
    package = f"gym_{settings['name']}"
    handle = f"{package}/{settings['task']}"
    _import_package(package, settings["name"], built_in)
    arguments = {key: settings[key] for key in ("obs_type",) if key in settings} | dict(settings.get("gym") or {})
    if drawing:
        arguments["render_mode"] = "rgb_array"
    try:
        env = gymnasium.make(
            handle, max_episode_steps=settings["episode_length"], disable_env_checker=True, **arguments
        )
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        if "render_mode" in str(error):
            raise _cannot_draw(handle) from None
        raise UserError(f"{handle}: {error}; correct env.gym, or remove env.obs_type if it takes none") from None
    except gymnasium.error.UnregisteredEnv:
        registered = [name for name in gymnasium.registry if name.startswith(f"{package}/")]
        raise UserError(f"no environment {handle}; set env.task to one of {', '.join(registered) or 'none'}") from None
    if drawing and "rgb_array" not in env.metadata.get("render_modes", []):
        raise _cannot_draw(handle)
    fps = env.metadata.get("render_fps")
    if fps not in (None, settings["fps"]):
        raise UserError(f"{handle} runs at {fps} steps a second, not {settings['fps']}; set fps={fps}")
    return env


def _cannot_draw(handle: str) -> UserError:
    return UserError(
        f"{handle} cannot be drawn: give it render_mode='rgb_array' (gymnasium's Env.render), or record no videos"
    )


def _import_package(package: str, name: str, built_in: list[str]) -> None:
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise UserError(f"the package {package} needs '{error.name}', which is not installed; install it") from None
        raise UserError(
            f"no environment '{name}': there are {', '.join(built_in)}, and any in a Python package gym_<name>, but "
            f"{package} cannot be imported; set env.name, or install it or add its folder to PYTHONPATH"
        ) from None

"""Environments by name: everything that steps a simulator gets it from `make_env`."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from demo_score.envs.base import Environment, asks_for_images, no_opengl
from demo_score.runtime.errors import UserError
from demo_score.simulators import RECORDED

NO_ROBOSUITE = "env.name=robosuite: robosuite is not installed; type make robosuite"


def make_env(settings: Mapping[str, Any], drawing: bool = False) -> Environment:
    """The environment that `settings` describe (the keys of configs/env/*.yaml); with `drawing`, one that can draw().

    One that is not built in comes from a package gym_<name>. Raises UserError for an unknown name, task or
    observation type, for sizes that are not the task's, and for images or drawing where OpenGL does not work.
    """
    asks_for_images(settings)  # and says so where their size is missing
    return BUILT_IN.get(settings["name"], _make_gym_env)(settings, drawing)


def _make_aloha(settings: Mapping[str, Any], drawing: bool) -> Environment:
    return _drawable(_with_mujoco("aloha", settings, drawing).AlohaEnv(settings), drawing)


def _make_metaworld(settings: Mapping[str, Any], drawing: bool) -> Environment:
    return _drawable(_with_mujoco("metaworld", settings, drawing).MetaWorldEnv(settings), drawing)


def _make_robosuite(settings: Mapping[str, Any], drawing: bool) -> Environment:
    if find_spec("robosuite") is None:
        raise UserError(NO_ROBOSUITE)
    return _drawable(_with_mujoco("robosuite", settings, drawing).RobosuiteEnv(settings, drawing), drawing)


def _with_mujoco(module: str, settings: Mapping[str, Any], drawing: bool) -> ModuleType:
    """Numbers need no OpenGL. MuJoCo chooses it when it is imported, once for the process."""
    images = drawing or asks_for_images(settings)
    os.environ.setdefault("MUJOCO_GL", "egl" if images else "disable")
    try:
        return import_module(f"demo_score.envs.{module}")  # imports a simulator: only where one is stepped
    except Exception as error:  # of any kind, by which library is missing
        if images:
            raise no_opengl(error) from error
        os.environ["MUJOCO_GL"] = "disable"
        return import_module(f"demo_score.envs.{module}")


def _drawable(env: Environment, drawing: bool) -> Environment:
    if drawing:
        env.draw()  # where OpenGL does not work, say so now
    return env


def _make_pusht(settings: Mapping[str, Any], drawing: bool) -> Environment:
    from demo_score.envs.pusht import PushTEnv

    return PushTEnv(settings)  # which can always draw


def _make_gym_env(settings: Mapping[str, Any], drawing: bool) -> Environment:
    from demo_score.envs.gym_env import GymEnv, make_registered

    return GymEnv(make_registered(settings, list(BUILT_IN), drawing), settings)


def _no_simulator(settings: Mapping[str, Any], drawing: bool) -> Environment:
    raise UserError(
        f"env.name={RECORDED}: there is no simulator to try a policy in; train with "
        "training.eval_freq=0, or choose another env"
    )


BUILT_IN: dict[str, Callable[[Mapping[str, Any], bool], Environment]] = {
    "aloha": _make_aloha,
    "pusht": _make_pusht,
    "metaworld": _make_metaworld,
    "robosuite": _make_robosuite,
    RECORDED: _no_simulator,
}

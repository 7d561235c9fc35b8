"""Environments by name: everything that steps a simulator gets it from `make_env`."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium

from demo_score.errors import UserError


def make_env(settings: Mapping[str, Any]) -> gymnasium.Env:
    """The environment that `settings` describe (keys: name, task, obs_type, episode_length, sizes).

    Raises UserError for an unknown name, task or observation type, or sizes that are not the task's.
    """
    name = settings["name"]
    if name not in ENVIRONMENTS:
        raise UserError(f"no environment '{name}'; set env.name to one of {', '.join(ENVIRONMENTS)}")
    return ENVIRONMENTS[name](settings)


def _make_aloha(settings: Mapping[str, Any]) -> gymnasium.Env:
    from demo_score.envs.aloha import make_aloha  # imports a simulator: only where one is stepped

    return make_aloha(settings)


ENVIRONMENTS: dict[str, Callable[[Mapping[str, Any]], gymnasium.Env]] = {"aloha": _make_aloha}

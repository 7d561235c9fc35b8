"""Checks of settings composed by Hydra. Without torch: made before anything runs."""

from collections.abc import Mapping
from typing import Any

from demo_score.config.models.base import raise_first
from demo_score.config.models.env import EnvironmentSettings
from demo_score.config.models.policy import PolicySettings
from demo_score.config.models.settings import Settings
from demo_score.config.seeds import check_seeds

_WHERE = "settings"


def check_settings(settings: dict[str, Any]) -> None:
    """Raise UserError, in one line, for the first of the (plain) settings of a run that is wrong."""
    checked = Settings.read(settings, _WHERE)
    check_policy(settings["policy"])
    check_seeds(checked.seed, checked.eval.n_episodes or 1, "seed", "eval.n_episodes")
    raise_first(checked.conflicts(), _WHERE)


def check_environment(env: dict[str, Any]) -> None:
    """The same for `env` alone, of settings that may lack others."""
    raise_first(EnvironmentSettings.read({"env": env}, _WHERE).env.conflicts(), _WHERE)


def check_policy(policy: Mapping[str, Any]) -> None:
    """Raise UserError for the first setting of `policy` that is out of range or does not go with others.

    `policy` holds plain values, as OmegaConf.to_container gives them; those of a policy that is not ours are free.
    """
    raise_first(PolicySettings.read({"policy": policy}, _WHERE).policy.conflicts(), _WHERE)

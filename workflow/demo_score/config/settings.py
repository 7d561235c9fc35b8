"""Settings: Hydra's configuration tree, composed into one resolved mapping and checked.

A run's settings come from the tree in workflow/configs (and a user's own, --config-path and --config-name)
and from overrides on the command line, in Hydra's grammar.
"""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from demo_score.config.checks import check_environment, check_settings
from demo_score.config.one_line import one_line
from demo_score.config.recorded import as_recorded
from demo_score.config.tree import CONFIGS, open_tree
from demo_score.config.yaml_files import parse_yaml
from demo_score.observations import observation_shapes
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import read_text, write_text


def compose_settings(
    overrides: list[str], config_path: str | Path = CONFIGS, config_name: str = "default", complete: bool = True
) -> tuple[DictConfig, Path]:
    """Compose `config_name` of the tree at `config_path` with `overrides`.

    Returns the resolved settings and hydra.run.dir; with complete=False, settings in which values may be missing
    (`???`) are returned as they are, unresolved, and of their values only `env` is checked. Raises UserError for what
    is not YAML or not Hydra's grammar, for an unknown key or option, for every value still missing, and for a value of
    the wrong kind or range.
    """
    try:
        settings, run_dir = _split(open_tree(config_path, config_name).compose(overrides))
        if missing := missing_keys(settings):
            if not complete:
                if "env" in settings and not any(key.startswith("env.") for key in missing):
                    environment_of(settings)
                return settings, run_dir
            raise _missing(missing)
        fill_recorded(settings)
        OmegaConf.resolve(settings)
        fill_input_shapes(settings)
    except (OmegaConfBaseException, YAMLError, ValueError) as error:
        raise UserError(one_line(error)) from None
    values = OmegaConf.to_container(settings)
    if complete:
        check_settings(values)
    elif "env" in values:
        check_environment(values["env"])
    return settings, run_dir


def environment_of(settings: DictConfig) -> dict:
    """The settings `env`, resolved and checked, of settings that may lack others."""
    if missing := [key for key in missing_keys(settings) if key.startswith("env.")]:
        raise _missing(missing)
    try:
        env = OmegaConf.to_container(settings.env, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(one_line(error)) from None
    check_environment(env)
    return as_recorded(env)


def _split(settings: DictConfig) -> tuple[DictConfig, Path]:
    """The settings without Hydra's own, and hydra.run.dir (empty where its name needs a value that is missing)."""
    from demo_score.config.hydra_internals import resolve_with  # as in config.tree

    resolve_with(settings)
    try:
        run_dir = settings.hydra.run.dir
    except OmegaConfBaseException:
        run_dir = "."
    if not (isinstance(run_dir, str) and run_dir.strip()):
        raise UserError(f"hydra.run.dir={run_dir or ''}: no folder; name one for the results")
    with open_dict(settings):
        del settings["hydra"]
    return settings, Path(run_dir)


def missing_keys(settings: DictConfig) -> list[str]:
    """The keys that still have no value; those that only refer to such a one are not among them."""
    return sorted(key for key, value in leaves(OmegaConf.to_container(settings)) if value == "???")


def _missing(keys: list[str]) -> UserError:
    return UserError(f"missing settings: give {' '.join(f'{key}=VALUE' for key in keys)}")


def leaves(values: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys and values of nested mappings."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def fill_recorded(settings: DictConfig) -> None:
    """What env.recorded_in stands for, before others refer to it."""
    if "env" in settings and "recorded_in" in settings.env:
        with open_dict(settings):
            settings.env = as_recorded(OmegaConf.to_container(settings.env, resolve=True))


def fill_input_shapes(settings: DictConfig) -> None:
    """policy.input_shapes: null stands for everything that the environment observes."""
    if "env" in settings and "policy" in settings and settings.policy.get("input_shapes") is None:
        with open_dict(settings):
            settings.policy.input_shapes = observation_shapes(OmegaConf.to_container(settings.env))


def to_yaml(settings: DictConfig, resolve: bool = True) -> str:
    """Settings as YAML text, keys in their own order."""
    return OmegaConf.to_yaml(settings, resolve=resolve)


def save(settings: DictConfig, path: str | Path) -> None:
    """Write resolved settings atomically."""
    write_text(path, to_yaml(settings))


def load(path: str | Path) -> DictConfig:
    """Read a settings file written by `save`."""
    text = read_text(path)
    if not isinstance(parse_yaml(text, str(path)), dict):
        raise UserError(f"{path}: holds no settings (KEY: VALUE); name a file of settings")
    try:
        return OmegaConf.create(text)
    except (OmegaConfBaseException, YAMLError) as error:
        raise UserError(f"{path}: {one_line(error)}") from None

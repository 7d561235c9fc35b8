"""All that is used of Hydra, its internals included: nothing else imports it, and hydra_version says which it may be.

Two things are easier here than in plain Hydra. A file of a group needs no first line `# @package _global_`. An
experiment file chooses environment and policy by `/env: aloha`, as well as by Hydra's `override /env: aloha`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hydra import compose, version
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, OverrideParseException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig

from demo_score.config.one_line import one_line
from demo_score.config.yaml_files import read_yaml
from demo_score.runtime.errors import UserError


class SettingsSource(FileConfigSource):
    """A folder of settings: default.yaml, env/, policy/, experiment/."""

    @staticmethod
    def scheme() -> str:
        return "settings"

    def load_config(self, config_path: str) -> ConfigResult:
        file = Path(self.path, self._normalize_file_name(config_path))
        if file.is_file():
            read_yaml(file)  # refuses what Hydra would take
        result = super().load_config(config_path)
        result.header["package"] = result.header.get("package") or "_global_"
        if config_path.startswith("experiment/") and "defaults" in result.config:
            result.config.defaults = [_choose(default) for default in result.config.defaults]
        return result


class ExperimentSource(SettingsSource):
    """A folder whose files are experiments."""

    @staticmethod
    def scheme() -> str:
        return "experiment"

    @staticmethod
    def _normalize_file_name(filename: str) -> str:
        return FileConfigSource._normalize_file_name(filename.removeprefix("experiment/"))


def _choose(default: str | DictConfig) -> str | dict:
    """`/env: aloha` -> `override /env: aloha`."""
    if not isinstance(default, DictConfig):
        return default
    return {f"override {group}" if group.startswith("/") else group: option for group, option in default.items()}


def compose_from(places: tuple[str, ...], config_name: str, overrides: list[str]) -> DictConfig:
    """The settings that Hydra composes of files in `places` (settings://FOLDER), with its own under `hydra`.

    Unresolved. Raises UserError for what Hydra refuses, RecursionError for defaults that lead back to themselves.
    """
    try:
        with _search(places):
            settings = compose(config_name, overrides, return_hydra_config=True)
    except OverrideParseException as error:
        raise UserError(
            f"{error.override}: cannot be read; settings are KEY=VALUE: a word, a number, a list [A,B] or a mapping "
            "{A: B}; other texts need quotes of their own (\"KEY='A (B)'\")"
        ) from None
    except HydraException as error:
        raise UserError(one_line(error)) from None
    return settings


def resolve_with(settings: DictConfig) -> None:
    """Let ${hydra:KEY} stand for what these settings say under `hydra`."""
    HydraConfig.instance().set_config(settings)


@contextmanager
def _search(places: tuple[str, ...]) -> Iterator[None]:
    """Let Hydra look in `places`, first to last."""
    _register_sources()
    version.setbase("1.3")
    search_path = create_config_search_path(None)
    for place in reversed(places):
        search_path.prepend("demo_score", place)
    GlobalHydra.instance().clear()
    Hydra.create_main_hydra2("demo_score", search_path)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


@cache
def _register_sources() -> None:
    for source in (SettingsSource, ExperimentSource):
        Plugins.instance().register(source)

"""Composed settings, kept in files: Hydra takes a fifth of a second for each, and jobs on a cluster all ask again."""

import json
from contextlib import suppress
from functools import cache
from pathlib import Path

import omegaconf
from omegaconf import DictConfig, OmegaConf

from demo_score.config.hydra_version import hydra_version
from demo_score.config.settings import CONFIGS, compose_settings
from demo_score.runtime.code_store import code_digest, library_version, remove_other_versions
from demo_score.runtime.digests import digest
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import write_text

ENVIRONMENT = b"oc.env"  # a settings file that asks for it may mean something else each time


def compose_stored(overrides: list[str], complete: bool, store: Path | None) -> DictConfig:
    """The settings that `compose_settings` gives, from the folder `store` if it has them; else they are put there.

    The store is of use until a settings file or the code that composes and checks them changes; then it is emptied.
    """
    version = store and _version()
    if version:
        file = store / version / f"{digest(*overrides, str(complete))}.json"
        with suppress(OSError, ValueError):
            return OmegaConf.create(json.loads(file.read_bytes()))
        remove_other_versions(store, version)
    settings = compose_settings(overrides, complete=complete)[0]
    text = json.dumps(OmegaConf.to_container(settings))
    if version and not OmegaConf.select(settings, "env.recorded_in"):  # a file of data may become another
        with suppress(UserError, OSError):  # a disk that is full or read-only: without the store, then
            write_text(file, text)
    return OmegaConf.create(json.loads(text))


def mark(store: Path | None, *of: str) -> Path | None:
    """A file of the store that stands for `of` and for every file of settings and code; None: none can."""
    version = store and _version()
    return store / version / digest(*of, library_version()) if version else None


@cache
def _version() -> str | None:
    """Stands for all that settings are made of; None: for more than files."""
    files = sorted(CONFIGS.rglob("*.yaml"))
    contents = [path.read_bytes() for path in files]
    if any(ENVIRONMENT in content for content in contents):
        return None
    names = [path.name for path in files]
    return digest(*names, *contents, code_digest(Path(__file__)), hydra_version(), omegaconf.__version__)

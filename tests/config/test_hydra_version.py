"""Hydra: one module imports it, in versions that one line names."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.config import hydra_version as guard
from demo_score.config.settings import compose_settings
from demo_score.config.store import compose_stored
from demo_score.runtime.dependencies import LIBRARY
from places import REPOSITORY

OVERRIDES = ["env=aloha_cube_state", "policy=act_state", "seed=1"]
ADVICE = "type: pip install 'hydra-core>=1.3.8,<1.4'"


@pytest.fixture
def installed(monkeypatch):
    """Pretend that another version is installed."""
    guard.hydra_version.cache_clear()
    yield lambda version: monkeypatch.setattr(guard, "version", lambda name: version)
    guard.hydra_version.cache_clear()


@pytest.mark.parametrize("version", ["1.3.8", "1.3.8.post1", "1.3.12", "1.3.9+local.5"])
def test_what_is_supported_composes(installed, version) -> None:
    installed(version)
    assert compose_settings(OVERRIDES)[0].seed == 1


@pytest.mark.parametrize("version", ["1.1.2", "1.3.2", "1.3", "1.4.0", "1.4.0.dev1", "2.0"])
@pytest.mark.parametrize("compose", [compose_settings, lambda overrides: compose_stored(overrides, True, Path("none"))])
def test_what_is_not_supported_is_named_with_what_is(installed, version, compose) -> None:
    installed(version)
    with one_line_error(f"hydra-core {version} is not supported; {ADVICE}"):
        compose(OVERRIDES)


def test_without_hydra_one_line_says_so(installed, monkeypatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(guard, "version", missing)
    with one_line_error(f"hydra-core is not installed; {ADVICE}"):
        compose_settings(OVERRIDES)


def test_supported_versions_are_those_that_are_asked_for() -> None:
    requirements = (REPOSITORY / "envs/requirements.in").read_text().splitlines()
    assert guard.SUPPORTED in requirements


def test_nothing_else_imports_hydra() -> None:
    found = subprocess.run(
        ["grep", "-rlE", r"^\s*(import|from) hydra\b", LIBRARY, REPOSITORY / "workflow/scripts", "--include=*.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == [str(LIBRARY / "config/hydra_internals.py")]


def test_hydra_is_imported_only_to_compose() -> None:
    script = "import sys, demo_score.experiments.checks, demo_score.command_line; print('hydra' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], cwd=LIBRARY.parent, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"

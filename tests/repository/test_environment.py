"""The lock, its source and the conda environment name the same packages."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml
from demo_score.runtime.dependencies import source_files
from places import TESTS

ENVS = TESTS.parent / "envs"


def locked(lock: str = "requirements.lock") -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9_.-]+)==([^ \\;]+)", (ENVS / lock).read_text(), re.MULTILINE))


def imported(path: Path) -> set[str]:
    """The packages that a file imports where it begins, but for Python's own."""
    statements = ast.parse(path.read_text()).body
    names = [alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in statements if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def required() -> set[str]:
    lines = (ENVS / "requirements.in").read_text().splitlines()
    return {re.match(r"[\w.-]+", line)[0].lower() for line in lines if line and not line.startswith("#")}


def test_lock_holds_every_requirement_with_hashes_and_no_address():
    text = (ENVS / "requirements.lock").read_text()
    assert required() <= set(locked())
    assert text.count("--hash=sha256:") >= len(locked())
    assert "://" not in text


def test_conda_environment_has_the_locked_pins():
    dependencies = yaml.safe_load((ENVS / "demo_score.yaml").read_text())["dependencies"]
    pins = dict(pin.split("==") for pin in dependencies[-1]["pip"])
    assert set(pins) == required()
    assert pins == {name: locked()[name] for name in pins}


def test_peers_environment_has_what_the_library_needs_there():
    """make test-peers installs LeRobot and robomimic with it, and is not run with the other tests."""
    distributions = packages_distributions()
    files = {file for path in (TESTS / "peers").glob("test_*.py") for file in source_files(path)}
    library = set().union(*map(imported, files))
    here = {name.lower().replace("_", "-") for package in library for name in distributions.get(package, [])}
    assert {"h5py", "psutil"} <= here <= set(locked("peers.lock")) | set(locked("peers_robomimic.lock"))

"""The lock, its source and the conda environment name the same packages."""

import re
from pathlib import Path

import yaml

ENVS = Path(__file__).parents[1] / "envs"


def locked() -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9_.-]+)==([^ \\;]+)", (ENVS / "requirements.lock").read_text(), re.MULTILINE))


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

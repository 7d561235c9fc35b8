"""What `make docs` writes from settings files and models: up to date, and an edit is noticed and fixed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import REPOSITORY

pytestmark = pytest.mark.slow

DOCS = REPOSITORY / "docs"


def check(*arguments: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess:
    command = [sys.executable, str(folder / "workflow/scripts/tools/document_settings.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_tables_are_up_to_date() -> None:
    result = check("--check")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
def copied(tmp_path) -> Path:
    """A copy of what tables and schemas are made of."""
    for folder in ("docs", "workflow"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "config.yaml", tmp_path)
    return tmp_path


def test_an_edit_of_a_settings_file_is_noticed_and_fixed(copied) -> None:
    default = copied / "workflow/configs/default.yaml"
    default.write_text(default.read_text().replace("log_freq: 200", "log_freq: 201"))
    result = check("--check", folder=copied)
    assert (result.returncode, result.stderr) == (1, "error: docs/settings.md is out of date; run `make docs`\n")
    assert check(folder=copied).returncode == 0
    assert "`201`" in (copied / "docs/guide.ko.md").read_text()
    steps = copied / "docs/steps.yaml"
    steps.write_text(steps.read_text().replace("set for you: `rollouts/`", "set for you: `tries/`"))
    assert check("--check", folder=copied).stderr == "error: docs/tutorial.md is out of date; run `make docs`\n"
    assert check(folder=copied).returncode == 0
    assert check("--check", folder=copied).returncode == 0


@pytest.mark.parametrize(
    ("file", "before", "after", "written"),
    [
        ("config.yaml", "epochs: 200", "epochs: 201", "docs/config.md"),
        ("workflow/demo_score/config/models/sections.py", "Successes to collect", "Successes wanted", "docs/config.md"),
        ("workflow/demo_score/config/models/training.py", "whole(0, 1024)", "whole(0, 99)", "settings.schema.yaml"),
        ("workflow/schemas/config.schema.yaml", "pattern", "format", "config.schema.yaml"),
    ],
)
def test_an_edit_of_a_model_or_a_schema_is_noticed_and_fixed(copied, file, before, after, written) -> None:
    text = (copied / file).read_text()
    assert before in text
    (copied / file).write_text(text.replace(before, after, 1))
    assert f"{written} is out of date; run `make docs`" in check("--check", folder=copied).stderr
    assert check(folder=copied).returncode == 0
    assert check("--check", folder=copied).returncode == 0

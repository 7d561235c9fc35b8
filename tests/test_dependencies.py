"""Which files a command depends on."""

import subprocess
import sys
from pathlib import Path

import pytest
from demo_score.dependencies import LIBRARY, source_files

SCRIPTS = LIBRARY.parent / "scripts"
ERRORS = {
    "__init__.py",
    "errors.py",
    "memory.py",
    "stopping.py",
    "unexpected.py",
    "watching.py",
}  # what depends on errors depends on


def names(script: Path) -> set[str]:
    """Library files that a script depends on, relative to the library."""
    first, *library = source_files(script)
    assert first == script
    return {path.relative_to(LIBRARY).as_posix() for path in library}


def written(folder: Path, text: str) -> Path:
    (folder / "script.py").write_text(text)
    return folder / "script.py"


def test_training_depends_on_the_policy_but_not_on_figures_or_curation() -> None:
    files = names(SCRIPTS / "train.py")
    assert {"policies/act.py", "policies/transformer.py", "training/loop.py", "settings.py"} <= files
    assert not [name for name in files if name.startswith(("plots/", "curation/", "demonstrations/"))]


def test_figures_depend_on_no_policy() -> None:
    files = names(SCRIPTS / "plot.py")
    assert "plots/figures.py" in files
    assert not [name for name in files if name.startswith(("policies/", "training/", "rollout/"))]


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.name)
def test_every_command_depends_on_how_errors_are_reported(script) -> None:
    assert {"__init__.py", "errors.py"} <= names(script)


def test_import_inside_a_function_counts(tmp_path) -> None:
    script = written(tmp_path, "def main():\n    from demo_score.data.episodes import Episode\n    return Episode\n")
    files = {f"data/{name}.py" for name in ("__init__", "episodes", "frames")}
    assert names(script) == files | ERRORS | {"unreadable.py"}


@pytest.mark.parametrize(
    "line",
    [
        "import demo_score.errors",
        "import numpy, demo_score.errors as f",
        "from demo_score import errors",
        "from demo_score.errors import *",
    ],
)
def test_all_forms_of_import_count(tmp_path, line) -> None:
    assert names(written(tmp_path, f"{line}\n")) == ERRORS


def test_other_libraries_do_not_count(tmp_path) -> None:
    assert names(written(tmp_path, "import json\nfrom numpy import array\nimport demo_score_extras\n")) == set()


def test_order_is_fixed() -> None:
    files = source_files(SCRIPTS / "train.py")
    assert files[1:] == sorted(files[1:])
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("module", ["training.loop", "rollout.runs", "workflow_config"])
def test_what_takes_seconds_to_import_is_imported_where_it_is_needed(module) -> None:
    slow = {"torchvision", "scipy.stats", "scipy.spatial", "diffusers", "mujoco", "dm_control", "wandb"}
    slow |= {"huggingface_hub.hf_api"} | ({"torch"} if module == "workflow_config" else set())
    code = f"import sys, demo_score.{module}; print(*{slow} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=LIBRARY.parent, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []

"""Which files a command depends on, and which edits of them change what it does."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_score.runtime import dependencies
from demo_score.runtime.dependencies import LIBRARY, WITHOUT_RESULTS, code_digest, source_files
from places import COMMANDS, SCRIPTS

pytestmark = pytest.mark.slow

ERRORS = {
    "__init__.py",
    *(f"runtime/{name}.py" for name in ("__init__", "errors", "memory", "stopping", "unexpected", "watching")),
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
    assert {"policies/act.py", "policies/transformer.py", "training/loop.py", "config/settings.py"} <= files
    assert not [name for name in files if name.startswith(("plots/", "curation/", "demonstrations/"))]


def test_figures_depend_on_no_policy() -> None:
    files = names(SCRIPTS / "plot.py")
    assert "plots/figures.py" in files
    assert not [name for name in files if name.startswith(("policies/", "training/", "rollout/"))]


@pytest.mark.parametrize("script", COMMANDS, ids=lambda path: path.name)
def test_every_command_depends_on_how_errors_are_reported(script) -> None:
    assert {"__init__.py", "runtime/errors.py"} <= names(script)


def test_import_inside_a_function_counts(tmp_path) -> None:
    script = written(tmp_path, "def main():\n    from demo_score.data.episodes import Episode\n    return Episode\n")
    files = {f"data/{name}.py" for name in ("__init__", "episodes", "frames")}
    assert names(script) == files | ERRORS | {"runtime/unreadable.py"}


@pytest.mark.parametrize(
    "line",
    [
        "import demo_score.runtime.errors",
        "import numpy, demo_score.runtime.errors as f",
        "from demo_score.runtime import errors",
        "from demo_score.runtime.errors import *",
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


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the library and its commands, to edit."""
    shutil.copytree(LIBRARY.parent, tmp_path / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(dependencies, "LIBRARY", tmp_path / "workflow" / LIBRARY.name)
    return dependencies.LIBRARY


def digests(library: Path) -> dict[str, str]:
    for cached in (getattr(dependencies, name) for name in dir(dependencies)):
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    return {script.stem: code_digest(script) for script in sorted((library.parent / "scripts").rglob("[!_]*.py"))}


def changed(library: Path, file: str, edit: Callable[[str], str]) -> set[str]:
    """The commands that do something else after an edit of a file of the library."""
    before, text = digests(library), (library / file).read_text()
    assert edit(text) != text
    (library / file).write_text(edit(text))
    return {script for script, digest in digests(library).items() if digest != before[script]}


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("        keys = [", "        # which\n        keys = ["),
        lambda text: text.replace('"""Numbers, and images of three channels', '"""Numbers, colour images'),
        lambda text: text.replace("    @property\n", "\n    @property\n"),
        lambda text: text.replace("Location = dict[str, Any]", "Location = (\n    dict[str, Any]\n)"),
        lambda text: text + "\n\ndef nobody_calls() -> int:\n    return 1\n",
    ],
    ids=["comment", "docstring", "blank line", "brackets", "unused function"],
)
def test_what_changes_no_result_reruns_nothing(library, edit) -> None:
    assert changed(library, "data/formats/lerobot.py", edit) == set()


# The latter two where not commands were recorded.
DEMONSTRATORS = {"collect_demonstrations", "play_back", "record_demonstrations"}
INTERVALS = {"collect_rollouts", "document_results", "eval", "make_tables", "publish", "train", "verify"}


@pytest.mark.parametrize(
    ("file", "before", "after", "commands"),
    [
        ("demonstrations/pusht_planner.py", "WIDTH = 100", "WIDTH = 50", DEMONSTRATORS),
        ("analysis/statistics.py", "def mcnemar_p(", "def mcnemar_p(\n    *", {"make_tables", "publish", "verify"}),
        ("data/formats/lerobot_videos.py", "SVT_PRESET = 12", "SVT_PRESET = 8", {"export_data"}),
        ("analysis/statistics.py", "def wilson_interval(", "def wilson_interval(\n    *", INTERVALS),
        ("runtime/errors.py", "def _report(", "def _report(\n    *", set()),
        ("../scripts/_library.py", "__all__ =", "import os\n\n__all__ =", set()),
    ],
)
def test_an_edit_reruns_exactly_who_uses_it(library, file, before, after, commands) -> None:
    assert changed(library, file, lambda text: text.replace(before, after)) == commands


TOY = {
    "__init__.py": "",
    "used.py": "CONSTANT = 1\nOTHER = 2\n\n\ndef use():\n    return CONSTANT\n",
    "handed.py": "from demo_score.used import use\n",
}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of two files, for a command toy.py that the test writes."""
    monkeypatch.setattr(dependencies, "LIBRARY", tmp_path / LIBRARY.name)
    for name in (LIBRARY.name, "scripts"):
        (tmp_path / name).mkdir()
    for name, text in TOY.items():
        (dependencies.LIBRARY / name).write_text(text)
    return dependencies.LIBRARY


@pytest.mark.parametrize(
    "main",
    [
        "from demo_score.used import use\nuse()",
        "from demo_score.handed import use as another\nanother()",
        "from demo_score import used\nused.use()",
        "import demo_score.used as u\nprint(u.CONSTANT)",
        "import demo_score.used\ndemo_score.used.use()",
        "def main():\n    from demo_score.used import use\n    use()",
        "from demo_score.used import *",
        "from demo_score import used\nprint(getattr(used, 'CON' + 'STANT'))",
        "from demo_score.used import CONSTANT as N\n\n\nclass A:\n    n = N",
    ],
)
def test_what_is_used_is_followed_however_it_is_imported(toy, main) -> None:
    (toy.parent / "scripts/toy.py").write_text(f"{main}\n")
    assert changed(toy, "used.py", lambda text: text.replace("CONSTANT = 1", "CONSTANT = 3")) == {"toy"}
    whole = any(word in main for word in ("*", "getattr"))
    assert changed(toy, "used.py", lambda text: text.replace("OTHER = 2", "OTHER = 4")) == ({"toy"} if whole else set())


def test_what_importing_a_file_does_counts_for_everybody_who_imports_it(toy) -> None:
    (toy / "used.py").write_text("REGISTRY = {}\nREGISTRY['a'] = 1\n")
    (toy.parent / "scripts/toy.py").write_text("def nobody():\n    import demo_score.used\n")
    assert changed(toy, "used.py", lambda text: text.replace("= 1", "= 2")) == {"toy"}


def test_another_library_in_its_place_counts(toy) -> None:
    (toy / "used.py").write_text("import numpy as np\n\n\ndef use():\n    return np.ones(1)\n")
    (toy.parent / "scripts/toy.py").write_text("from demo_score.used import use\nuse()\n")
    assert changed(toy, "used.py", lambda text: text.replace("import numpy", "import jax.numpy")) == {"toy"}


def test_modules_without_results_are_there() -> None:
    assert all((LIBRARY / f"runtime/{name}.py").is_file() for name in WITHOUT_RESULTS)


@pytest.mark.parametrize("module", ["training.loop", "rollout.runs", "experiments.config"])
def test_what_takes_seconds_to_import_is_imported_where_it_is_needed(module) -> None:
    slow = {"torchvision", "scipy.stats", "scipy.spatial", "diffusers", "mujoco", "dm_control", "wandb"}
    slow |= {"huggingface_hub.hf_api"} | ({"torch"} if module == "experiments.config" else set())
    code = f"import sys, demo_score.{module}; print(*{slow} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=LIBRARY.parent, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []

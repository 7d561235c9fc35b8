"""Every method of the arena keeps the contract, and none delays the workflow's plan."""

import subprocess
import sys

import pytest
from demo_score.curation_methods import METHODS, title
from demo_score.entrants import CONTROLS, control_of
from demo_score.methods.base import NEEDS, Method
from demo_score.methods.registry import load, method_file
from places import REPOSITORY

SLOW = ("torch", "scipy", "sklearn", "mujoco")


@pytest.mark.parametrize("name", METHODS)
def test_method_keeps_the_contract(name: str) -> None:
    method = load(name)
    assert isinstance(method, Method)
    assert method.needs <= {*NEEDS}
    assert method.source
    assert method_file(name).is_file()
    method.settings.checked({}, name)  # every setting has a default


def test_titles_are_different() -> None:
    assert len({title(name) for name in (*METHODS, *CONTROLS)}) == len(METHODS) + len(CONTROLS)


def test_every_file_with_a_method_is_registered() -> None:
    folder = method_file("length").parent
    assert {path.stem for path in folder.glob("*.py") if "\nMETHOD = " in path.read_text()} == {*METHODS}


def test_importing_all_methods_imports_nothing_slow() -> None:
    code = (
        "import sys; from demo_score.methods.registry import load; from demo_score.curation_methods import METHODS;"
        f"[load(name) for name in METHODS]; print([name for name in {SLOW} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY / "workflow", capture_output=True, check=True)
    assert run.stdout.decode().strip() == "[]"


def test_controls_are_told_from_methods() -> None:
    assert control_of("random_3") == "random"
    assert control_of("length_matched") == "length_matched"
    assert control_of("length") is None
    assert title("random_3") == CONTROLS["random"]
    assert title("somebodys") == "somebodys"

"""An experiment that has passed its checks is not checked again, until anything that they look at changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from configurations import first_experiment
from conftest import one_line_error
from demo_score.config import store as settings_store
from demo_score.experiments import checks
from demo_score.experiments import config as workflow_config
from demo_score.experiments.checks import check_config


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(workflow_config._Store, "folder", tmp_path / "settings")
    settings_store._version.cache_clear()
    yield
    settings_store._version.cache_clear()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The seeds of each experiment that is checked."""
    calls, check = [], checks.check_experiment
    monkeypatch.setattr(checks, "check_experiment", lambda e: calls.append(e.seeds) or check(e))
    return calls


def config(**changes) -> dict:
    values = first_experiment()
    values["experiments"][values["run"][0]] |= changes
    return values


def test_it_is_checked_once(checked) -> None:
    for _ in range(3):
        check_config(config())
    assert len(checked) == 1


def test_another_one_is_checked(checked) -> None:
    for seeds in ([10000], [20000], [10000]):
        check_config(config(seeds=seeds))
    assert checked == [[10000], [20000]]


def test_one_that_fails_is_checked_each_time(checked) -> None:
    for _ in range(2):
        with one_line_error("seeds of demonstrations.unreliable"):
            check_config(config(seeds=[8000000]))
    assert len(checked) == 2


def test_an_edit_of_the_code_makes_it_checked_again(checked, monkeypatch) -> None:
    for version in ("before", "after", "after"):
        monkeypatch.setattr(settings_store, "library_version", lambda version=version: version)
        check_config(config())
    assert len(checked) == 2


def test_a_store_that_cannot_be_written_is_done_without(checked, tmp_path) -> None:
    (tmp_path / "settings").write_text("a file is in the way")
    for _ in range(2):
        check_config(config())
    assert len(checked) == 2

"""Digests of code are kept, until the code changes."""

from pathlib import Path

import pytest
from demo_score.runtime import code_store, dependencies


@pytest.fixture
def library(tmp_path, monkeypatch) -> Path:
    """A library of one file, beside which a command lies."""
    folder = tmp_path / "workflow" / dependencies.LIBRARY.name
    folder.mkdir(parents=True)
    (folder / "used.py").write_text("NUMBER = 1\n")
    (folder.parent / "command.py").write_text("from demo_score.used import NUMBER\nprint(NUMBER)\n")
    monkeypatch.setattr(dependencies, "LIBRARY", folder)
    monkeypatch.setattr(code_store, "LIBRARY", folder)
    monkeypatch.setattr(code_store, "STORE", folder / "__pycache__/code_digests")
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    return folder


def asked_anew(library: Path) -> str:
    """As another process asks."""
    for module in (dependencies, code_store):
        for cached in (getattr(module, name) for name in dir(module)):
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()
    return code_store.code_digest(library.parent / "command.py")


def stored(library: Path) -> list[Path]:
    return [path for path in (library / "__pycache__/code_digests").rglob("*") if path.is_file()]


def test_a_digest_is_computed_once(library) -> None:
    computed = asked_anew(library)
    assert computed == dependencies.code_digest(library.parent / "command.py")
    (file,) = stored(library)
    file.write_text(other := "0" * code_store.LENGTH)
    assert asked_anew(library) == other


@pytest.mark.parametrize("edited", ["command.py", "demo_score/used.py"])
def test_an_edit_is_seen_and_what_was_stored_before_a_change_of_the_library_is_removed(library, edited) -> None:
    before = asked_anew(library)
    (library.parent / edited).write_text((library.parent / edited).read_text().replace("NUMBER", "VALUE"))
    assert asked_anew(library) == dependencies.code_digest(library.parent / "command.py") != before
    assert len(stored(library)) == (2 if edited == "command.py" else 1)


def test_half_a_digest_counts_for_nothing(library) -> None:
    computed = asked_anew(library)
    (file,) = stored(library)
    file.write_text("0" * 7)
    assert asked_anew(library) == computed


def test_where_nothing_can_be_stored_it_is_computed(library) -> None:
    (library / "__pycache__").write_text("no folder")
    assert asked_anew(library) == dependencies.code_digest(library.parent / "command.py")


def test_nothing_is_stored_where_python_is_to_leave_no_caches(library, monkeypatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    asked_anew(library)
    assert not stored(library)

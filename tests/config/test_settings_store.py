"""Composed settings in files: the same as composed ones, until anything that they are made of changes."""

from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.config import store as settings_store
from demo_score.config.settings import compose_settings
from demo_score.config.store import compose_stored

OVERRIDES = ["env=pusht", "policy=diffusion", "seed=1", "training.offline_steps=10", "training.lr=1e-5"]
OVERRIDES += [f"training.{key}=10" for key in ("eval_freq", "save_freq")]

INCOMPLETE = ["env=aloha", "seed=???"]


@pytest.fixture(autouse=True)
def forget():
    settings_store._version.cache_clear()
    yield
    settings_store._version.cache_clear()


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list:
    """The compositions that Hydra makes."""
    calls = []

    def compose(overrides, **options):
        calls.append(overrides)
        return compose_settings(overrides, **options)

    monkeypatch.setattr(settings_store, "compose_settings", compose)
    return calls


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("complete", [True, False])
def test_stored_settings_are_composed_ones_to_the_letter(tmp_path, composed, complete) -> None:
    overrides = OVERRIDES if complete else INCOMPLETE
    stored = [compose_stored(overrides, complete, folder) for folder in (None, tmp_path, tmp_path)]
    expected = compose_settings(overrides, complete=complete)[0]
    assert len(composed) == 2
    for settings in stored:
        assert settings == expected and str(settings) == str(expected)
        assert str(settings.env) == str(expected.env)


def test_other_overrides_are_other_settings(tmp_path, composed) -> None:
    for lr in ("1e-5", "2e-5"):
        assert compose_stored([*OVERRIDES, f"training.lr={lr}"], True, tmp_path).training.lr == float(lr)
    with one_line_error("missing settings"):
        compose_stored(INCOMPLETE, True, tmp_path)
    assert compose_stored(INCOMPLETE, False, tmp_path).env.name == "aloha"
    assert len(files(tmp_path)) == 3


def test_an_edit_of_a_settings_file_empties_the_store(tmp_path, composed, monkeypatch) -> None:
    store = tmp_path / "store"
    compose_stored(OVERRIDES, True, store)
    old = files(store)
    configs = tmp_path / "configs"
    (configs / "env").mkdir(parents=True)
    (configs / "env/mine.yaml").write_text("fps: 25\n")
    monkeypatch.setattr(settings_store, "CONFIGS", configs)
    settings_store._version.cache_clear()
    compose_stored(OVERRIDES, True, store)
    assert len(composed) == 2 and len(files(store)) == 1 and files(store) != old


def test_settings_from_the_environment_are_composed_each_time(tmp_path, composed, monkeypatch) -> None:
    (tmp_path / "mine.yaml").write_text("fps: ${oc.env:FPS}\n")
    monkeypatch.setattr(settings_store, "CONFIGS", tmp_path)
    for _ in range(2):
        compose_stored(OVERRIDES, True, tmp_path / "store")
    assert len(composed) == 2 and not (tmp_path / "store").exists()


def test_damaged_file_is_composed_again(tmp_path, composed) -> None:
    expected = compose_stored(OVERRIDES, True, tmp_path)
    (file,) = files(tmp_path)
    file.write_bytes(file.read_bytes()[:100])
    assert compose_stored(OVERRIDES, True, tmp_path) == expected
    assert compose_stored(OVERRIDES, True, tmp_path) == expected
    assert len(composed) == 2


def test_a_store_that_cannot_be_written_is_done_without(tmp_path, composed) -> None:
    (tmp_path / "store").write_text("a file is in the way")
    assert compose_stored(OVERRIDES, True, tmp_path / "store").seed == 1
    assert files(tmp_path) == [tmp_path / "store"]

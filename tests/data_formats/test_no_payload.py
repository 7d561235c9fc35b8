"""Files that are read never run what is in them: pickles in place of every file, and tags in every YAML."""

import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
import torch
from conftest import TINY, one_line_error, random_episode, tiny_settings
from demo_score.analysis.inputs import read_classifiers
from demo_score.config.settings import compose_settings, load
from demo_score.curation.scoring import apply_filter
from demo_score.curation.settings import read_settings
from demo_score.curation.storage import load_description
from demo_score.data.formats import open_dataset, read_episodes
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.labels import read_labels
from demo_score.data.lists import read_entries
from demo_score.experiments.files import check_configfiles
from demo_score.ingest.inspection import inspect
from demo_score.ingest.preparation import read_data_settings
from demo_score.policies import make_policy
from demo_score.policies.checkpoints import load_policy, read_checkpoint_settings
from demo_score.runtime.errors import UserError
from demo_score.runtime.resume import ResumeFolder
from lerobot_fixture import write_lerobot
from pyarrow import parquet


class Payload:
    """Unpickling one makes the file `marker`."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple:
        return Path.touch, (self.marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that only a payload makes."""
    return tmp_path / "executed"


def test_the_payload_works(marker) -> None:
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists()


def ways_to_pickle(marker: Path) -> list[Callable[[Path], None]]:
    """Writers of a file that runs the payload when it is unpickled, as pickle, torch and numpy do it."""
    payload = Payload(marker)
    return [
        lambda path: path.write_bytes(pickle.dumps(payload)),
        lambda path: torch.save({"step": payload}, path),
        lambda path: torch.save({"step": payload}, path, _use_new_zipfile_serialization=False),
        lambda path: np.save(path.open("wb"), np.array([payload], dtype=object), allow_pickle=True),
        lambda path: np.savez(path.open("wb"), action=np.array([payload], dtype=object)),
    ]


def read_weights(path: Path) -> None:
    load_policy(path.parent, tiny_settings(), torch.device("cpu"))


def read_checkpoint(path: Path) -> None:
    read_checkpoint_settings(path.parent, TINY)


READERS = {
    "model.safetensors": read_weights,
    "classifiers.safetensors": load_description,
    "episodes.hdf5": read_episodes,
    "folder/episode_0.hdf5": lambda path: inspect(path.parent),
    "labels.csv": lambda path: read_labels(path, [0]),
    "list.txt": read_entries,
    "table.csv": read_entries,
    "lerobot/meta/info.json": lambda path: open_dataset(path.parents[1]),
    "config.yaml": lambda path: check_configfiles([path]),
    "data.yaml": read_data_settings,
    "settings.yaml": load,
    "classifiers.yaml": read_settings,
}


@pytest.mark.parametrize("way", range(5))
@pytest.mark.parametrize("name", READERS)
def test_a_pickle_in_place_of_a_file_is_not_loaded(tmp_path, marker, name, way) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    ways_to_pickle(marker)[way](path)
    if name == "folder/episode_0.hdf5":
        assert READERS[name](path).problems
    else:
        with pytest.raises((UserError, OSError, UnicodeDecodeError)):
            READERS[name](path)
    assert not marker.exists()


@pytest.mark.parametrize("way", range(5))
def test_a_pickle_in_place_of_a_state_begins_the_work_anew(tmp_path, marker, way) -> None:
    folder = ResumeFolder(tmp_path, "training", "0" * 16)
    folder.path.mkdir(parents=True)
    ways_to_pickle(marker)[way](folder.path / "state.pt")
    assert folder.load() is None and not marker.exists()


def test_a_pickle_inside_of_data_is_not_loaded(tmp_path, marker) -> None:
    content = np.frombuffer(pickle.dumps(Payload(marker)), np.uint8)
    write_aloha(tmp_path / "aloha", [random_episode(3)])
    with h5py.File(tmp_path / "aloha/episode_0.hdf5", "r+") as file:
        file["observations/images/top"] = np.tile(content, (3, 1))  # a JPEG a row, elsewhere
        file["observations/odd"] = np.void(content.tobytes())
        file.attrs["sim"] = np.void(content.tobytes())
    assert any("images" in str(problem) or "odd" in str(problem) for problem in inspect(tmp_path / "aloha").problems)
    folder = write_lerobot(tmp_path / "lerobot", video=False, images={"observation.image": (8, 8)})
    (file,) = (folder / "data").rglob("*.parquet")
    table = parquet.read_table(file)
    cells = pa.array([{"bytes": content.tobytes(), "path": None}] * table.num_rows)
    position = table.column_names.index("observation.image")
    parquet.write_table(table.set_column(position, "observation.image", cells), file)
    assert inspect(folder).problems
    assert not marker.exists()


def write_classifier(folder: Path, text: str) -> Path:
    path = folder / "seed1/demo_score/classifier.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def filter_by(path: Path) -> None:
    lists = [path.with_name(name) for name in ("scores.csv", "demos.txt", "both.txt")]
    apply_filter(path, path.with_name("demonstrations.txt"), [], *lists)


YAML_READERS = {
    "config.yaml": lambda path: check_configfiles([path]),
    "data.yaml": read_data_settings,
    "settings.yaml": load,
    "classifiers.yaml": read_settings,
    "default.yaml": lambda path: compose_settings(["seed=0"], path.parent),
    "experiment/mine.yaml": lambda path: compose_settings(["seed=0"], path.parent, "mine"),
    "seed1/demo_score/classifier.yaml": lambda path: read_classifiers([path]),
    "seed2/demo_score/classifier.yaml": filter_by,
}


@pytest.mark.parametrize("name", YAML_READERS)
@pytest.mark.parametrize("tag", ["python/object/apply:os.system", "python/object/new:os.system", "python/name:os"])
def test_a_tag_in_yaml_makes_nothing(tmp_path, marker, name, tag) -> None:
    path = tmp_path / "files" / name
    path.parent.mkdir(parents=True)
    (path.parent / "model.safetensors").touch()
    path.write_text(f"file: a\nmember: 0\nthreshold: !!{tag} [!!python/object/apply:pathlib.Path ['{marker}']]\n")
    with one_line_error(path, "line 3", "is not read"):
        YAML_READERS[name](path)
    assert not marker.exists()


def test_a_target_of_hydra_is_no_more_than_a_setting(marker) -> None:
    """Hydra's own `instantiate` would call it; nothing here does."""
    overrides = ["+policy._target_=pathlib.Path.touch", f"+policy._args_=[{marker}]"]
    settings = compose_settings([*TINY, *overrides])[0]
    make_policy(settings)
    assert settings.policy._target_ == "pathlib.Path.touch" and not marker.exists()


def test_a_setting_may_not_ask_for_python() -> None:
    with one_line_error("eval"):
        compose_settings([*TINY, "wandb.notes=${eval:'1+1'}"])

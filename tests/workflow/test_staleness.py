"""User-supplied data that change make stale what was listed of them, whatever their files' times say."""

import os
import shutil
from pathlib import Path

import h5py
import pytest
import yaml
from conftest import random_episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import Entry, read_table, write_table
from miniature import copy_repository, snakemake

pytestmark = pytest.mark.slow

CONFIG = "tests/tiny/bring_your_own.yaml"
TABLE = "results/own/problems.csv"


def written(path: Path, seed: int, step: str) -> None:
    write_episodes(path, [random_episode(5, seed + n, checkpoint=step, success=n == 0) for n in range(2)], {"fps": 10})


def test_older_files_in_the_place_of_given_data_and_of_what_they_link_to_are_noticed(tmp_path) -> None:
    folder = copy_repository(tmp_path / "repository")
    data = folder / "my {data}/of.today"
    data.mkdir(parents=True)
    written(tmp_path / "older.hdf5", 100, "003000")
    os.utime(tmp_path / "older.hdf5", (10**9, 10**9))
    for number, step in enumerate(["003000", "004000", "005000"]):
        written(data / f"part_{step}.hdf5", 10 * number, step)
    written(data / "demos.hdf5", 50, "003000")
    with h5py.File(data / "rollouts_003000.hdf5", "w") as file:
        file["data"] = h5py.ExternalLink("part_003000.hdf5", "data")
    for step in ["004000", "005000"]:
        (data / f"rollouts_{step}.hdf5").symlink_to(f"part_{step}.hdf5")
    config = yaml.safe_load((folder / CONFIG).read_text())
    config["run"] = ["own"]
    own = config["experiments"].pop("own")
    del config["experiments"]["own_trained"]
    own["demonstrations"]["mine"]["path"] = "my {data}/of.today/demos.hdf5"
    own["rollouts"]["path"] = "my {data}/of.today/rollouts_{checkpoint}.hdf5"
    config["experiments"]["own"] = own
    (folder / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False))
    run = snakemake(folder, TABLE, configfile=CONFIG)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]

    def is_stale() -> bool:
        run = snakemake(folder, TABLE, "--dry-run", configfile=CONFIG)
        assert run.returncode == 0, run.stderr
        return "prepare_data_own" in run.stdout

    assert not is_stale()
    for path in data.iterdir():
        path.touch()
    assert not is_stale()
    for name in ("part_003000.hdf5", "part_005000.hdf5", "demos.hdf5"):
        shutil.copy2(data / name, tmp_path / "kept.hdf5")
        shutil.copy2(tmp_path / "older.hdf5", data / name)
        assert is_stale()
        shutil.copy2(tmp_path / "kept.hdf5", data / name)
        assert not is_stale()


def test_tables_of_other_data_are_other_tables_so_that_a_run_that_was_stopped_after_them_goes_on(tmp_path) -> None:
    entries = [Entry(tmp_path / "a.hdf5", 0, True, "003000")]
    write_episodes(tmp_path / "a.hdf5", [random_episode(5, 0)], {})
    tables = {content: tmp_path / f"{content}.csv" for content in ("one", "two", None)}
    for content, path in tables.items():
        write_table(path, entries, content)
        assert read_table(path) == entries
    assert len({path.read_bytes() for path in tables.values()}) == 3

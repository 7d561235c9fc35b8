"""A data set of RoboMimic's form goes through the whole workflow: operators by filter keys, rollouts in robosuite."""

import json
from pathlib import Path

import h5py
import pandas as pd
import pytest
import yaml

pytest.importorskip("robosuite", reason="make robosuite installs it")

from demo_score.data.formats import open_dataset
from demo_score.data.lists import read_list
from miniature import copy_repository, snakemake
from robosuite_recording import record

pytestmark = pytest.mark.slow

CONFIG = "tests/tiny/robomimic.yaml"
RUN = "results/mimic/seed10000"
DATA = "data/low_dim.hdf5"
TARGETS = ["results/mimic/tables/success.csv", "results/mimic/arena/tables/arena_uplift.csv"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("robomimic"))
    (folder / "data").mkdir()
    record(folder / DATA, "Lift", {"better": 4, "worse": 4})
    with h5py.File(folder / DATA, "a") as file:  # a task in which policies of seconds succeed, see robosuite_models
        described = json.loads(file["data"].attrs["env_args"]) | {"env_name": "TinyLift"}
        file["data"].attrs["env_args"] = json.dumps(described)
    run = snakemake(folder, *TARGETS, configfile=CONFIG)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return folder


def test_policies_learn_from_the_file_and_are_tried_in_its_environment(finished) -> None:
    settings = yaml.safe_load((finished / RUN / "base/settings.yaml").read_text())
    assert settings["env"]["task"] == "TinyLift" and settings["env"]["env_kwargs"]["robots"] == ["Panda"]
    assert settings["policy"]["input_shapes"] == {"observation.state": [9], "observation.environment_state": [10]}
    rollouts = open_dataset(finished / RUN / "rollouts/000040.hdf5")
    assert {"observation.state", "observation.robot0_eef_pos", "observation.object"} <= rollouts.features().keys()
    outcomes = [episode.success for episode in rollouts.read(keys=[])]
    assert any(outcomes) and not all(outcomes)
    assert rollouts.env_args()["env_name"] == "TinyLift"


def test_operators_are_strategies_and_masks_are_honoured(finished) -> None:
    file = open_dataset(finished / DATA)
    chosen = file.filter_keys()["better_train"] + file.filter_keys()["worse_train"]
    assert 0 < len(chosen) < 8
    scores = pd.read_csv(finished / RUN / "demo_score/scores.csv").query("kind == 'demonstration'")
    assert sorted(scores["episode"]) == sorted(chosen) and set(scores["actor"]) == {"better", "worse"}
    (oracle,) = read_list(finished / RUN / "arena/own/oracle/datasets_file.txt").values()
    assert sorted(oracle) == file.filter_keys()["better_train"]


def test_final_policies_train_on_kept_rollouts_and_demonstrations_and_are_compared(finished) -> None:
    lists = read_list(finished / RUN / "demo_score_datasets/demo_score_rollouts_plus_demos.txt")
    assert len(lists) >= 2
    success = pd.read_csv(finished / "results/mimic/tables/success.csv")
    assert set(success["condition"]) == {"base", "curated_rollouts_plus_demos"}
    arena = pd.read_csv(finished / "results/mimic/arena/tables/arena_uplift.csv")
    assert {"smoothness", "random"} <= set(arena["entrant"])


def test_another_environment_in_the_file_makes_policies_stale(finished) -> None:
    assert "Nothing to be done" in snakemake(finished, *TARGETS, "--dry-run", configfile=CONFIG).stdout
    with h5py.File(finished / DATA, "a") as file:
        described = json.loads(file["data"].attrs["env_args"])
        described["env_kwargs"]["reward_shaping"] = True
        file["data"].attrs["env_args"] = json.dumps(described)
    assert "compose_settings" in snakemake(finished, *TARGETS, "--dry-run", configfile=CONFIG).stdout

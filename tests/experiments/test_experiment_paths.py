"""Where files of an experiment lie, and which follow from what it has."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from configurations import delivered, read_experiment
from demo_score.experiments.paths import ExperimentPaths
from places import REPOSITORY

RUN = "results/tiny/seed10000"


@pytest.fixture
def experiment() -> dict:
    """That of the miniature."""
    return deepcopy(yaml.safe_load((REPOSITORY / "tests/tiny/config.yaml").read_text())["experiments"]["tiny"])


@pytest.fixture
def supplied() -> dict:
    """The experiment of user-supplied data, with no policy."""
    return deepcopy(delivered()["experiments"]["bring_your_own"])


def paths_of(name: str, experiment: dict) -> ExperimentPaths:
    return ExperimentPaths(name, read_experiment(experiment))


def test_collected_data_lie_in_files_of_their_own(experiment) -> None:
    paths = paths_of("tiny", experiment)
    folder = "results/tiny/demonstrations"
    assert paths.demonstrations() == [f"{folder}/reliable.hdf5", f"{folder}/unreliable.hdf5"]
    assert paths.all_demonstrations() == f"{folder}/all.txt"
    assert paths.rollouts(10000) == [f"{RUN}/rollouts/000300.hdf5", f"{RUN}/rollouts/000400.hdf5"]
    assert paths.user_tables() == paths.problems() == paths.data_settings() == []


def test_user_supplied_data_lie_in_tables_that_all_runs_share(supplied) -> None:
    paths = paths_of("own", supplied)
    assert paths.demonstrations() == [paths.all_demonstrations()] == ["results/own/demonstrations/all.csv"]
    assert (
        paths.rollouts(1)
        == paths.rollouts(2)
        == [f"results/own/rollouts/{step}.csv" for step in supplied["rollouts"]["eps"]]
    )
    assert paths.user_tables() == [paths.all_demonstrations(), *paths.rollouts(None)]
    assert paths.problems() == ["results/own/problems.csv"]
    run = f"results/own/seed{supplied['seeds'][0]}/demo_score_datasets/"
    exports = {path for path in paths.targets() if path.startswith(run)}
    assert exports == {f"{run}demo_score_demos_only", f"{run}demo_score_rollouts_plus_demos"}
    assert not [path for path in paths.targets() if "checkpoints" in path]


def test_each_condition_trains_on_its_list_and_the_files_it_names(experiment) -> None:
    paths = paths_of("tiny", experiment)
    assert paths.datasets_file(10000, "base") == paths.all_demonstrations()
    assert paths.datasets_file(10000, "random") == f"{RUN}/random/datasets_file.txt"
    assert paths.listed_episodes(10000, "random") == paths.demonstrations()
    both = paths.demonstrations() + paths.rollouts(10000)
    assert paths.listed_episodes(10000, "curated_rollouts_plus_demos") == both
    assert paths.final_checkpoint(10000, "base") == f"{RUN}/base/checkpoints/000400/model.safetensors"
    assert paths.final_checkpoint(10000, "random") == f"{RUN}/random/checkpoints/000060/model.safetensors"


def test_architectures_are_compared_where_there_are_several(experiment) -> None:
    paths = paths_of("tiny", experiment)
    table = f"{RUN}/demo_score/architectures.csv"
    assert paths.architectures() == [table] and table in paths.inputs_of_seed(10000)
    del experiment["classifiers"]["model_archs"]["small_transformer"]
    alone = paths_of("tiny", experiment)
    assert alone.architectures() == [] and table not in alone.inputs_of_seed(10000)


def test_conditions_go_on_from_the_base_policy_where_they_are_to(experiment) -> None:
    assert paths_of("tiny", experiment).start_of_training(10000, "random") is None
    experiment["final_policy"]["init_from"] = "base"
    paths = paths_of("tiny", experiment)
    assert paths.start_of_training(10000, "random") == paths.final_checkpoint(10000, "base")
    assert paths.start_of_training(10000, "base") is None


def test_files_that_settings_of_a_training_name_are_among_its_inputs(experiment, tmp_path) -> None:
    """A table of weights, and a checkpoint of which a training goes on: both may change."""
    assert paths_of("tiny", experiment).named_in_settings("base") == []
    start = tmp_path / "000100"
    named = ["training.sample_weights=weights.csv", f"training.init_from={start}"]
    experiment["base_policy"]["overrides"] += named
    paths = paths_of("tiny", experiment)
    assert paths.named_in_settings("base") == ["weights.csv", str(start)]
    assert paths.named_in_settings("random") == []
    start.mkdir()
    for name in ("model.safetensors", "settings.yaml"):
        (start / name).touch()
    assert paths.named_in_settings("base") == ["weights.csv", str(start / "model.safetensors")]


def test_candidates_are_those_of_the_architecture_that_filters(experiment) -> None:
    best = paths_of("tiny", experiment).candidate_classifiers(10000)
    assert len(best) == 4
    experiment["demo_score"]["model_arch"] = "small_stepwise"
    chosen = paths_of("tiny", experiment).candidate_classifiers(10000)
    assert chosen == [path for path in best if "small_stepwise" in path] and len(chosen) == 2


def test_tables_and_figures_follow_from_what_is_evaluated(experiment) -> None:
    whole = paths_of("tiny", experiment)
    assert whole.is_compared() and len(whole.figures()) == 16 and len(whole.evaluations()) == 4
    del experiment["evaluation"]
    part = paths_of("tiny", experiment)
    assert not part.is_compared() and part.checkpoints_along_training(10000) == []
    gone = {Path(path).stem for path in {*whole.figures(), *whole.tables()} - {*part.figures(), *part.tables()}}
    assert gone == {"success", "differences", "detection"}
    assert {Path(path).stem for path in part.recordings()} == {"demonstrations"}


def test_what_tables_follow_from_is_each_file_once(experiment) -> None:
    paths = paths_of("tiny", experiment)
    files = paths.inputs_of_seed(10000) + paths.inputs_of_all_seeds()
    assert len(set(files)) == len(files)
    assert {paths.final_checkpoint(10000, "base"), *paths.rollouts(10000), *paths.demonstrations()} <= set(files)

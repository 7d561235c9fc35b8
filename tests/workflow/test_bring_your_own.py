"""Demonstrations and rollouts in LeRobot folders, from the workflow's first rule to keep-lists in every form."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from demo_score.curation_methods import METHODS
from demo_score.data.formats import open_dataset
from demo_score.data.formats.robomimic import RobomimicFile, write_episodes
from demo_score.data.lists import read_list
from fixture_content import demonstrations, rollouts
from miniature import copy_repository, digests, snakemake
from places import TESTS

pytestmark = pytest.mark.slow

CONFIG = "tests/tiny/bring_your_own.yaml"
DATA = "tests/data/bring_your_own"
OWN = "results/own/seed10000"
CONDITIONS = ["base", "curated_demos", "curated_rollouts_plus_demos", "random"]


def copied(folder: Path) -> Path:
    shutil.copytree(TESTS / "data", folder / "tests/data")
    return copy_repository(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(tmp_path_factory.mktemp("bring your own"))
    run = snakemake(folder, "all", "arena", configfile=CONFIG)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return folder


def test_the_filter_keeps_the_way_that_succeeds(finished) -> None:
    selection = read_list(finished / OWN / "demo_score_datasets/demo_score_demos_only.txt")
    assert [path.resolve() for path in selection] == [(finished / DATA / "demonstrations").resolve()]
    ways = [content.way for content in demonstrations()]
    (kept,) = selection.values()
    assert len(kept) >= 9 and np.mean([ways[number] == "over" for number in kept]) > 0.8
    dropped = set(range(len(ways))) - set(kept)
    assert len(dropped) >= 9 and np.mean([ways[number] == "under" for number in dropped]) > 0.8


def test_failed_rollouts_are_not_kept(finished) -> None:
    selection = read_list(finished / OWN / "demo_score_datasets/demo_score_rollouts_plus_demos.txt")
    found = {path.name: numbers for path, numbers in selection.items()}
    for step in ("003000", "004000", "005000"):
        success = [content.success for content in rollouts(step)]
        assert found[f"rollouts_{step}"] and all(success[number] for number in found[f"rollouts_{step}"])


def test_keep_lists_are_lerobots_options_too(finished) -> None:
    folder = finished / OWN / "demo_score_datasets/demo_score_demos_only"
    (kept,) = read_list(f"{folder}.txt").values()
    texts = {half: (folder / f"demonstrations.{half}.txt").read_text() for half in ("kept", "remaining")}
    numbers = {half: json.loads(text.removeprefix("--dataset.episodes=")) for half, text in texts.items()}
    assert numbers["kept"] == kept and sorted(kept + numbers["remaining"]) == list(range(24))
    assert {path.name for path in folder.iterdir()} >= {"demonstrations.kept.txt", "episodes.csv"}


def test_every_method_of_the_arena_scores_and_keeps_recorded_data(finished) -> None:
    run = finished / "results/own_trained/seed10000/arena"
    scores = {path.stem: pd.read_csv(path) for path in (run / "scores").glob("*.csv")}
    assert {*scores} == {*METHODS}
    for name, table in scores.items():
        assert list(table["episode"]) == list(range(24)), name
    kept = {folder.name: read_list(folder / "datasets_file.txt") for folder in (run / "own").iterdir()}
    assert {*kept} == {*METHODS, "random_1", "length_matched"}
    assert len({sum(map(len, chosen.values())) for chosen in kept.values()}) == 1
    agreement = pd.read_csv(finished / "results/own_trained/arena/tables/arena_agreement.csv")
    assert {*agreement["method"], *agreement["other"]} == {*METHODS}
    assert not (finished / "results/own_trained/arena/tables/arena_uplift.csv").exists()
    assert not list(run.rglob("model.safetensors"))


def test_tables_tell_of_the_curation_alone(finished) -> None:
    tables = finished / "results/own/tables"
    written = {
        "checkpoints.csv",
        "kept.csv",
        "classifiers.csv",
        "architectures.csv",
        "summary.md",
        "manifest.json",
        "run.json",
    }
    assert {path.name for path in tables.iterdir()} == written
    rates = pd.read_csv(tables / "checkpoints.csv").set_index("step")
    assert set(rates["seed"]) == {"user", "all"}
    rates = rates[rates["seed"] == "user"]
    assert rates["successes"].to_dict() == {3000: 18, 4000: 14, 5000: 14}
    summary = (tables / "summary.md").read_text()
    assert "| 003000 | 30 | 60.0 [42.3, 75.4] |" in summary and "of 24 mine" in summary
    figures = {path.stem for path in (finished / "results/own/figures").iterdir()}
    assert figures == {"checkpoints", "kept", "classifier_curves", "scores", "traces"}


def test_user_supplied_data_are_inputs_of_the_tables(finished) -> None:
    for name in ("own", "own_trained"):
        manifest = json.loads((finished / f"results/{name}/tables/manifest.json").read_text())
        assert f"{DATA}/rollouts_005000/meta/info.json" in manifest["inputs"]
    by_hand(finished, "tools/verify.py")


def test_policies_train_on_all_and_on_what_was_kept(finished) -> None:
    runs = finished / "results/own_trained/seed10000"
    lists = {}
    for condition in CONDITIONS:
        assert (runs / condition / "checkpoints/000020/model.safetensors").is_file()
        settings = yaml.safe_load((runs / condition / "settings.yaml").read_text())
        assert settings["policy"]["input_shapes"] == {"observation.state": [4]}
        lists[condition] = finished / settings["datasets_file"]
    assert lists["curated_demos"] == runs / "demo_score_datasets/demo_score_demos_only.txt"
    sizes = {condition: sum(map(len, read_list(path).values())) for condition, path in lists.items()}
    assert sizes["curated_demos"] == sizes["random"] < sizes["curated_rollouts_plus_demos"]


def test_sources_are_as_they_were(finished) -> None:
    for path in (finished / "tests/data").rglob("*"):
        if path.is_file():
            original = TESTS / "data" / path.relative_to(finished / "tests/data")
            assert path.read_bytes() == original.read_bytes(), path


def test_second_run_has_nothing_to_do(finished) -> None:
    assert snakemake(finished, "--dry-run", configfile=CONFIG).stdout.count("Nothing to be done") == 1


def test_changed_data_are_listed_and_filtered_again(finished, tmp_path) -> None:
    folder = shutil.copytree(finished, tmp_path / "edited", symlinks=True)
    labels = "".join(f"{int(content.success)}\n" for content in rollouts("005000"))
    config = yaml.safe_load((folder / CONFIG).read_text())
    config["run"] = ["own"]
    (folder / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False))
    target = f"{OWN}/demo_score_datasets/demo_score_demos_only.txt"
    assert snakemake(folder, target, "--dry-run", configfile=CONFIG).stdout.count("Nothing to be done") == 1
    (folder / DATA / "rollouts_005000/labels.csv").write_text(labels)
    run = snakemake(folder, target, "--dry-run", configfile=CONFIG)
    assert {"prepare_data_own", "train_classifiers", "apply_filter"} <= set(run.stdout.split())


def by_hand(folder: Path, script: str, *arguments: object) -> None:
    command = [sys.executable, f"workflow/scripts/{script}", *map(str, arguments)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_commands_by_hand_give_the_same_bits(finished, tmp_path) -> None:
    """In a folder of their own, with paths relative to it: lists and tables must not depend on where they are made."""
    folder = tmp_path / "by hand"
    shutil.copytree(finished / "tests/data", folder / "tests/data")
    shutil.copytree(finished / "workflow", folder / "workflow")
    (folder / "data.yaml").write_text((finished / "results/own/data.yaml").read_text())
    results, run = folder / "results/own", folder / OWN
    steps = {step: results / f"rollouts/{step}.csv" for step in ("003000", "004000", "005000")}
    content = pd.read_csv(finished / "results/own/demonstrations/all.csv")["content"][0]
    by_hand(folder, "prepare_data.py", "--settings", "data.yaml", "--out-dir", results, "--content", content)
    classifiers, metrics = run / "classifiers/last_held_out/small_stepwise.safetensors", tmp_path / "metrics.csv"
    sweep = finished / "results/own/classifiers/small_stepwise.yaml"
    splits = ["--train", steps["003000"], steps["004000"], "--cross-val", steps["005000"]]
    arguments = ["--settings", sweep, "--model-arch", "small_stepwise", *splits, "--out", classifiers]
    by_hand(folder, "train_classifiers.py", *arguments, "--metrics", metrics)
    chosen, lists = run / "demo_score/classifier.yaml", run / "demo_score_datasets"
    arguments = ["--model-arch", "best", "--threshold", "balanced", "--classifiers", classifiers, "--out", chosen]
    by_hand(folder, "select_classifier.py", *arguments)
    arguments = ["--classifier", chosen, "--demonstrations", results / "demonstrations/all.csv", "--rollouts"]
    arguments += [*steps.values(), "--scores", run / "demo_score/scores.csv"]
    arguments += ["--demos-only", lists / "demo_score_demos_only.txt"]
    arguments += ["--rollouts-plus-demos", lists / "demo_score_rollouts_plus_demos.txt"]
    by_hand(folder, "apply_filter.py", *arguments, "--run-seed", "10000")
    patterns = ["own/**/*.csv", "own/seed10000/**/*.txt", "own/**/*.safetensors"]
    made, expected = digests(folder, *patterns), digests(finished, *patterns)
    assert len(made) >= 9 and {name: expected[name] for name in made} == made


def test_bad_data_stop_the_run_with_their_names_and_a_way_on(tmp_path) -> None:
    folder = copied(tmp_path / "bad")
    next((folder / DATA / "rollouts_004000/data").rglob("*.parquet")).write_bytes(b"PAR1 and no more")
    run = snakemake(folder, f"{OWN}/demo_score/scores.csv", configfile=CONFIG)
    assert run.returncode == 1 and "Traceback" not in (folder / "logs/own/data.log").read_text()
    *problems, last = (folder / "logs/own/data.log").read_text().splitlines()
    assert last.startswith("error: 30 problems in the data") and "problems: skip" in last
    assert any("rollouts_004000 episode 0" in line and "damaged" in line for line in problems)
    assert not (folder / "results/own/rollouts").exists()


def test_a_path_where_nothing_lies_is_one_line_before_anything_runs(tmp_path) -> None:
    folder = copied(tmp_path / "moved")
    shutil.rmtree(folder / DATA / "rollouts_005000")
    run = snakemake(folder, "--dry-run", configfile=CONFIG)
    lines = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("error: ")]
    where = (
        "experiments.own: user-supplied data: rollouts.path: nothing lies at tests/data/bring_your_own/rollouts_005000"
    )
    assert run.returncode == 2 and [line.startswith(f"error: {where}") for line in lines] == [True]


def test_robomimic_files_end_in_a_copy_with_a_filter_key(tmp_path) -> None:
    folder = copied(tmp_path / "robomimic")
    for path in (folder / DATA).iterdir():
        dataset = open_dataset(path)
        write_episodes(folder / f"{path.name}.hdf5", dataset.read(), {})
    config = yaml.safe_load((folder / CONFIG).read_text())
    config["run"] = ["own"]
    config["experiments"]["own"]["demonstrations"]["mine"] = {"path": "demonstrations.hdf5"}
    config["experiments"]["own"]["rollouts"]["path"] = "rollouts_{checkpoint}.hdf5"
    (folder / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False))
    lists = f"{OWN}/demo_score_datasets"
    run = snakemake(folder, f"{lists}/demo_score_demos_only", configfile=CONFIG)
    assert run.returncode == 0, run.stdout[-2000:]
    copy = folder / lists / "demo_score_demos_only/demonstrations.hdf5"
    (kept,) = read_list(folder / lists / "demo_score_demos_only.txt").values()
    assert RobomimicFile(copy).filter_keys()["demo_score"] == kept
    with h5py.File(copy) as file, h5py.File(folder / "demonstrations.hdf5") as source:
        assert "mask" not in source and set(file["data"]) == set(source["data"])


def test_given_demonstrations_and_collected_rollouts_go_together(finished) -> None:
    """Somebody's demonstrations of a task that has an environment here: all five steps."""
    config = yaml.safe_load((finished / "config.yaml").read_text())
    experiment = config["experiments"]["aloha_cube_state"]
    experiment["demonstrations"] = {"mine": {"path": f"{DATA}/demonstrations"}}
    experiment["final_policy"] |= {"oracle": [], "conditions": ["curated_demos"]}
    (finished / "supplied.yaml").write_text(
        yaml.safe_dump({"run": ["supplied"], "experiments": {"supplied": experiment}})
    )
    rules = stale_rules_of(finished, "supplied.yaml")
    assert {"prepare_data_supplied", "collect_rollouts", "evaluate", "make_tables", "export_lists"} <= rules
    assert "collect_demonstrations" not in rules and "list_demonstrations" not in rules


def stale_rules_of(folder: Path, configfile: str) -> set[str]:
    lines = snakemake(folder, "--dry-run", configfile=configfile).stdout.splitlines()
    table = lines[lines.index("Job stats:") + 3 :]
    return {line.split()[0] for line in table[: table.index("")]} - {"total"}

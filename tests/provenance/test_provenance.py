"""Manifests name what made a result; `verify` names what no longer follows."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from demo_score.provenance.manifest import ARENA_SCRIPTS, SCRIPTS, describe_machine, write_manifest
from demo_score.provenance.verify import verify
from finished_experiment import MINE, edit, finish, finished, flip, made, problems
from places import REPOSITORY
from torch.backends.cpu import get_cpu_capability

pytestmark = pytest.mark.slow

__all__ = ["finished", "made"]  # the fixtures


def test_manifest_names_inputs_tables_code_packages_and_seeds(finished) -> None:
    manifest = json.loads((MINE / "tables/manifest.json").read_text())
    assert {"results/mine/demonstrations/all.txt", "results/mine/seed20000/random/evaluation.csv"} <= set(
        manifest["inputs"]
    )
    assert {Path(name).name for name in manifest["tables"]} == {"summary.md"} | {
        f"{name}.csv"
        for name in ("success", "differences", "checkpoints", "kept", "classifiers", "detection", "architectures")
    }
    assert manifest["seeds"] == [10000, 20000] and set(manifest["code"]) == set(SCRIPTS)
    assert {"torch", "mujoco", "snakemake"} <= manifest["packages"].keys()
    run = json.loads((MINE / "tables/run.json").read_text())
    assert run["seconds_between"] >= 0 and {"commit", "host", "machine", "python", "first_file"} <= run.keys()
    assert run["cpu_capability"] == get_cpu_capability()
    assert run["ATEN_CPU_CAPABILITY"] == os.environ.get("ATEN_CPU_CAPABILITY")


def test_manifest_is_the_same_in_another_folder(finished, tmp_path_factory, monkeypatch) -> None:
    other = tmp_path_factory.mktemp("other")
    monkeypatch.chdir(other)
    finish(other)
    name = MINE / "tables/manifest.json"
    assert (other / name).read_bytes() == (finished / name).read_bytes()


def test_files_of_given_data_are_inputs(finished) -> None:
    Path("theirs").mkdir()
    Path("theirs/episode_0.hdf5").write_bytes(b"theirs")
    Path("data.yaml").write_text("demonstrations: {mine: {path: theirs}}\n")
    arguments = ({"seeds": []}, [], [], [MINE / "tables/kept.csv"], Path("data.yaml"), MINE / "tables/manifest.json")
    write_manifest(*arguments)
    assert list(json.loads((MINE / "tables/manifest.json").read_text())["inputs"]) == ["theirs/episode_0.hdf5"]


def test_code_covers_every_command_before_the_tables() -> None:
    rules = [path.read_text() for path in REPOSITORY.glob("rules/*.smk")]
    named = {name for text in rules for name in re.findall(r"python workflow/scripts/(\w+\.py)", text)}
    later = {"plot.py", "record_rollouts.py", "export_list.py", "digest_inputs.py", "write_manifest.py"}
    later |= {"trace_scores.py", "trace_paths.py", "record_demonstrations.py", "write_pages.py", "write_answer.py"}
    assert named - later == {*SCRIPTS, *ARENA_SCRIPTS}


def test_commit_is_marked_where_the_code_differs_from_it_not_where_results_do(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("code.py", "results/table.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("committed")
    for command in (["init"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "first"]):
        subprocess.run(["git", *command], check=True, capture_output=True)
    Path("results/table.csv").write_text("published anew")
    commit = describe_machine()["commit"]
    assert re.fullmatch("[0-9a-f]{40}", commit)
    Path("code.py").write_text("edited")
    assert describe_machine()["commit"] == f"{commit}-dirty"


def test_finished_experiment_follows(finished) -> None:
    found, notes = verify(Path("results"), [Path("README.md")])
    assert found == [] and "14 inputs" not in notes[0] and "results/mine" in notes[0]


def test_edited_number_of_a_table_is_named(finished) -> None:
    edit(MINE / "tables/success.csv", r"^(oracle,10000,1,40,\d+),[\d.]+", r"\1,0.123")
    digest, row = problems()
    assert digest == "results/mine/tables/success.csv: changed since its manifest was written"
    assert re.search(
        r"success.csv: row oracle 10000: rate 0.123 does not follow from seed10000/oracle/evaluation.csv", row
    )


def test_edited_input_is_named_with_every_number_that_follows_from_it(finished) -> None:
    path = MINE / "seed20000/random/evaluation.csv"
    flip(path)
    first, *rows = problems()
    assert first.startswith(f"{path}: changed since the tables were made") and "success and differences" in first
    assert any("success.csv: row random 20000: successes" in row for row in rows)
    assert any("success.csv: row random all: successes" in row for row in rows)
    assert any("differences.csv: row oracle random all: difference" in row for row in rows)
    assert any("summary.md: line" in row for row in rows)
    assert not any(" 10000: " in row for row in rows)


def test_changed_checkpoint_is_named_though_the_tables_can_be_made_again(finished) -> None:
    path = MINE / "seed10000/base/checkpoints/003000/model.safetensors"
    path.write_bytes(b"others")
    (line,) = problems()
    assert line.startswith(f"{path}: changed") and "of run 10000" in line


def test_changed_outcomes_of_rollouts_are_named_with_their_run(finished) -> None:
    path = MINE / "seed10000/rollouts.csv"
    path.write_text(path.read_text() + "\n")
    (line,) = problems()
    assert line.startswith(f"{path}: changed") and "the numbers of run 10000" in line


@pytest.mark.parametrize("name", ["seed10000/demo_score/scores.csv", "demonstrations/all.txt"])
def test_deleted_input_is_named(finished, name) -> None:
    (MINE / name).unlink()
    (line,) = problems()
    assert line.startswith(f"{MINE / name}: missing since the tables were made")


def test_damaged_input_or_manifest_is_one_line(finished) -> None:
    (MINE / "seed10000/demo_score/scores.csv").write_text("kind\n")
    assert any("cannot be made again" in line and "has no column" in line for line in problems())
    (MINE / "tables/manifest.json").write_text('{"inputs": ')
    (line,) = problems()
    assert "not a manifest" in line


def test_folder_without_a_manifest_is_said_to_be_unchecked(finished) -> None:
    (MINE / "tables/manifest.json").unlink()
    found, notes = verify(Path("results"), [Path("README.md")])
    assert found == [] and "not checked: no tables/manifest.json" in notes[0]


def test_verify_finds_the_files_from_any_folder(finished, monkeypatch) -> None:
    monkeypatch.chdir(finished / "results/mine")
    assert problems("..") == problems(".") == problems(str(finished / "results")) == []
    Path("demonstrations/all.txt").unlink()
    assert len(problems(".")) == 1

"""Manifests name what made a result; `verify` names what no longer follows; publishing takes everything along."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import one_line_error
from demo_score.evaluation.tables import make_tables
from demo_score.provenance.manifest import SCRIPTS, describe_machine, write_digests, write_manifest
from demo_score.provenance.publish import publish
from demo_score.provenance.verify import verify
from synthetic_results import write_experiment

REPOSITORY = Path(__file__).parents[1]
MINE = Path("results/mine")
ARMS_TABLE = "| Arm | Success, pooled (%) |"


def finish(root: Path, machine: str = "one") -> None:
    """A finished experiment with two seeds, as the workflow would leave it, below `root` (the working folder)."""
    paths = write_experiment(MINE, n=40)
    for shown in ("metrics", "traces", "paths"):  # by figures only
        del paths[shown]
    make_tables(**paths, out=MINE / "tables")
    (MINE / "figures").mkdir()
    for name in ("figures/success.png", "seed10000/base/settings.yaml", "seed10000/base/episodes.mp4"):
        (MINE / name).write_text(name)
    for seed in (10000, 20000):
        weights = MINE / f"seed{seed}/base/checkpoints/003000/model.safetensors"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(b"weights")
        inputs = [path for part in paths.values() for path in part if f"seed{seed}" in path.parts]
        write_digests([*inputs, weights], MINE / f"seed{seed}/inputs.json")
    (MINE / "demonstrations/all.txt").write_text(f"{MINE}/reliable.hdf5 0,1\n")
    (root / "config.yaml").write_text(yaml.safe_dump({"experiments": {"mine": {"seeds": [10000, 20000]}, "other": {}}}))
    tables = sorted(path for path in (MINE / "tables").iterdir() if path.suffix in (".csv", ".md"))
    digests = [MINE / f"seed{seed}/inputs.json" for seed in (10000, 20000)]
    shared, settings = [MINE / "demonstrations/all.txt"], {"seeds": [10000, 20000]}
    write_manifest(settings, digests, shared, tables, None, MINE / "tables/manifest.json")


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    finish(tmp_path)
    return tmp_path


def problems(folder: str = "results") -> list[str]:
    return verify(Path(folder), Path("README.md"))[0]


def edit(path: Path | str, pattern: str, new: str) -> None:
    """Replace what matches `pattern`, which must match something."""
    text, n = re.subn(pattern, new, Path(path).read_text(), count=1, flags=re.MULTILINE)
    assert n == 1
    Path(path).write_text(text)


def test_manifest_names_inputs_tables_code_packages_and_seeds(finished) -> None:
    manifest = json.loads((MINE / "tables/manifest.json").read_text())
    assert {"results/mine/demonstrations/all.txt", "results/mine/seed20000/random/evaluation.csv"} <= set(
        manifest["inputs"]
    )
    assert {Path(name).name for name in manifest["tables"]} == {"summary.md"} | {
        f"{name}.csv" for name in ("success", "differences", "checkpoints", "kept", "classifiers")
    }
    assert manifest["seeds"] == [10000, 20000] and set(manifest["code"]) == set(SCRIPTS)
    assert {"torch", "mujoco", "snakemake"} <= manifest["packages"].keys()
    run = json.loads((MINE / "tables/run.json").read_text())
    assert run["seconds_between"] >= 0 and {"commit", "host", "machine", "python", "first_file"} <= run.keys()


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
    later |= {"trace_scores.py", "trace_paths.py", "record_demonstrations.py", "write_pages.py"}
    assert named - later == set(SCRIPTS)


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
    found, notes = verify(Path("results"), Path("README.md"))
    assert found == [] and "14 inputs" not in notes[0] and "results/mine" in notes[0]


def test_edited_number_of_a_table_is_named(finished) -> None:
    edit(MINE / "tables/success.csv", r"^(oracle,10000,40,\d+),[\d.]+", r"\1,0.123")
    digest, row = problems()
    assert digest == "results/mine/tables/success.csv: changed since its manifest was written"
    assert re.search(
        r"success.csv: row oracle 10000: rate 0.123 does not follow from seed10000/oracle/evaluation.csv", row
    )


def test_edited_input_is_named_with_every_number_that_follows_from_it(finished) -> None:
    path = MINE / "seed20000/random/evaluation.csv"
    edit(path, r"^100003,(\d)", lambda match: f"100003,{1 - int(match[1])}")
    first, *rows = problems()
    assert first.startswith(f"{path}: changed since the tables were made") and "success and differences" in first
    assert any("success.csv: row random 20000: successes" in row for row in rows)
    assert any("success.csv: row random pooled: successes" in row for row in rows)
    assert any("differences.csv: row oracle random pooled: difference" in row for row in rows)
    assert any("summary.md: line" in row for row in rows)
    assert not any(" 10000: " in row for row in rows)


def test_changed_checkpoint_is_named_though_the_tables_can_be_made_again(finished) -> None:
    path = MINE / "seed10000/base/checkpoints/003000/model.safetensors"
    path.write_bytes(b"others")
    (line,) = problems()
    assert line.startswith(f"{path}: changed") and "seed 10000" in line


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
    found, notes = verify(Path("results"), Path("README.md"))
    assert found == [] and "not checked: no tables/manifest.json" in notes[0]


@pytest.fixture
def published(finished: Path) -> Path:
    publish(MINE, Path("config.yaml"), "make", Path("results/published/mine"))
    return finished / "results/published/mine"


def test_published_result_has_all_that_its_tables_are_made_of(published) -> None:
    files = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert {"tables/manifest.json", "tables/run.json", "tables/summary.md", "figures/success.png"} <= files
    assert {"seed10000/base/settings.yaml", "seed20000/oracle/evaluation.csv", "run.yaml", "digests.json"} <= files
    assert not [name for name in files if name.endswith((".mp4", ".safetensors"))]
    assert set(json.loads((published / "digests.json").read_text())) == files - {"digests.json"}
    run = yaml.safe_load((published / "run.yaml").read_text())
    assert run["command"] == "make" and {"torch", "mujoco", "snakemake"} <= set(run["packages"])
    assert yaml.safe_load((published / "config.yaml").read_text()) == {"seeds": [10000, 20000]}
    assert problems() == []


def test_edit_of_a_published_file_is_named(published) -> None:
    (published / "figures/success.png").write_text("redrawn")
    edit(published / "seed10000/base/evaluation.csv", r"^100003,(\d)", lambda match: f"100003,{1 - int(match[1])}")
    found = problems()
    assert "results/published/mine/figures/success.png: changed since it was published" in found
    assert any("row base 10000: successes" in line for line in found)


def test_damaged_list_of_published_files_is_one_line(published) -> None:
    (published / "digests.json").write_text("{")
    (line,) = problems()
    assert "digests.json: damaged" in line


def test_verify_finds_the_files_from_any_folder(finished, monkeypatch) -> None:
    monkeypatch.chdir(finished / "results/mine")
    assert problems("..") == problems(".") == problems(str(finished / "results")) == []
    Path("demonstrations/all.txt").unlink()
    assert len(problems(".")) == 1


def test_unfinished_or_edited_experiment_is_not_published(finished) -> None:
    out = Path("results/published/mine")
    edit(MINE / "tables/kept.csv", "^10000,demonstration,all,150", "10000,demonstration,all,151")
    with one_line_error("tables/kept.csv", "changed", "run snakemake"):
        publish(MINE, Path("config.yaml"), "make", out)
    for name in ("manifest.json", "summary.md"):
        (MINE / "tables" / name).unlink()
        with one_line_error(f"tables/{name}", "run snakemake"):
            publish(MINE, Path("config.yaml"), "make", out)
    assert not out.exists()


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results that this repository reports, and its README; of the time before there were manifests."""
    for name in ("aloha_cube_state", "aloha_cube_state_confirmation", "aloha_insertion_state", "pusht_state"):
        tables = f"results/published/{name}/tables"
        shutil.copytree(REPOSITORY / tables, tmp_path / tables, ignore=shutil.ignore_patterns("*.json"))
    shutil.copy(REPOSITORY / "README.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    return Path("results/published")


def test_numbers_that_this_repository_reports_follow() -> None:
    command = [sys.executable, "workflow/scripts/verify.py"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "README.md: 23 rows and intervals compared" in run.stdout


EDITS = {  # table: what is replaced in it by what, and what is said of it
    "a rate": ("success", "^base,pooled,400,235,0.5875", "base,pooled,400,235,0.59"),
    "a count": ("success", "^base,10000,200,119", "base,10000,200,120"),
    "a sum": ("success", "^base,pooled,400,235", "base,pooled,400,236"),
    "a difference": ("differences", "^random,base,pooled,400,-0.0775", "random,base,pooled,400,-0.0875"),
    "a p-value": ("differences", "^(random,base,pooled,.*)0.0150203$", r"\g<1>0.0140203"),
    "a kept number": ("kept", "^10000,demonstration,reliable,60,60", "10000,demonstration,reliable,60,59"),
    "a checkpoint": ("checkpoints", "^20000,base,4000,100,62,0.62", "20000,base,4000,100,62,0.63"),
}
SAID = {
    "a rate": "row base pooled: rate 0.59 does not follow from 235 of 400 in all (0.5875)",
    "a count": "row base 10000: rate 0.595, low 0.525797, high 0.660622 do not follow from 120 of 200 (0.6, ",
    "a sum": "row base pooled: successes 236 does not follow from 235 of 400 in all (235)",
    "a difference": "row random base pooled: difference -0.0875 does not follow from success.csv and the 61 starts",
    "a p-value": "row random base pooled: mcnemar_p 0.0140203 does not follow from success.csv and the 61 starts",
    "a kept number": "row 10000 demonstration all: kept 60, fraction 0.4, low 0.325043, high 0.479951 do not",
    "a checkpoint": "row 20000 base 4000: rate 0.63 does not follow from 62 of 100 (0.62)",
}


@pytest.mark.parametrize("what", list(EDITS))
def test_hand_edited_number_of_an_old_published_table_is_named(old, what) -> None:
    table, pattern, new = EDITS[what]
    edit(old / f"aloha_cube_state/tables/{table}.csv", pattern, new)
    start = f"{old}/aloha_cube_state/tables/{table}.csv: {SAID[what]}"
    assert [line for line in problems(f"{old}/aloha_cube_state") if line.startswith(start)]
    assert problems(f"{old}/pusht_state") == []


def test_damaged_published_table_is_one_line(old) -> None:
    (old / "pusht_state/tables/success.csv").write_text("arm\nbase\n")
    assert any("pusht_state/tables: cannot be computed again" in line for line in problems())
    (old / "pusht_state/tables/kept.csv").write_text("")
    assert any("pusht_state/tables/kept.csv: not a CSV table" in line for line in problems())


@pytest.mark.parametrize(
    ("pattern", "new", "named"),
    [
        (r"58.8 (\[53.9, 63.5\] \| 400)", r"58.9 \1", "row 'Base policy (all demos)' of 'Seed 10000, 20000 (%)'"),
        (r"Seed 30000, 40000 \(%\)", "Seed 30000, 50000 (%)", "no published summary has these seeds"),
        (r"\+52.5 \[", "+53.5 [", "aloha_insertion_state: Minus random of equal size +53.5 [+47.1, +57.5] does not"),
        (r"`pusht_state` \| 42", "`pusht` | 42", "pusht: is not published"),
        (r"reaches 53.0", "reaches 54.0", "54.0 [49.0, 57.0] follows from no published table"),
    ],
)
def test_edited_number_of_the_readme_is_named(old, pattern, new, named) -> None:
    edit("README.md", pattern, new)
    (line,) = problems()
    assert line.startswith("README.md: ") and named in line


def test_command_exits_with_status_1_and_a_line_a_problem(old) -> None:
    edit(old / "pusht_state/tables/summary.md", "57.3", "67.3")
    script = REPOSITORY / "workflow/scripts/verify.py"
    run = subprocess.run([sys.executable, script, old / "pusht_state"], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and run.stderr == ""
    note, problem, last = run.stdout.splitlines()
    assert note.endswith("no manifest: only recomputed from the counts in its tables")
    assert "summary.md: line 4 does not follow from the tables" in problem and last == "1 problem"
    run = subprocess.run([sys.executable, script, "nowhere"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (2, "error: nowhere: no such folder; give results or results/<experiment>\n")

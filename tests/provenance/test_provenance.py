"""Manifests name what made a result; `verify` names what no longer follows; publishing takes everything along."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import one_line_error
from demo_score.analysis.tables import make_tables
from demo_score.provenance.manifest import SCRIPTS, describe_machine, write_digests, write_manifest
from demo_score.provenance.publish import publish
from demo_score.provenance.readme import BLOCK, DOCUMENTS, INTERVAL, with_tables
from demo_score.provenance.verify import verify
from places import REPOSITORY
from synthetic_results import write_experiment, write_table
from torch.backends.cpu import get_cpu_capability

pytestmark = pytest.mark.slow

MINE = Path("results/mine")
SEEDS = (10000, 20000)
SETTINGS = {"seeds": list(SEEDS), "final_policy": {"oracle": ["reliable"]}}
README = """# Mine

<!-- begin mine: written by make docs -->
<!-- end mine -->

Text with <!-- comments -->, and | a line |.

<!-- begin experiments: written by make docs -->
| an old | table |
<!-- end experiments -->
"""


def finish(root: Path) -> None:
    """A finished experiment with two runs, as the workflow would leave it, below `root` (the working folder)."""
    paths = write_experiment(MINE, SEEDS, n=40)
    for shown in ("metrics", "traces", "paths"):  # by figures only
        del paths[shown]
    make_tables(**paths, out=MINE / "tables", oracle=["reliable"])
    (MINE / "figures").mkdir()
    for name in ("figures/success.png", "seed10000/base/settings.yaml", "seed10000/base/episodes.mp4"):
        (MINE / name).write_text(name)
    for seed in SEEDS:
        weights = MINE / f"seed{seed}/base/checkpoints/003000/model.safetensors"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(b"weights")
        inputs = [path for part in paths.values() for path in part if f"seed{seed}" in path.parts]
        write_digests([*inputs, weights], MINE / f"seed{seed}/inputs.json")
    (MINE / "demonstrations/all.txt").write_text(f"{MINE}/reliable.hdf5 0,1\n")
    (root / "config.yaml").write_text(yaml.safe_dump({"experiments": {"mine": SETTINGS, "other": {}}}))
    tables = sorted(path for path in (MINE / "tables").iterdir() if path.suffix in (".csv", ".md"))
    digests = [MINE / f"seed{seed}/inputs.json" for seed in SEEDS]
    write_manifest(SETTINGS, digests, [MINE / "demonstrations/all.txt"], tables, None, MINE / "tables/manifest.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a finished experiment."""
    folder = tmp_path_factory.mktemp("made")
    with chdir(folder):
        finish(folder)
    return folder


@pytest.fixture
def finished(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where the test runs."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(folder: str = "results") -> list[str]:
    return verify(Path(folder), [Path("README.md")])[0]


def edit(path: Path | str, pattern: str, new: str) -> None:
    """Replace what matches `pattern`, which must match something."""
    text, n = re.subn(pattern, new, Path(path).read_text(), count=1, flags=re.MULTILINE)
    assert n == 1
    Path(path).write_text(text)


def flip(path: Path) -> None:
    """Turn the outcome of the evaluation from start 100003 into the other one."""
    edit(path, r"^(.*,100003),(\d)", lambda match: f"{match[1]},{1 - int(match[2])}")


def test_manifest_names_inputs_tables_code_packages_and_seeds(finished) -> None:
    manifest = json.loads((MINE / "tables/manifest.json").read_text())
    assert {"results/mine/demonstrations/all.txt", "results/mine/seed20000/random/evaluation.csv"} <= set(
        manifest["inputs"]
    )
    assert {Path(name).name for name in manifest["tables"]} == {"summary.md"} | {
        f"{name}.csv" for name in ("success", "differences", "checkpoints", "kept", "classifiers", "detection")
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


@pytest.fixture(scope="module")
def made_public(made: Path, tmp_path_factory) -> Path:
    """A folder published/ with the finished experiment."""
    folder = tmp_path_factory.mktemp("public") / "published"
    with chdir(made):
        publish(MINE, Path("config.yaml"), "make", folder / "mine")
    return folder


@pytest.fixture
def published(made_public: Path, finished: Path) -> Path:
    """A published folder, beside the experiment that was published."""
    shutil.copytree(made_public, finished / "results/published")
    return finished / "results/published/mine"


def test_published_result_has_all_that_its_tables_are_made_of(published) -> None:
    files = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert {"tables/manifest.json", "tables/run.json", "tables/summary.md", "figures/success.png"} <= files
    assert {"seed10000/base/settings.yaml", "seed20000/oracle/evaluation.csv", "run.yaml", "digests.json"} <= files
    assert not [name for name in files if name.endswith((".mp4", ".safetensors"))]
    assert set(json.loads((published / "digests.json").read_text())) == files - {"digests.json"}
    run = yaml.safe_load((published / "run.yaml").read_text())
    assert run["command"] == "make" and {"torch", "mujoco", "snakemake"} <= set(run["packages"])
    assert run["cpu_capability"] == get_cpu_capability()
    assert yaml.safe_load((published / "config.yaml").read_text()) == SETTINGS
    assert problems() == []


def test_edit_of_a_published_file_is_named(published) -> None:
    (published / "figures/success.png").write_text("redrawn")
    flip(published / "seed10000/base/evaluation.csv")
    found = problems()
    assert "results/published/mine/figures/success.png: changed since it was published" in found
    assert any("row base 10000: successes" in line for line in found)


def test_damaged_list_of_published_files_is_one_line(published) -> None:
    for change in (lambda path: path.write_text("{"), Path.unlink):
        change(published / "digests.json")
        (line,) = problems()
        assert "digests.json: missing or damaged" in line


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
    for name in ("run.json", "manifest.json", "summary.md"):
        (MINE / "tables" / name).unlink()
        with one_line_error(f"tables/{name}", "run snakemake"):
            publish(MINE, Path("config.yaml"), "make", out)
    assert not out.exists()


def test_results_under_another_arithmetic_are_published_below_and_checked(published) -> None:
    out = published.parent / "arithmetics/avx2/mine"
    publish(MINE, Path("config.yaml"), "ATEN_CPU_CAPABILITY=avx2 make", out, figures=False)
    assert not list(out.rglob("*.png")) and not list(out.parent.glob("differences.*"))
    assert yaml.safe_load((out / "run.yaml").read_text())["command"] == "ATEN_CPU_CAPABILITY=avx2 make"
    assert problems() == problems(str(out)) == []
    flip(out / "seed10000/base/evaluation.csv")
    for found in (problems(), problems(str(out))):
        assert any("avx2/mine/seed10000/base/evaluation.csv: changed since it was published" in line for line in found)
        assert any("arithmetics/avx2/mine/tables/success.csv: row base all: " in line for line in found)
    assert problems(str(published)) == []


def test_numbers_that_this_repository_reports_follow() -> None:
    command = [sys.executable, "workflow/scripts/tools/verify.py"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    for name in DOCUMENTS:
        compared = re.search(rf"{name}: (\d+) rows and intervals compared", run.stdout)
        assert compared and int(compared[1]) > 0


def test_list_names_every_document_with_published_numbers() -> None:
    documents = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]
    texts = {path.relative_to(REPOSITORY).as_posix(): path.read_text() for path in documents}
    del texts["docs/data.md"]  # whose intervals are those of the small example, which is not published
    assert set(DOCUMENTS) == {name for name, text in texts.items() if BLOCK.search(text) or INTERVAL.search(text)}


def test_hand_edited_number_of_a_published_table_is_named(published) -> None:
    edit(published / "tables/differences.csv", "^(oracle,base,all,2,80),[^,]+", r"\1,0.99")
    line = next(line for line in problems() if "row oracle base all" in line)
    assert ": difference 0.99 does not follow from evaluation.csv of both conditions (0." in line


def test_tables_that_cannot_be_made_again_are_one_line(published) -> None:
    for path in published.glob("seed*/demo_score/scores.csv"):
        path.write_text("")
    assert any("mine/tables: cannot be made again: " in line and "scores.csv" in line for line in problems())


@pytest.fixture
def readme(published: Path) -> Path:
    """A document with the tables of results, as `make docs` writes it."""
    Path("README.md").write_text(README)
    script = REPOSITORY / "workflow/scripts/tools/document_results.py"
    subprocess.run([sys.executable, script, "--documents", "README.md"], capture_output=True, check=True)
    return Path("README.md")


def test_tables_of_results_are_written_between_their_markers(readme, published) -> None:
    text = readme.read_text()
    summary = [line for line in (published / "tables/summary.md").read_text().splitlines() if line.startswith("|")]
    assert len(summary) == 2 + 7 and "\n\n" + "\n".join(summary) + "\n\n<!-- end mine -->" in text
    success, differences = (pd.read_csv(published / f"tables/{name}.csv") for name in ("success", "differences"))
    head, _, row = text.partition("<!-- begin experiments")[2].splitlines()[2:5]
    cells = dict(zip(*([cell.strip() for cell in line.strip("|").split("|")] for line in (head, row)), strict=True))
    assert (cells["Experiment"], cells["Runs × starts"]) == ("`mine`", "2 × 40")
    base = success[(success["condition"] == "base") & (success["seed"] == "all")].iloc[0]
    limits = [f"{100 * base[key] + 1e-6:.1f}" for key in ("rate", "low", "high")]
    assert cells["Base"] == "{} [{}, {}]".format(*limits)
    for heading, condition, against in (
        ("Minus base", "curated_demos", "base"),
        ("Minus random of equal size", "curated_demos", "random"),
        (
            "Curated (rollouts + demos) minus its control",
            "curated_rollouts_plus_demos",
            "random_rollouts_plus_demos",
        ),
    ):
        rows = differences[(differences["condition"] == condition) & (differences["against"] == against)]
        assert cells[heading].startswith(f"{100 * rows[rows['seed'] == 'all']['difference'].item() + 1e-6:+.1f} [")
    assert "an old" not in text and "Text with <!-- comments -->, and | a line |." in text
    assert with_tables(text, Path("results/published")) == text
    found, notes = verify(Path("results"), [readme, Path("docs/absent.md")])
    assert found == [] and "README.md: 12 rows and intervals compared" in notes


def test_other_arithmetics_have_a_table_of_their_own(readme, published) -> None:
    for name in ("avx2", "default"):
        shutil.copytree(published, published.parent / f"arithmetics/{name}/mine")
    block = "<!-- begin arithmetics: written by make docs -->\n<!-- end arithmetics -->\n"
    lines = with_tables(block, Path("results/published")).splitlines()
    assert [line.split(" | ")[0] for line in lines if "`mine`" in line] == ["| `mine`, avx2", "| `mine`, default"]
    rows = readme.read_text().partition("<!-- begin experiments")[2]
    assert with_tables(readme.read_text(), Path("results/published")).partition("<!-- begin experiments")[2] == rows


def test_experiment_with_one_run_and_few_conditions_is_a_row_of_what_it_has(tmp_path) -> None:
    row = {"seed": "all", "runs": 1, "n": 50, "rate": 0.1625, "low": float("nan"), "high": float("nan")}
    row |= {"successes": 8, "interval": "none", "mean_max_reward": float("nan")}
    table = pd.DataFrame([{"condition": "base", **row, "seed": "7"}, {"condition": "base", **row}])
    write_table(tmp_path / "few/tables/success.csv", table)
    block = "<!-- begin experiments: written by make docs -->\n<!-- end experiments -->\n"
    assert "\n| `few` | 1 × 50 | 16.3 | – | – | – | – | – |\n" in with_tables(block, tmp_path)


@pytest.mark.parametrize(
    ("pattern", "new", "named"),
    [
        (r"^\| Base policy \(all demos\) \| \d", "| Base policy (all demos) | 9", "table mine: not what is published"),
        (r"^\| `mine` \| 2 × 40", "| `mine` | 3 × 40", "table experiments: not what is published"),
        (r"^\| Oracle.*\n", "", "table mine: not what is published; run `make docs`: | Oracle"),
        ("^Text", "It reaches 12.3 [4.5, 67.8].", "README.md: 12.3 [4.5, 67.8] follows from no published table"),
    ],
)
def test_edited_number_of_the_readme_is_named(readme, pattern, new, named) -> None:
    edit(readme, pattern, new)
    (line,) = problems()
    assert line.startswith("README.md: ") and named in line


def test_numbers_in_the_text_may_be_those_of_any_table(readme, published) -> None:
    row = pd.read_csv(published / "tables/kept.csv").iloc[0]
    shown = "{:.1f} [{:.1f},\n{:.1f}]".format(*(100 * row[key] + 1e-6 for key in ("fraction", "low", "high")))
    readme.write_text(f"{readme.read_text()}\nKept: {shown}.\n")
    assert problems() == []


def test_table_of_what_is_not_published_is_one_line(readme) -> None:
    text = "<!-- begin other: written by make docs -->\n<!-- end other -->\n"
    with one_line_error("results/published", "has no other", "publish it"):
        with_tables(text, Path("results/published"))


def test_command_exits_with_status_1_and_a_line_a_problem(published) -> None:
    edit(published / "tables/summary.md", "^- Kept", "- Left")
    script = REPOSITORY / "workflow/scripts/tools/verify.py"
    run = subprocess.run([sys.executable, script, published], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and run.stderr == ""
    note, changed, problem, last = run.stdout.splitlines()
    assert note.startswith("note: ") and note.endswith(" files") and "summary.md: changed since" in changed
    assert "does not follow from the tables" in problem and last == "2 problems"
    run = subprocess.run([sys.executable, script, "nowhere"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (2, "error: nowhere: no such folder; give results or results/<experiment>\n")
    command = [sys.executable, script, published, "--documents", "nowhere.md"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (2, "error: --documents nowhere.md: no such document; correct the path\n")

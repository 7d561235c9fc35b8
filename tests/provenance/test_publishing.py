"""Publishing takes everything along, and `verify` names what no longer follows from what was published."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import one_line_error
from demo_score.provenance.documents import DOCUMENTS
from demo_score.provenance.publish import publish
from finished_experiment import MINE, SETTINGS, edit, finished, flip, made, made_public, problems, published
from places import REPOSITORY
from torch.backends.cpu import get_cpu_capability

__all__ = ["finished", "made", "made_public", "published"]  # the fixtures

pytestmark = pytest.mark.slow


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


def test_hand_edited_number_of_a_published_table_is_named(published) -> None:
    edit(published / "tables/differences.csv", "^(oracle,base,all,2,80),[^,]+", r"\1,0.99")
    line = next(line for line in problems() if "row oracle base all" in line)
    assert ": difference 0.99 does not follow from evaluation.csv of both conditions (0." in line


def test_tables_that_cannot_be_made_again_are_one_line(published) -> None:
    for path in published.glob("seed*/demo_score/scores.csv"):
        path.write_text("")
    assert any("mine/tables: cannot be made again: " in line and "scores.csv" in line for line in problems())


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

"""Files that snakemake is asked to read and to make: what cannot be is said in one line, status 2, before it starts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.experiments.files import check_cache, check_configfiles, check_options, check_target
from places import REPOSITORY

pytestmark = pytest.mark.slow

PLACES = {"one": {"seed": ["1", "2"], "condition": ["base"]}, "two": {"seed": ["3"], "condition": ["base", "random"]}}
PATTERNS = [
    "results/{experiment}/seed{seed,1|2|3}/{condition,base|random}/evaluation.csv",
    "results/{experiment}/tables.csv",
]


def test_options_that_snakemake_can_read_pass(tmp_path) -> None:
    (tmp_path / "a.yaml").write_text("run: [a]\n")
    check_options(["--cores", "2", "--configfile", f"{tmp_path}/a.yaml", "--config", 'run=["a"]', "x=1", "-n", "all"])
    check_options([])


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--configfile", "nope.yaml"], ["nope.yaml: no such file"]),
        (["--configfiles", "config.yaml", "nope.yaml"], ["nope.yaml: no such file"]),
        (["--configfile=."], [".: is a folder"]),
        (["--configfile", "list.yaml"], ["list.yaml", "run and experiments"]),
        (["--configfile", "twice.yaml"], ["twice.yaml, line 2: run is repeated"]),
        (["--config", "run"], ["--config run", "KEY=VALUE"]),
        (["-C", "a=1", "run"], ["--config run", "KEY=VALUE"]),
    ],
)
def test_options_that_end_in_tracebacks_of_snakemake_are_named(tmp_path, monkeypatch, options, parts) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("run: [a]\n")
    Path("list.yaml").write_text("- a\n")
    Path("twice.yaml").write_text("run: [a]\nrun: [b]\n")
    with one_line_error(*parts):
        check_options(options)


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with one_line_error("snakemake's cache", tmp_path / "file", "XDG_CACHE_HOME=FOLDER"):
        check_cache()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new"))
    check_cache()


def test_a_configuration_that_is_not_there_is_left_to_snakemake(tmp_path) -> None:
    check_configfiles([tmp_path / "config.yaml"])


@pytest.mark.parametrize(
    ("target", "makers", "parts"),
    [
        (
            "results/two/seed1/base/evaluation.csv",
            [{"experiment": "two", "seed": "1"}],
            ["two has no seed 1; it has 3"],
        ),
        (
            "results/one/seed1/random/evaluation.csv",
            [{"experiment": "one", "condition": "random"}],
            ["no condition random", "base"],
        ),
        ("one", [], ["one: is an experiment", "--config 'run=[\"one\"]'"]),
        ("results/one", [], ["results/one: is an experiment", "--config 'run=[\"one\"]'"]),
        ("plots", [], ["plots", "all, figures or videos", "results/one/"]),
        ("results", [], ["all, figures or videos"]),
        ("/results/one/tables.csv", [], ["all, figures or videos"]),
        ("results/three/tables.csv", [], ["no experiment three; there are one, two"]),
        ("results/two/tabels.csv", [], ["no rule makes this", "results/two/tables.csv"]),
        ("results/two/seed3/base/evaluation.svg", [], ["no rule", "results/two/seed{seed}/{condition}/evaluation.csv"]),
        ("results/two/seed3/bas/evaluation.csv", [], ["two has no condition bas; it has base, random"]),
        ("results/two/seed4/base/evaluation.csv", [], ["two has no seed 4; it has 3"]),
    ],
)
def test_a_target_that_nothing_makes_is_named_with_what_could_be(target, makers, parts) -> None:
    with one_line_error(target, *parts):
        check_target(target, makers, PATTERNS, PLACES)


def test_targets_that_rules_make_pass() -> None:
    check_target("results/two/seed3/base/evaluation.csv", [{"experiment": "two", "seed": "3"}], PATTERNS, PLACES)
    check_target("results/overview/a.png", [{"format": "png"}], PATTERNS, PLACES)


# Snakemake itself, once for each place where it is stopped


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder to run the workflow of this repository in."""
    folder = tmp_path_factory.mktemp("workflow")
    shutil.copy(REPOSITORY / "config.yaml", folder)
    return folder


def stopped(folder: Path, *options: str, script: list[str] | None = None) -> str:
    """The last line of a dry run that must end with status 2, and that says nothing of Python."""
    command = [
        sys.executable,
        *(script or ["-m", "snakemake"]),
        "-n",
        "--cores",
        "1",
        "-s",
        str(REPOSITORY / "Snakefile"),
    ]
    environment = {**os.environ, "NO_COLOR": "1"}
    run = subprocess.run([*command, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 2 and "Traceback" not in run.stderr
    return run.stderr.splitlines()[-1]


def test_a_key_given_twice_stops_snakemake(folder) -> None:
    (folder / "twice.yaml").write_text("run: [aloha]\nrun: [aloha_cube]\n")
    line = stopped(folder, "--configfile", "twice.yaml")
    assert line == f"error: {folder / 'twice.yaml'}, line 2: run is repeated, first in line 1; remove one"


def test_a_wrong_value_stops_snakemake(folder) -> None:
    assert stopped(folder, "--config", 'run=["nope"]').startswith(
        "error: run: no experiment nope; there are aloha_cube_"
    )


def test_a_target_of_another_s_seed_stops_snakemake(folder) -> None:
    target = "results/aloha_cube/seed30000/base/metrics.csv"
    assert stopped(folder, target) == f"error: {target}: aloha_cube has no seed 30000; it has 10000"
    assert "there is no experiment nope" in stopped(folder, "results/nope/tables/summary.md")


def test_a_folder_that_cannot_be_written_stops_snakemake(tmp_path) -> None:
    shutil.copy(REPOSITORY / "config.yaml", tmp_path)
    (tmp_path / ".snakemake").write_text("")
    assert stopped(tmp_path).startswith(f"error: {tmp_path / '.snakemake'}: is a file, where a folder")


def test_run_workflow_stops_where_snakemake_would_show_a_traceback(folder) -> None:
    script = [str(REPOSITORY / "workflow/scripts/tools/run_workflow.py")]
    assert (
        stopped(folder, "--configfile", "nope.yaml", script=script)
        == "error: nope.yaml: no such file; correct the path, or copy it there"
    )


def test_python_in_a_configuration_is_not_run(folder) -> None:
    """Snakemake would run it: `__use_yte__` makes its configuration a template."""
    marker = folder / "executed"
    own = folder / "own"
    own.mkdir()
    (own / "config.yaml").write_text(f"__use_yte__: true\n?open('{marker}', 'w'): 1\n")
    line = stopped(own)
    assert line.startswith("error: config.yaml: __use_yte__ lets") and not marker.exists()

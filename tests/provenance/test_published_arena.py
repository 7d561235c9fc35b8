"""An arena is published, and verified, with its experiment."""

import gzip
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from conftest import one_line_error
from demo_score.analysis.arena.tables import make_arena_tables
from demo_score.experiments.arena_paths import RUN_TABLES
from demo_score.provenance.manifest import ARENA_SCRIPTS, SCRIPTS, read_manifest, write_digests, write_manifest
from demo_score.provenance.publish import publish
from demo_score.provenance.readme import published_folders, with_tables
from demo_score.provenance.verify import verify
from demo_score.tables import TABLES
from demo_score.tables.gathering import gather
from finished_experiment import MINE, SEEDS, SETTINGS, edit, finish, flip, problems
from synthetic_arena import write_arena

pytestmark = pytest.mark.slow

OUT = Path("results/published/mine")


def gathered(paths: list[Path], table: str, kind: str) -> list[Path]:
    """The tables of each run as one."""
    made = [MINE / f"seed{seed}/arena/{table}.csv" for seed in SEEDS]
    for seed, out in zip(SEEDS, made, strict=True):
        gather(TABLES[kind], [path for path in paths if f"seed{seed}" in path.parts], out)
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a finished experiment, its arena, and both published."""
    folder = tmp_path_factory.mktemp("arena")
    with chdir(folder):
        finish(folder)
        paths = write_arena(MINE, SEEDS, methods=("cupid", "length", "mine"), levels=("own",), n_random=2, n=10)
        for path in paths["evaluations"]:
            path.with_name("settings.yaml").write_text("a: 1\n")
        paths |= {table: gathered(paths[table], table, kind) for table, kind in RUN_TABLES.items()}
        make_arena_tables(**paths, out=MINE / "arena", oracle=["reliable"])
        digests = [MINE / f"seed{seed}/arena/inputs.json" for seed in SEEDS]
        for seed, out in zip(SEEDS, digests, strict=True):
            write_digests([path for part in paths.values() for path in part if f"seed{seed}" in path.parts], out)
        tables = [*sorted((MINE / "arena/tables").glob("*.csv")), MINE / "arena/summary.md"]
        write_manifest(SETTINGS, digests, [], tables, None, MINE / "arena/tables/manifest.json")
        publish(MINE, Path("config.yaml"), "make", OUT)
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_arena_is_verified_and_published_with_its_inputs(folder) -> None:
    found, notes = verify(Path("results"), [])
    assert found == [] and any(note.startswith("results/mine/arena: ") and "5 tables" in note for note in notes)
    files = {path.relative_to(OUT).as_posix() for path in OUT.rglob("*") if path.is_file()}
    run = f"seed{SEEDS[0]}/arena"
    assert {"arena/summary.md", "arena/tables/arena_uplift.csv", "arena/tables/manifest.json"} <= files
    inputs = {f"{run}/{table}.csv" for table in ("costs", "scores", "kept", "evaluations")}
    assert {f"{path}.gz" for path in inputs} <= files and not inputs & files
    first = f"{run}/kept.csv"
    assert gzip.decompress((OUT / f"{first}.gz").read_bytes()) == (MINE / first).read_bytes()
    before = (OUT / f"{first}.gz").read_bytes()
    publish(MINE, Path("config.yaml"), "make", OUT)
    assert (OUT / f"{first}.gz").read_bytes() == before
    assert {path for path in files if path.startswith(f"{run}/own/")} == {f"{run}/own/random_1/settings.yaml"}
    assert published_folders(Path("results/published")) == [OUT]


def test_arena_is_published_without_the_rest_where_it_alone_is_finished(folder) -> None:
    """Nothing else was published: that is no problem; what was, stays, if it was made by the same settings."""
    shutil.rmtree(MINE / "tables")
    alone = Path("results/published/alone")
    publish(MINE, Path("config.yaml"), "make arena", alone)
    assert not (alone / "tables").exists()
    assert yaml.safe_load((alone / "arena/run.yaml").read_text())["command"] == "make arena"
    before = (OUT / "tables/success.csv").read_bytes(), (OUT / "run.yaml").read_bytes()
    publish(MINE, Path("config.yaml"), "make arena", OUT)
    assert before == ((OUT / "tables/success.csv").read_bytes(), (OUT / "run.yaml").read_bytes())
    assert verify(Path("results"), [])[0] == []
    edit(Path("config.yaml"), "- 20000", "- 30000")
    with one_line_error("config.yaml", "other settings"):
        publish(MINE, Path("config.yaml"), "make arena", OUT)


def test_manifest_has_the_code_of_methods_and_the_times_of_runs(folder) -> None:
    manifest = read_manifest(MINE / "arena/tables/manifest.json")
    assert {*SCRIPTS, *ARENA_SCRIPTS, "methods/length.py"} <= {*manifest["code"]}
    assert not {*ARENA_SCRIPTS} & {*read_manifest(MINE / "tables/manifest.json")["code"]}
    run = yaml.safe_load((MINE / "arena/tables/run.json").read_text())
    assert run["first_file"] <= run["last_file"]


@pytest.mark.parametrize("where", [MINE, OUT])
def test_edited_number_of_an_arena_is_named(folder, where) -> None:
    edit(where / "arena/tables/arena_uplift.csv", "^(cupid,own,all,2,20),[^,]+", r"\1,19")
    edit(where / "arena/summary.md", r"^- Random choices", "- Choices")
    lines = problems()
    assert sum("arena_uplift.csv: row cupid own all: successes 19 does not follow" in line for line in lines) == 1
    assert sum("arena/summary.md: line" in line for line in lines) == 1 and len(lines) == 4  # and both digests


def test_edited_input_of_an_arena_is_named(folder) -> None:
    path = MINE / f"seed{SEEDS[0]}/arena/evaluations.csv"
    edit(path, rf"^({SEEDS[0]},cupid,own,\d+,\d+,)(\d)", lambda match: f"{match[1]}{1 - int(match[2])}")
    first, *rows = problems("results/mine")
    assert first.startswith(f"{path}: changed") and "the arena's numbers no longer follow" in first
    assert any(f"row cupid own {SEEDS[0]}: successes" in line for line in rows)
    assert not [line for line in rows if "mine/tables/" in line]
    flip(MINE / f"seed{SEEDS[0]}/base/evaluation.csv")
    assert any("mine/tables/success.csv: row base" in line for line in problems("results/mine"))


@pytest.mark.parametrize("content", [gzip.compress(b"seed\n"), b"seed\n", gzip.compress(b"seed\n")[:-9]])
def test_damaged_input_of_an_arena_is_one_line(folder, content) -> None:
    (OUT / f"seed{SEEDS[0]}/arena/costs.csv.gz").write_bytes(content)
    found = problems()
    assert sum("mine/arena: cannot be made again" in line for line in found) == 1 and len(found) == 2


def test_unfinished_arena_is_not_published(folder) -> None:
    (MINE / "arena/tables/manifest.json").unlink()
    shutil.rmtree(OUT)
    publish(MINE, Path("config.yaml"), "make", OUT)
    assert not (OUT / "arena").exists() and not list(OUT.glob("seed*/arena")) and problems() == []


def test_ranking_is_written_between_its_markers(folder) -> None:
    block = "<!-- begin arena_mine: written by make docs -->\n<!-- end arena_mine -->\n"
    lines = with_tables(block, Path("results/published")).splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")][1:] == ["| 1", "| 2", "| 3", *["| –"] * 4]

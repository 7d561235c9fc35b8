"""A new run beside a published one."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import one_line_error
from demo_score.evaluation.compare import ADDED, MISSING, NOT_WITHIN, WITHIN, compare, compare_all, difference_interval
from demo_score.evaluation.statistics import wilson_interval
from demo_score.evaluation.tables import make_tables
from synthetic_results import write_experiment

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """results/published with one experiment."""
    root = tmp_path_factory.mktemp("results") / "published/mine"
    paths = write_experiment(root, n=200)
    make_tables(
        **{name: paths[name] for name in ("evaluations", "rollouts", "scores", "classifiers")}, out=root / "tables"
    )
    return root.parent


def rows(new: Path, published: Path) -> pd.DataFrame:
    return compare(new, published).set_index(["table", "row"])


def edit(folder: Path, name: str, function) -> None:
    path = folder / f"tables/{name}.csv"
    function(pd.read_csv(path)).to_csv(path, index=False)


@pytest.fixture
def new(published: Path, tmp_path: Path) -> Path:
    return shutil.copytree(published / "mine", tmp_path / "results/mine")


def test_interval_of_two_rates_is_newcombes() -> None:
    """Newcombe 1998, table II: 56/70 against 48/80, method 10."""
    a, b = ((k / n, *wilson_interval(k, n)) for k, n in ((56, 70), (48, 80)))
    assert difference_interval(a, b) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_same_run_agrees_everywhere(new, published) -> None:
    table = rows(new, published / "mine")
    assert set(table["verdict"]) == {WITHIN}
    assert (table["difference"] == 0).all()
    assert {name for name, _ in table.index} == {"success", "differences", "checkpoints", "kept"}
    assert len(table) == sum(len(pd.read_csv(path)) for path in (new / "tables").glob("*.csv")) - 2  # classifiers


@pytest.mark.parametrize("folder", sorted(REPOSITORY.glob("results/published/*/")), ids=lambda folder: folder.name)
def test_every_published_experiment_can_be_compared_with(folder) -> None:
    rows = compare(folder, folder)
    assert set(rows["table"]) == {"success", "differences", "checkpoints", "kept"}
    assert (rows["verdict"] == WITHIN).all()


def test_a_rate_that_moved_is_told_with_its_interval(new, published) -> None:
    def move(table):
        base = (table["arm"] == "base") & (table["seed"] == "pooled")
        table.loc[base, ["rate", "low", "high"]] += 0.2
        return table

    edit(new, "success", move)
    row = rows(new, published / "mine").loc[("success", "base pooled")]
    assert row["verdict"] == NOT_WITHIN
    assert row["difference"] == pytest.approx(0.2)
    assert 0 < row["low"] < row["difference"] < row["high"]


def test_rows_that_one_of_the_two_lacks_are_named(new, published) -> None:
    edit(new, "success", lambda table: table.replace({"seed": {"10000": "30000"}}))
    table = rows(new, published / "mine")
    assert table.loc[("success", "base 10000"), "verdict"] == MISSING
    assert table.loc[("success", "base 30000"), "verdict"] == ADDED
    assert table.loc[("success", "base pooled"), "verdict"] == WITHIN


def test_all_experiments_that_are_there_are_compared(new, published) -> None:
    text = compare_all(new.parent, published)
    assert text.startswith("### mine") and "| success: base pooled | " in text and NOT_WITHIN not in text
    written = pd.read_csv(new / "comparison.csv")
    assert len(written) == len(rows(new, published / "mine"))


def test_nothing_to_compare_is_told_in_one_line(tmp_path, published) -> None:
    with one_line_error("none of the published experiments", "mine", "run make first"):
        compare_all(tmp_path, published)

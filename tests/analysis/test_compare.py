"""A new run beside a published one."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import one_line_error
from demo_score.analysis.compare import (
    ADDED,
    MISSING,
    NO_INTERVAL,
    NOT_JUDGED,
    WITHIN,
    agreement_with,
    compare,
    compare_all,
    describe,
    welch_test,
)
from demo_score.analysis.formatting import percent
from demo_score.analysis.tables import make_tables
from demo_score.analysis.verdict import AGREES, DISAGREES, NOT_WITHIN, UNDECIDED, agreement
from synthetic_results import SEEDS, write_experiment

pytestmark = pytest.mark.slow

INPUTS = ("evaluations", "rollouts", "scores", "classifiers")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """results/published with one experiment."""
    root = tmp_path_factory.mktemp("results") / "published/mine"
    make(root)
    return root.parent


def make(root: Path, seeds: tuple[int, ...] = SEEDS) -> None:
    paths = write_experiment(root, seeds, n=200)
    make_tables(**{name: paths[name] for name in INPUTS}, out=root / "tables")


def rows(new: Path, published: Path) -> pd.DataFrame:
    return compare(new, published).set_index(["table", "row"])


def described(table: pd.DataFrame) -> str:
    return describe(table, "mine", agreement(table))


def edit(folder: Path, name: str, function) -> None:
    path = folder / f"tables/{name}.csv"
    function(pd.read_csv(path)).to_csv(path, index=False)


@pytest.fixture
def new(published: Path, tmp_path: Path) -> Path:
    return shutil.copytree(published / "mine", tmp_path / "results/mine")


def test_interval_is_welchs() -> None:
    """Welch's test as R prints it: t.test(extra ~ group, sleep), Student's sleep data (1908)."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    test = welch_test(first, second)
    assert test == pytest.approx({"low": -3.3654832, "high": 0.2054832, "p": 0.07939414}, abs=1e-7)


def test_two_without_spread_differ_or_do_not() -> None:
    assert welch_test([0.5, 0.5], [0.5, 0.5, 0.5]) == {"low": 0, "high": 0, "p": 1}
    assert welch_test([1.0, 1.0], [0.5, 0.5]) == {"low": 0.5, "high": 0.5, "p": 0}
    assert welch_test([1.0], [0.5, 0.6]) is None


def test_the_same_runs_agree_everywhere(new, published) -> None:
    table = rows(new, published / "mine")
    assert set(table["verdict"]) == {WITHIN, NOT_JUDGED}
    assert (table["difference"] == 0).all()
    assert {name for name, _ in table.index} == {"success", "differences", "checkpoints", "kept"}
    assert len(table) == sum(len(pd.read_csv(path)) for path in (new / "tables").glob("*.csv")) - 6  # classifiers
    text = described(compare(new, published / "mine"))
    assert f"Of all {len(table)} numbers, those of single runs included, {len(table)} are exactly the same" in text
    same = f"all {len(table)} numbers, those of single runs included, are the same"
    assert text.splitlines()[-1] == f"Verdict: agrees with the published runs: {same}."


def test_other_runs_of_the_same_kind_agree(tmp_path, published) -> None:
    """Other seeds, so that no run has a counterpart: what another CPU makes of the same seeds is as good as that."""
    make(tmp_path / "mine", seeds=tuple(seed + 1 for seed in SEEDS))
    table = compare(tmp_path / "mine", published / "mine")
    means = table[table["row"].str.endswith(" all")]
    assert (means["verdict"] == WITHIN).mean() > 0.8 and (means["difference"] != 0).mean() > 0.9
    assert set(table["verdict"]) - {WITHIN, NOT_WITHIN} == {MISSING, ADDED}
    last = described(table).splitlines()[-1]
    assert last.startswith("Verdict: agrees with the published runs: ") and " is furthest off, by " in last


def test_runs_that_moved_are_told_with_the_interval_over_runs(new, published) -> None:
    def move(table):
        base = table["condition"] == "base"
        table.loc[base, "rate"] += 0.2
        return table

    edit(new, "success", move)
    table = compare(new, published / "mine")
    row = table.set_index(["table", "row"]).loc[("success", "base all")]
    assert row["verdict"] == NOT_WITHIN and row["p"] < 0.001
    assert row["difference"] == pytest.approx(0.2)
    assert (row["low"] + row["high"]) / 2 == pytest.approx(0.2, abs=1e-5) and 0 < row["low"] < 0.2
    last = described(table).splitlines()[-1]
    interval = f"+20.0 [{percent(row['low'], '+')}, {percent(row['high'], '+')}]"
    assert last.startswith("Verdict: DISAGREES with the published runs: success: base is furthest off")
    assert interval in last and agreement(table).word == DISAGREES
    judged = table["table"].isin(["success", "differences"]) & table["p"].notna()
    assert f"1 of {judged.sum()} outside their 95% intervals." in last


def test_a_single_run_is_listed_not_judged(new, published) -> None:
    def move(table):
        table.loc[(table["condition"] == "base") & (table["seed"] == "10000"), "rate"] = 0.0
        return table

    edit(new, "success", move)
    row = rows(new, published / "mine").loc[("success", "base 10000")]
    assert row["verdict"] == NOT_JUDGED and row["difference"] < -0.3 and pd.isna(row["low"])


def test_one_run_beside_one_has_no_verdict(tmp_path) -> None:
    make(tmp_path / "one", seeds=(10000,))
    table = compare(tmp_path / "one", tmp_path / "one")
    assert set(table["verdict"]) == {NO_INTERVAL, NOT_JUDGED}
    last = described(table).splitlines()[-1]
    assert last.startswith("Verdict: cannot be judged against the published runs: a mean over runs needs two runs")
    assert agreement(table).word == UNDECIDED


def test_rows_that_one_of_the_two_lacks_are_named(new, published) -> None:
    edit(new, "success", lambda table: table.replace({"seed": {"10000": "90000"}}))
    table = rows(new, published / "mine")
    assert table.loc[("success", "base 10000"), "verdict"] == MISSING
    assert table.loc[("success", "base 90000"), "verdict"] == ADDED
    assert table.loc[("success", "base all"), "verdict"] == WITHIN


def test_all_experiments_that_are_there_are_compared(new, published) -> None:
    text = compare_all(new.parent, published)
    assert text.startswith("### mine") and "| success: base | " in text and NOT_WITHIN not in text
    written = pd.read_csv(new / "comparison.csv")
    assert len(written) == len(rows(new, published / "mine"))


def test_the_last_line_is_the_verdict_on_one_or_on_all(new, published, tmp_path) -> None:
    last = compare_all(new.parent, published).splitlines()[-1]
    assert last.startswith("Verdict: agrees with the published runs: all ")
    both = shutil.copytree(published, tmp_path / "both")
    shutil.copytree(both / "mine", both / "other")
    shutil.copytree(new, new.parent / "other")
    edit(new.parent / "other", "success", lambda table: table.assign(rate=table["rate"] / 2))
    last = compare_all(new.parent, both).splitlines()[-1]
    assert last.startswith(
        "Verdict on 2 experiments: agree: 1 (mine), DISAGREE: 1 (other); of all, other is furthest off"
    )
    assert "(Bonferroni)" in last


@pytest.mark.parametrize(("digest", "said"), [("a", False), ("b", True)])
def test_other_settings_are_part_of_the_reason(new, published, tmp_path, digest, said) -> None:
    old = shutil.copytree(published / "mine", tmp_path / "old")
    for folder, value in ((new, "a"), (old, digest)):
        (folder / "tables/manifest.json").write_text(f'{{"settings_digest": "{value}"}}')
    found = agreement_with(new, old, compare(new, old))
    assert found.word == AGREES and ("with other settings than theirs" in found.sentence) == said


def test_nothing_to_compare_is_told_in_one_line(tmp_path, published) -> None:
    with one_line_error("none of the published experiments", "mine", "run make first"):
        compare_all(tmp_path, published)


@pytest.mark.parametrize(
    ("fraction", "sign", "text"),
    [
        (0.1625, "", "16.3"),
        (0.16249999999999998, "", "16.3"),
        (-0.0775, "+", "-7.8"),
        (0.0, "+", "+0.0"),
        (1, "", "100.0"),
    ],
)
def test_halves_are_rounded_alike_whatever_the_last_bits(fraction, sign, text) -> None:
    assert percent(fraction, sign) == text

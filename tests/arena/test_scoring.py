"""Scoring by a method: evidence is what it asks for, frames are aggregated, and what is wrong is one line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import one_line_error
from demo_score.arena import scoring
from demo_score.arena.costs import list_costs
from demo_score.arena.scoring import Sources, score_demonstrations
from demo_score.methods.length import METHOD as LENGTH
from demo_score.methods.registry import load
from demo_score.tables import ARENA_COSTS, ARENA_SCORES
from pools import N, filter_scores, make_pool


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    make_pool(tmp_path)
    return tmp_path


def scores(folder: Path, method: str = "length", **sources: object) -> list[float]:
    out = folder / "out.csv"
    assert score_demonstrations(method, {}, Sources(folder / "all.txt", **sources), 7, out) == 2 * N
    return list(ARENA_SCORES.read(out)["score"])


def test_shorter_is_better(pool: Path) -> None:
    assert scores(pool) == [-10.0 - k for k in range(N)] * 2


def test_demo_score_is_the_filters_score(pool: Path) -> None:
    expected = [0.9 - k / 100 - bad / 2 for bad in range(2) for k in range(N)]
    assert scores(pool, "demo_score", filter_scores=filter_scores(pool, 3)) == expected


def test_frame_scores_are_averaged_unless_the_method_says_otherwise(pool: Path, monkeypatch) -> None:
    method = replace(LENGTH, score=lambda evidence, _: [np.arange(float(len(e))) for e in evidence.demonstrations])
    monkeypatch.setattr(scoring, "load", lambda _: method)
    assert scores(pool) == [(9 + k) / 2 for k in range(N)] * 2
    monkeypatch.setattr(scoring, "load", lambda _: replace(method, aggregate=np.max))
    assert scores(pool) == [9.0 + k for k in range(N)] * 2


def test_score_that_is_no_number_is_refused(pool: Path, monkeypatch) -> None:
    method = replace(LENGTH, score=lambda evidence, _: [0.0] * (2 * N - 1) + [float("nan")])
    monkeypatch.setattr(scoring, "load", lambda _: method)
    with one_line_error("bad.hdf5 episode 5", "nan"):
        scores(pool)
    assert not (pool / "out.csv").exists()


@pytest.mark.parametrize(
    ("score", "parts"),
    [
        (lambda evidence, _: [1.0], ["length: returns 1 scores of 12 demonstrations"]),
        (lambda evidence, _: [np.ones(3)] * 12, ["good.hdf5 episode 0", "(3,)", "10 frames"]),
    ],
)
def test_wrong_scores_are_named(pool: Path, monkeypatch, score, parts) -> None:
    monkeypatch.setattr(scoring, "load", lambda _: replace(LENGTH, score=score))
    with one_line_error(*parts):
        scores(pool)


def test_mistake_of_a_method_is_named_with_its_line(pool: Path, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "mine.py"
    file.write_text("\ndef score(evidence, settings):\n    return [e.action for e in evidence.demonstrations]\n")
    namespace: dict = {}
    exec(compile(file.read_text(), str(file), "exec"), namespace)
    monkeypatch.setattr(scoring, "load", lambda _: replace(LENGTH, score=namespace["score"]))
    monkeypatch.setattr(scoring, "method_file", lambda _: file)
    with one_line_error("mine.py: line 3: AttributeError", "action", "correct the method"):
        scores(pool)


def test_method_without_a_file_or_a_method_is_named(monkeypatch, tmp_path: Path) -> None:
    with one_line_error("methods/nothing.py", "no such file", "docs/arena.md"):
        load("nothing")
    with one_line_error("methods/vectors.py", "no METHOD"):
        load("vectors")


def test_what_a_method_needs_must_be_named(pool: Path) -> None:
    with one_line_error("needs the filter", "--filter-scores"):
        scores(pool, "demo_score")


def test_demonstration_without_a_filter_score_is_named(pool: Path) -> None:
    table = filter_scores(pool, 3)
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    with one_line_error("scores.csv", "bad.hdf5 episode 5"):
        scores(pool, "demo_score", filter_scores=table)


def test_unknown_setting_is_named(pool: Path) -> None:
    with one_line_error("arena.settings.length", "no key power"):
        score_demonstrations("length", {"power": 2}, Sources(pool / "all.txt"), 7, pool / "out.csv")


def test_costs_are_seconds_of_all_jobs_and_rollouts_where_they_are_used(pool: Path) -> None:
    (pool / "one.tsv").write_text("s\tcpu_time\n9.5\t2.5\n")
    (pool / "two.tsv").write_text("s\tcpu_time\n4\tNA\n")
    benchmarks = {"demo_score": [pool / "one.tsv", pool / "two.tsv"], "length": [pool / "one.tsv"], "smoothness": []}
    list_costs(benchmarks, [pool / "good.hdf5", pool / "bad.hdf5"], 7, pool / "costs.csv")
    table = ARENA_COSTS.read(pool / "costs.csv").set_index("method")
    assert table.loc["demo_score", ["needs", "rollouts", "core_seconds"]].tolist() == ["filter", 2 * N, 6.5]
    assert table.loc["length", ["needs", "rollouts", "core_seconds"]].tolist() == ["", 0, 2.5]
    assert np.isnan(table.loc["smoothness", "core_seconds"])


def test_seconds_that_were_not_measured_are_not_known(pool: Path) -> None:
    list_costs({"length": [pool / "none.tsv"]}, [], 7, pool / "costs.csv")
    assert ARENA_COSTS.read(pool / "costs.csv")["core_seconds"].isna().all()

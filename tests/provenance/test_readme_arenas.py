"""The tables of all published arenas together."""

import pytest
from conftest import one_line_error
from demo_score.provenance.readme import with_tables

UPLIFT = """entrant,keep,seed,uplift,low,high
length,own,1,0.9,,
length,own,all,0.1,0.05,0.15
length,25,all,-0.5,-0.6,-0.4
cupid,own,all,-0.2,-0.3,-0.1
cupid_mean,own,all,-0.02,-0.1,0.06
deminf,own,all,0.3,0.2,0.4
random,own,all,0,,
oracle,own,all,0.4,0.3,0.5
"""
DETECTION = """method,seed,auroc
length,1,0.99
length,all,0.35
cupid,all,0.75
cupid_mean,all,0.9
deminf,all,0.8
"""


@pytest.fixture
def published(tmp_path):
    for name, uplift in {"two": UPLIFT.replace("cupid,own", "scizor,own"), "one": UPLIFT}.items():
        tables = tmp_path / name / "arena/tables"
        tables.mkdir(parents=True)
        (tables / "arena_uplift.csv").write_text(uplift)
        detection = DETECTION if name == "one" else DETECTION.replace("cupid,", "scizor,")
        (tables / "arena_detection.csv").write_text(detection)
    return tmp_path


def block(name, published):
    marked = f"<!-- begin {name}: written by make docs -->\n<!-- end {name} -->"
    return [line for line in with_tables(marked, published).splitlines() if line.startswith("|")]


def test_a_row_an_entrant_and_a_column_an_arena_at_its_own_size_over_runs(published) -> None:
    assert block("arenas", published) == [
        "| Method | `one` | `two` |",
        "|---|---|---|",
        "| CUPID | -20.0 [-30.0, -10.0]; 0.75 | – |",
        "| CUPID, means | -2.0 [-10.0, +6.0]; 0.90 | -2.0 [-10.0, +6.0]; 0.90 |",
        "| DemInf | +30.0 [+20.0, +40.0]; 0.80 | +30.0 [+20.0, +40.0]; 0.80 |",
        "| SCIZOR | – | -20.0 [-30.0, -10.0]; 0.75 |",
        "| Length | +10.0 [+5.0, +15.0]; 0.35 | +10.0 [+5.0, +15.0]; 0.35 |",
        "| Oracle (knows the strategies) | +40.0 [+30.0, +50.0] | +40.0 [+30.0, +50.0] |",
    ]


def test_the_interval_says_who_gains_and_loses_and_detection_who_was_misled(published) -> None:
    row = block("arena_verdicts", published)[2]
    assert row == "| `one` | DemInf; Length | CUPID, means | CUPID | Length; CUPID |"


def test_without_an_arena_one_line_says_so(tmp_path) -> None:
    with one_line_error(tmp_path, "holds no arena"):
        block("arenas", tmp_path)

"""The tables of all tasks: made of their settings files, of a bench's tables, and of published experiments."""

import pytest
from conftest import one_line_error
from demo_score.provenance.readme import with_tables

TABLES = {
    "strategies": (
        "env,strategy,n,successes,steps\nmetaworld_assembly,expert,200,190,130\nmetaworld_assembly,risky,200,0,\n"
    ),
    "experts": "env,strategy,n,successes,steps\npush-v3,expert,50,50,160\nsweep-v3,expert,50,25,160\n",
    "playback": "env,n,recorded,same,difference\nmetaworld_assembly,100,100,100,0\nrobosuite_lift,100,100,99,0.012\n",
    "speed": "env,ours,stock,stock_draws\nmetaworld_assembly,1200,1000,0\naloha_cube_state,1500,8,1\n",
}
SUCCESS = """condition,seed,runs,n,successes,rate,low,high,interval
base,1,1,100,35,0.35,0.2,0.4,wilson
base,all,6,600,210,0.35,0.3,0.4,t over runs
random,all,6,600,210,0.99,0.3,0.4,t over runs
"""


@pytest.fixture
def published(tmp_path):
    (tmp_path / "tasks").mkdir()
    for name, text in TABLES.items():
        (tmp_path / f"tasks/{name}.csv").write_text(text)
    (tmp_path / "mine/tables").mkdir(parents=True)
    (tmp_path / "mine/config.yaml").write_text("env: metaworld_assembly\n")
    (tmp_path / "mine/tables/success.csv").write_text(SUCCESS)
    return tmp_path


def block(name, published):
    marked = f"<!-- begin {name}: written by make docs -->\n<!-- end {name} -->"
    return [line for line in with_tables(marked, published).splitlines() if line.startswith("|")][2:]


def test_a_task_is_told_by_its_settings_file_and_its_base_policies(published) -> None:
    (row,) = block("tasks", published)
    assert row.startswith("| `metaworld_assembly` | Meta-World: a ring is put over a peg, by a Sawyer arm")
    assert row.endswith("| 4, 17 | 4 | 80, 250 | Meta-World's flag at some step | 35.0 [30.0, 40.0] (n = 600) |")


def test_strategies_have_n_and_an_interval(published) -> None:
    assert block("task_strategies", published) == [
        "| `metaworld_assembly` | `expert` | 200 | 95.0 [91.0, 97.3] | 130 |",
        "| `metaworld_assembly` | `risky` | 200 | 0.0 [0.0, 1.9] | – |",
    ]


def test_experts_of_other_tasks_come_hardest_first(published) -> None:
    assert [row.split(" | ")[0] for row in block("task_experts", published)] == ["| `sweep-v3`", "| `push-v3`"]


def test_playback_and_speed_say_who_recorded_and_who_draws(published) -> None:
    assert block("task_playback", published) == [
        "| `metaworld_assembly` | this repository | 100 | 100 | 100.0 | 0 |",
        "| `robosuite_lift` | robosuite itself | 100 | 100 | 99.0 | 0.012 |",
    ]
    assert block("task_speed", published) == [
        "| `metaworld_assembly` | 1,200 | 1,000 | 1.20 |",
        "| `aloha_cube_state` | 1,500 | 8 (draws at every step) | 187.50 |",
    ]


@pytest.mark.parametrize("name", ["tasks", "task_strategies", "task_playback", "task_speed"])
def test_without_the_bench_s_tables_one_line_says_what_makes_them(tmp_path, name) -> None:
    with one_line_error("no such file", "tests/bench/tasks.py"):
        block(name, tmp_path)

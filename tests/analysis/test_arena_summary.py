"""The summary of an arena says winners, losers and nulls with their numbers, and what its tests can show."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from demo_score.analysis.arena.findings import smallest_p
from demo_score.analysis.arena.tables import make_arena_tables
from demo_score.analysis.over_runs import sign_flip_p
from demo_score.curation_methods import METHODS, title
from places import SCRIPTS
from synthetic_arena import EXTERNAL, arena_tables, write_arena

pytestmark = pytest.mark.slow

SCRIPT = SCRIPTS / "make_arena_tables.py"
RANDOM = [f"random_{i + 1}" for i in range(5)]


def summary(root: Path, **changed) -> str:
    return (arena_tables(root, **changed) / "summary.md").read_text()


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    return summary(tmp_path_factory.mktemp("arena"))


def test_methods_are_ranked_by_uplift_with_controls_below(text) -> None:
    table = text.partition("\n\n")[0].splitlines()
    places = [line.split(" | ")[0] for line in table[2:]]
    assert places == [*(f"| {i + 1}" for i in range(14)), *["| –"] * 4]
    uplifts = [float(line.split(" | ")[4].split(" ")[0]) for line in table[2:16]]
    assert uplifts == sorted(uplifts, reverse=True) and uplifts[0] > 20 > 0 > uplifts[-1]
    assert table[2].startswith("| 1 | Demo-SCORE | ") and len({line.count(" | ") for line in table[2:]}) == 1
    external = next(line for line in table if f"| {EXTERNAL} |" in line)
    assert external.endswith("| – | – |")  # nobody measured what it costs
    assert "nan" not in text


def test_what_the_tests_cannot_show_is_said(text) -> None:
    assert "sign-flip p of 6 runs is 0.031, and with Holm's correction over the family of 14 methods 0.44 for" in text
    assert "no effect, however large, can bring it below .05 here" in text
    assert "By the sign-flip test, with Holm's correction over 14 methods: none." in text
    assert "Of 14 such intervals, 0.7 leave out 0 by chance alone." in text


def test_winners_losers_and_nulls_are_counted(text) -> None:
    line = next(line for line in text.splitlines() if line.startswith("- Of 14 methods"))
    better, _, rest = line.partition("better than random: ")[2].partition("; worse than random: ")
    worse, _, neither = rest.partition("; no difference shown: ")
    assert better.startswith("Demo-SCORE +") and worse.count("[-") >= 1
    assert better.count("[") + worse.count("[") + int(neither.split(".")[0]) == 14
    assert "Random choices of equal size: 5 a run, mean success" in text and "of their spread" not in text


def test_keep_curves_say_which_runs_they_have(text) -> None:
    curves = text.partition("## Keep curves")[2]
    assert "| Method | Demo-SCORE's own (40.0%), 6 runs | 25%, 2 runs | 50%, 2 runs | 75%, 2 runs |" in curves
    assert "own: 6 runs (10000, 20000, 30000, 40000, 50000, 60000); 25%: 2 runs (10000, 20000);" in curves
    assert "| Oracle" not in curves and "| Random of equal size |" in curves


def test_a_null_is_said_plainly(tmp_path) -> None:
    rates = dict.fromkeys(["cupid", "deminf", "length", *RANDOM, "length_matched", "oracle", "all"], 0.0)
    text = summary(tmp_path, methods=("cupid", "deminf", "length"), levels=("own",), n_random=5, rates=rates, n=4)
    assert "No method differs from random of equal size: the 95% t interval of uplift over 6 runs holds 0 for" in text
    assert "0 of 3 pairs differ" in text and "none is better" in text and "Keep curves" not in text


def test_one_run_has_no_tests_and_no_intervals(tmp_path) -> None:
    text = summary(tmp_path, seeds=(1,), methods=("cupid", "length"), levels=("own",), n_random=1)
    assert (
        "[" not in text and "sign-flip p of" not in text and "One run gives no interval over runs and no test" in text
    )
    assert "Above Length, which every method must beat, in this one run: 1 of 1." in text
    assert "one choice a run says nothing of their spread" in text


def test_enough_runs_and_few_methods_can_show_something(tmp_path) -> None:
    rates = {"cupid": 0.95, "length": 0.1}
    text = summary(tmp_path, seeds=tuple(range(1, 9)), methods=("cupid", "length"), levels=("own",), rates=rates, n=50)
    assert "of 8 runs is 0.0078, and with Holm's correction over the family of 2 methods 0.016 for" in text
    assert "however large" not in text
    assert f"By the sign-flip test, with Holm's correction over 2 methods: {title('cupid')}" in text
    assert "Between methods, 1 of 1 pair differ" in text


def test_smallest_p_is_that_of_runs_which_all_agree() -> None:
    for runs in (2, 5, 6, 10):
        assert smallest_p(runs) == pytest.approx(sign_flip_p([0.1 + i / 100 for i in range(runs)]))
    assert smallest_p(1) == 1 and smallest_p(20) < 1e-4


def test_without_a_policy_methods_are_compared_by_agreement(tmp_path) -> None:
    paths = write_arena(tmp_path, methods=tuple(METHODS)[:3], levels=("own",)) | {"evaluations": []}
    text = make_arena_tables(**paths, out=tmp_path / "arena")
    assert sorted(path.stem for path in (tmp_path / "arena/tables").iterdir()) == ["arena_agreement", "arena_costs"]
    assert text.startswith("| Method | Mean rank correlation with others |") and "No policy was tested here" in text
    assert "over 3 pairs, from" in text and "random" not in text


def test_without_strategies_of_the_oracle_nothing_is_said_of_detection(tmp_path) -> None:
    folder = arena_tables(tmp_path, oracle=[], seeds=(1, 2), methods=("cupid", "length"), levels=("own",))
    assert (folder / "tables/arena_detection.csv").is_file()
    assert "Best at finding" not in (folder / "summary.md").read_text()


def test_command_prints_the_summary_and_reports_bad_input_in_one_line(tmp_path, monkeypatch, capsys) -> None:
    paths = write_arena(tmp_path, seeds=(1, 2), methods=("cupid",), levels=("own",), n=10)
    words = [str(word) for name, files in paths.items() for word in (f"--{name}", *files)]
    words += ["--oracle", "reliable", "--out", str(tmp_path / "arena")]
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=True)
    assert (tmp_path / "arena/summary.md").read_text() == done.stdout[:-1]
    paths["costs"][0].unlink()
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    with pytest.raises(SystemExit) as exit_status:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert exit_status.value.code == 2 and capsys.readouterr().err.count("\n") == 1

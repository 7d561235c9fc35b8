"""The report's first page, and how the report comes to open with it."""

import shutil
from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.analysis.tables import make_tables
from demo_score.reporting.answer import UNTESTED, write_answer
from demo_score.reporting.report import ANSWER, open_with_answer
from synthetic_results import write_experiment

INPUTS = ("evaluations", "rollouts", "scores", "classifiers")


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results") / "mine"
    paths = write_experiment(root, n=100)
    make_tables(**{name: paths[name] for name in INPUTS}, out=root / "tables")
    return root


def answer(experiments: list[Path], published: Path, out: Path) -> tuple[str, str]:
    """What is said, and the page."""
    said = write_answer(experiments, published, out / "answer.html")
    return said, (out / "answer.html").read_text()


def test_verdict_and_summary_are_there(experiment, tmp_path) -> None:
    said, page = answer([experiment], tmp_path / "none", tmp_path)
    assert "mine: Curated (demos): better than base and random of equal size. Minus base +" in said
    assert "<strong>Curated (demos): better than base and random of equal size.</strong>" in page
    assert "<th>Condition</th>" in page and "<td>Oracle (knows the strategies)</td>" in page
    assert page.index("<strong>") < page.index("<table>")
    assert "published" not in page


def test_a_published_experiment_of_that_name_is_compared(experiment, tmp_path) -> None:
    shutil.copytree(experiment / "tables", tmp_path / "published/mine/tables")
    said, page = answer([experiment], tmp_path / "published", tmp_path)
    assert "mine: This result agrees with the published runs: all " in said
    assert "This result <strong>agrees with</strong> the published runs: all " in page


def test_sentences_of_all_experiments_come_before_their_tables(experiment, tmp_path) -> None:
    other = shutil.copytree(experiment, tmp_path / "other_one")
    _, page = answer([experiment, other], tmp_path / "none", tmp_path)
    assert page.count("better than base and random of equal size") == 2 and page.count("<table>") == 2
    assert page.rindex("better than base") < page.index("<h2>mine</h2>") < page.index("<h2>other_one</h2>")


def test_without_a_tested_policy_nothing_is_claimed(tmp_path) -> None:
    paths = write_experiment(tmp_path / "own", n=20)
    make_tables(**{name: paths[name] for name in INPUTS} | {"evaluations": []}, out=tmp_path / "own/tables")
    said, page = answer([tmp_path / "own"], tmp_path / "none", tmp_path)
    assert said == f"own: {UNTESTED}" and "<th>Checkpoint</th>" in page


def test_a_missing_summary_is_told_in_one_line(tmp_path) -> None:
    with one_line_error("summary.md", "run the workflow step"):
        write_answer([tmp_path / "mine"], tmp_path, tmp_path / "answer.html")


def test_the_script_goes_before_the_end_of_the_page_and_no_text_is_lost(tmp_path) -> None:
    report = tmp_path / "report.html"
    report.write_text('<body>"</body>" ünd</body>\n</html>', encoding="utf-8")
    open_with_answer(report)
    text = report.read_text(encoding="utf-8")
    assert text.startswith('<body>"</body>" ünd<script>') and text.endswith("</script>\n</body>\n</html>")
    assert f'results["{ANSWER}"]' in text

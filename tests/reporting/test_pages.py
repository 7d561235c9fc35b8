"""Tables, texts and videos as pages that need nothing else."""

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from conftest import one_line_error
from demo_score.analysis.tables import make_tables
from demo_score.reporting.pages import write_pages
from demo_score.reporting.readable import readable
from places import SCRIPTS
from synthetic_results import write_experiment

SCRIPT = SCRIPTS / "write_pages.py"


def page(folder: Path, name: str, content: str | bytes) -> str:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    write_pages([file], folder / "pages")
    text = (folder / f"pages/{file.stem}.html").read_text()
    HTMLParser().feed(text)
    return text


def rows(text: str) -> list[list[str]]:
    """The cells of all tables of a page, headings included."""
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)]


def test_numbers_of_a_table_are_short_and_gaps_are_dashes(tmp_path) -> None:
    text = page(tmp_path, "some.csv", "condition,seed,rate,p\nbase,pooled,0.5875,1.96e-06\nrandom,10000,0.5,\n")
    assert rows(text) == [
        ["Condition", "Run", "Success (%)", "p"],
        ["Base policy (all demos)", "pooled", "58.8", "1.96e-06"],
        ["Random subset, equal size", "10000", "50.0", "–"],
    ]


def test_means_over_runs_come_first_in_percent_with_their_interval(tmp_path) -> None:
    lines = ["condition,seed,runs,n,successes,rate,low,high,interval,mean_max_reward"]
    lines += [
        "base,10000,1,100,35,0.35,0.263642,0.447456,wilson,",
        "base,all,2,200,72,0.36,0.242673,0.387327,t over runs,",
    ]
    text = page(tmp_path, "success.csv", "\n".join(lines))
    assert rows(text) == [
        ["Condition", "Runs", "n", "Successes", "Success (%)", "95% interval, t over runs"],
        ["Base policy (all demos)", "2", "200", "72", "36.0", "24.3 to 38.7"],
        ["Condition", "Run", "n", "Successes", "Success (%)", "95% interval, Wilson"],
        ["Base policy (all demos)", "10000", "100", "35", "35.0", "26.4 to 44.7"],
    ]
    assert text.index("<h2>Means over runs</h2>") < text.index("<h2>Single runs</h2>")


def test_every_column_of_the_workflows_tables_has_a_heading(tmp_path) -> None:
    paths = write_experiment(tmp_path, n=20)
    inputs = {name: paths[name] for name in ("evaluations", "rollouts", "scores", "classifiers")}
    make_tables(**inputs, out=tmp_path / "tables", oracle=["reliable"])
    for path in (tmp_path / "tables").glob("*.csv"):
        shown = [heading for part in readable(pd.read_csv(path)).values() for heading in part]
        assert all(heading == "n" or heading[0].isupper() or heading[0].isdigit() for heading in shown), shown
        assert not [heading for heading in shown if "_" in heading]


def test_summary_keeps_its_table(tmp_path) -> None:
    text = page(tmp_path, "summary.md", "| Condition | n |\n|---|---|\n| Base & more | 400 |\n\n- kept 3\n")
    assert "<th>Condition</th>" in text and "<td>Base &amp; more</td>" in text and "<li>kept 3</li>" in text


def test_what_a_file_holds_is_shown_not_obeyed(tmp_path) -> None:
    attack = "<script>alert(1)</script>"
    for name, content in (("a.json", f'{{"a": "{attack}"}}'), ("b.csv", f"a\n{attack}\n"), ("c.md", attack)):
        assert attack not in page(tmp_path, name, content)


def test_video_plays_in_the_page(tmp_path) -> None:
    text = page(tmp_path, "episodes.mp4", b"\0video")
    assert f"data:video/mp4;base64,{base64.b64encode(bytes(1) + b'video').decode()}" in text and "autoplay" in text


def test_empty_table_says_so(tmp_path) -> None:
    assert "No row." in page(tmp_path, "problems.csv", "")


@pytest.mark.parametrize(("name", "said"), [("a.txt", "cannot be shown"), ("missing.csv", "no such file")])
def test_what_cannot_be_shown_is_told_in_one_line(tmp_path, name, said) -> None:
    (tmp_path / "a.txt").write_text("text")
    with one_line_error(name, said):
        write_pages([tmp_path / name], tmp_path)
    run = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / name, "--out-dir", tmp_path], capture_output=True, text=True
    )
    assert run.returncode == 2 and len(run.stderr.splitlines()) == 1

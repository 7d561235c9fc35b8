"""Tables, texts and videos as pages that need nothing else."""

import base64
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.reporting.pages import write_pages

SCRIPT = Path(__file__).parents[1] / "workflow/scripts/write_pages.py"


def page(folder: Path, name: str, content: str | bytes) -> str:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    write_pages([file], folder / "pages")
    text = (folder / f"pages/{file.stem}.html").read_text()
    HTMLParser().feed(text)
    return text


def test_numbers_of_a_table_are_short_and_gaps_are_dashes(tmp_path) -> None:
    text = page(tmp_path, "success.csv", "arm,seed,rate,p\nbase,pooled,0.5875,1.96e-06\nrandom,10000,0.5,\n")
    for cell in ("base", "pooled", "0.5875", "1.96e-06", "10000", "0.5", "–"):
        assert f"<td>{cell}</td>" in text


def test_summary_keeps_its_table(tmp_path) -> None:
    text = page(tmp_path, "summary.md", "| Arm | n |\n|---|---|\n| Base & more | 400 |\n\n- kept 3\n")
    assert "<th>Arm</th>" in text and "<td>Base &amp; more</td>" in text and "<li>kept 3</li>" in text


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

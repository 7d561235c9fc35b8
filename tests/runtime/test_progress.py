"""Progress: a line now and then in a log, read back for the terminal; quiet where nobody looks."""

import os
import pty
import subprocess
import sys
import termios
import time

import pytest
from demo_score.reporting.terminal import SILENT, jobs_under_way
from demo_score.runtime import progress
from demo_score.runtime.progress import progress_bar, read_progress
from places import WORKFLOW

STEPS = """
import sys, time
from demo_score.runtime.progress import progress_bar
with progress_bar(2000, "base", "step") as bar:
    for step in range(2000):
        time.sleep(0.001)
        bar.set_postfix(loss=f"{1 / (step + 1):.3f}", refresh=False)
        bar.update()
"""


def test_a_log_gets_a_line_now_and_then(capsys, monkeypatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_IN_LOG", 0.2)
    start = time.monotonic()
    with progress_bar(1000, "base", "step", initial=100) as bar:
        for step in range(900):
            time.sleep(0.001)
            bar.set_postfix(loss=f"{step}", refresh=False)
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert 2 < len(lines) <= 1 + (time.monotonic() - start) / 0.2
    assert lines[0].startswith("base:  ") and "of 1000 steps" in lines[0]
    assert lines[-1].startswith("base: 100% 1000 of 1000 steps, ") and lines[-1].endswith("left, loss=899")


def test_on_a_terminal_one_line_changes() -> None:
    mine, its = pty.openpty()
    termios.tcsetwinsize(its, (40, 100))
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW)}
    with subprocess.Popen([sys.executable, "-c", STEPS], stderr=its, env=environment) as process:
        os.close(its)
        shown = b""
        while process.poll() is None or not shown.endswith(b"\n"):
            try:
                shown += os.read(mine, 10_000)
            except OSError:  # closed
                break
    assert shown.count(b"\n") == 1 and shown.count(b"\r") > 2
    assert b"2000/2000" in shown and b"loss=0.001" in shown


def test_short_work_leaves_no_line_in_a_log(capsys) -> None:
    with progress_bar(10, "base", "step") as bar:
        for _ in range(10):
            bar.update()
    assert capsys.readouterr().err == ""


def test_fractions_of_episodes_show_as_whole_ones(capsys, monkeypatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_IN_LOG", 0)
    with progress_bar(10, "rollouts", "episode") as bar:
        bar.update(2.6)
    assert capsys.readouterr().err.splitlines()[-1].startswith("rollouts:  26% 3 of 10 episodes")


LINE = "reliable:  40% 24 of 60 episodes, 5.10episode/s, 00:07 left, success=31%"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"warning: a line\n{LINE}\n", " 40% 24 of 60 episodes, 5.10episode/s, 00:07 left, success=31%"),
        (f"{LINE.replace('40%', '100%')}\n", None),
        (f"{LINE}\nsuccess 31% of 60 episodes\n", None),
        ("", None),
        ("\xff" * 10_000, None),
    ],
)
def test_the_last_line_of_a_log_tells(tmp_path, text, expected) -> None:
    (tmp_path / "a.log").write_bytes(text.encode("latin-1"))
    assert read_progress(tmp_path / "a.log") == expected


def test_jobs_under_way_are_those_that_told_lately(tmp_path) -> None:
    now = time.time()
    ages = {"a/seed1/base/train.log": 5, "a/old.log": SILENT + 5, "a/before.log": 20}
    for name, age in ages.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(LINE)
        os.utime(tmp_path / name, (now - age, now - age))
    assert jobs_under_way(tmp_path, since=now - 10) == [f"a/seed1/base/train: {LINE.partition(': ')[2]}"]
    assert jobs_under_way(tmp_path / "nothing", since=0) == []


WATCHED = """
import sys
from pathlib import Path
from demo_score.reporting.terminal import run_with_progress
sys.exit(run_with_progress([sys.executable, "-c", sys.argv[1]], Path(sys.argv[2])))
"""
JOB = """
import time
from pathlib import Path
print("snakemake says this", flush=True)
for _ in range(6000):
    Path("LOGS/base/train.log").write_text("base:  40% 24 of 60 steps, 5.10step/s, 00:07 left")
    time.sleep(0.1)
    if Path("LOGS/seen").exists():
        break
raise SystemExit(3)
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_workflow_on_a_terminal_shows_its_jobs(tmp_path, terminal) -> None:
    (tmp_path / "base").mkdir()
    command = [sys.executable, "-c", WATCHED, JOB.replace("LOGS", str(tmp_path)), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW), "TERM": "xterm"}
    if not terminal:
        (tmp_path / "seen").touch()
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stdout, run.stderr) == (3, "snakemake says this\n", "")
        return
    mine, its = pty.openpty()
    termios.tcsetwinsize(its, (40, 100))
    with subprocess.Popen(command, stdout=its, stderr=its, env=environment) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                shown += os.read(mine, 10_000)
            except OSError:  # closed
                break
            if b"base/train:  40% 24 of 60 steps" in shown:
                (tmp_path / "seen").touch()
    assert process.returncode == 3
    assert b"snakemake says this" in shown and b"base/train:  40% 24 of 60 steps" in shown

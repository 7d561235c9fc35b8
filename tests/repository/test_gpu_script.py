"""The script for machines with a GPU, run in miniature on the CPU, so that it does not rot."""

import re
import subprocess
import sys

import pytest
import torch
from demo_score.reporting.report import can_draw
from places import TESTS

pytestmark = pytest.mark.slow

FOLDER = TESTS / "gpu"
NEEDS_MORE = r"not run: (No module named 'lerobot'|in miniature nothing is compiled|no bfloat16 here|a GPU alone.*)"
DRAWN = {"drawing", "training", "long training"}  # parts that need OpenGL
sys.path.append(str(FOLDER))

import pack_wheels
from plan import MACHINE, PLANS
from table import NOT_RUN, SECONDS, Rows, Table


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, FOLDER / "run.py", *arguments], capture_output=True, text=True)


def test_every_row_of_the_tables_is_filled(tmp_path) -> None:
    path = tmp_path / "gpu.md"
    done = run("--device", "cpu", "--quick", "--plan", *PLANS, "--out", str(path), "--commit", "abc")
    draws = can_draw()
    assert done.returncode == (0 if draws else 1), done.stderr
    cells = [line.strip("| ").split(" | ") for line in path.read_text().splitlines() if line.startswith("| ")][1:]
    rows = {(part, what): measured for part, what, measured, *_ in cells}
    parts = [MACHINE, *(part for plan in PLANS.values() for part in plan)]
    assert list(rows) == [(part.name, what) for part in parts for what in (*part.rows, SECONDS)]
    assert rows["machine", "commit"] == "abc"
    for (part, _), measured in rows.items():
        if draws or part not in DRAWN:
            assert not measured.startswith(NOT_RUN) or re.fullmatch(NEEDS_MORE, measured), measured


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so_in_one_line() -> None:
    done = run()
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("no CUDA device: nothing measured") and done.stderr.count("\n") == 1


def test_rows_of_a_part_that_was_killed_are_kept(tmp_path) -> None:
    part = PLANS["first"][2]
    first, second, *_ = part.rows
    rows, table = Rows(tmp_path / "rows"), Table((part,), tmp_path / "out.md")
    rows.add(first, "1 frame/s")
    with rows.attempt(second):
        raise MemoryError("no more\nof it")
    with rows.path.open("a") as file:
        file.write('["half a ro')
    assert table.take(part, rows.path) and not table.take(part, rows.path)
    table.end(part, 61, "stopped after its 60 s")
    table.write()
    measured = [table.rows[part.name, what][0] for what in (*part.rows, SECONDS)]
    late = NOT_RUN + "stopped after its 60 s"
    assert measured == ["1 frame/s", NOT_RUN + "no more", *[late] * (len(part.rows) - 2), "61"]
    assert [path.name for path in tmp_path.glob("*.md")] == ["out.md"]


def test_every_packed_wheel_has_its_version_from_a_lock() -> None:
    packed = pack_wheels.requirements(["av"])
    assert {"lerobot==0.6.1", "antlr4-python3-runtime==4.9.3"} < set(packed)
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", requirement) for requirement in packed)
    with pytest.raises(LookupError, match="nonsense"):
        pack_wheels.requirements(["nonsense"])

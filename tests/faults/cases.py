"""Faults other than kills. Each case returns rows of the table."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from context import Context, Row, line_with, row, stopped_with_one_line
from workspace import Stamp, Workspace, difference, lost

SEED = "tiny/seed10000"
# What is made last; with each of these, all that follows from it.
TESTS = ("tiny/figures", "tiny/tables", "tiny/pages", f"{SEED}/inputs.json", f"{SEED}/random/evaluation.csv")
LAST = (*TESTS, f"{SEED}/classifiers/first_held_out")
AFTER_ROLLOUTS = (*TESTS, *(f"{SEED}/{part}" for part in ("classifiers", "demo_score*", "curated_demos", "random")))
DAY = 24 * 3600
SKEW = "has older modification time"


@contextmanager
def small_disk(workspace: Workspace, kilobytes: int) -> Iterator[None]:
    """A disk of its own under results/, with what is there now."""
    kept = workspace.folder / "kept"
    workspace.results.mkdir(exist_ok=True)
    workspace.results.rename(kept)
    workspace.results.mkdir()
    options = f"size={kilobytes}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(workspace.results)], check=True)
    try:
        shutil.copytree(kept, workspace.results, symlinks=True, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(workspace.results)], check=True)


def remount(workspace: Workspace, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(workspace.results)], check=True)


def disk_full(context: Context) -> list[Row]:
    """A disk that is too small for everything, then for less and less; the commands say so each time."""
    rows = []
    whole = sum(path.stat().st_blocks * 512 for path in (context.reference / "small/results").rglob("*")) // 1024
    with context.fresh("disk_full") as workspace, small_disk(workspace, 64):
        before: dict[str, Stamp] = {}
        for part in (0.0, 0.1, 0.25, 0.45, 0.7, 0.9):
            size = max(64, int(part * whole))
            remount(workspace, f"size={size}k")
            shutil.rmtree(workspace.folder / "logs", ignore_errors=True)
            status = workspace.run()
            wrong = [stopped_with_one_line(workspace, status, "o space left on device")]
            after = workspace.stamps()
            half = {name: stamp for name, stamp in workspace.stamps(False).items() if ".unfinished" not in name}
            wrong += [lost(before, after), difference(half, _same(context, half))]
            before = after
            rows.append(row("disk full", f"{size} of {whole} KB", wrong, line_with(workspace, "o space left")))
        remount(workspace, f"size={2 * whole}k")
        wrong = [context.ended(workspace, workspace.run(), before)]
        rows.append(row("disk full", "space freed, the same command again", wrong, "same bits, nothing made twice"))
    return rows


def _same(context: Context, made: dict[str, Stamp]) -> dict[str, Stamp]:
    """What the undisturbed run has of the files `made`."""
    return {name: stamp for name, stamp in context.expected.items() if name in made}


def read_only(context: Context) -> list[Row]:
    """Where results are missing nothing is started; those that are stale Snakemake does not touch."""
    cases = {
        "some results missing": (TESTS, "results: cannot be written"),
        "some results stale": (LAST, "Write-protected"),
    }
    rows = []
    for disturbance, (unmade, words) in cases.items():
        with context.finished("read_only", *unmade) as workspace, small_disk(workspace, 100_000):
            before = workspace.stamps()
            remount(workspace, "ro")
            wrong = [stopped_with_one_line(workspace, workspace.run(), words)]
            line = line_with(workspace, words)
            remount(workspace, "rw")
            wrong.append(context.ended(workspace, workspace.again(), before if unmade == TESTS else {}))
        rows.append(row("results folder read-only", disturbance, wrong, f"`{line}`; writable again: same bits"))
    return rows


def two_at_once(context: Context) -> list[Row]:
    with context.finished("two_at_once", *AFTER_ROLLOUTS) as workspace:
        before = workspace.stamps()
        workspace.start()
        while not workspace.jobs():
            time.sleep(0.1)
        second = Workspace(workspace.folder)
        first, said = workspace.running, workspace.folder / "said.txt"
        said.rename(workspace.folder / "said_first.txt")
        wrong = [stopped_with_one_line(second, second.run(), "cannot be locked")]
        line = line_with(second, "cannot be locked")
        workspace.running = first
        wrong.append(context.ended(workspace, workspace.wait(), before))
    return [
        row("two runs at once", "a second one while sweeps run", wrong, f"the second: `{line}`; the first: same bits")
    ]


def clock(context: Context) -> list[Row]:
    """A clock that is set back leaves files from the future; Snakemake makes none that is older than its inputs."""
    rows = []
    places = {"code": ["workflow", "rules", "Snakefile"], "results": ["results"], "both": ["results", "workflow"]}
    for name, parts in places.items():
        with context.finished(f"clock_{name}", *LAST) as workspace:
            for part in parts:
                _touch(workspace.folder / part, time.time() + DAY)
            wrong, line = [], ""
            if name != "code":
                wrong.append(stopped_with_one_line(workspace, workspace.run(), SKEW))
                line = f"`{line_with(workspace, SKEW).partition(' (')[0]} ...`; touched: "
                for part in parts:
                    _touch(workspace.folder / part, time.time())
            wrong.append(context.ended(workspace, workspace.again(), {}))
            made = workspace.stamps()
            wrong += [context.ended(workspace, workspace.run(), made)]
        disturbance = f"{name} a day in the future, some results missing"
        rows.append(row("clock set back", disturbance, wrong, f"{line}same bits; a further run makes nothing"))
    return rows


def _touch(path: Path, at: float) -> None:
    for file in [path, *path.rglob("*")] if path.is_dir() else [path]:
        os.utime(file, (at, at))


def truncated(context: Context) -> list[Row]:
    """A result that was cut short after it was made, and whoever reads it next."""
    chosen = (f"{SEED}/demo_score*", f"{SEED}/curated_demos", f"{SEED}/random", *TESTS)
    classifiers = (f"{SEED}/classifiers", *chosen)
    cases = {
        "checkpoint": (
            f"{SEED}/base/checkpoints/000300/model.safetensors",
            (f"{SEED}/rollouts/000300.*", *classifiers),
        ),
        "last checkpoint": (f"{SEED}/random/checkpoints/000060/model.safetensors", TESTS),
        "rollouts (HDF5)": (f"{SEED}/rollouts/000300.hdf5", classifiers),
        "demonstrations (HDF5)": ("tiny/demonstrations/reliable.hdf5", (f"{SEED}/random/checkpoints", *TESTS)),
        "classifier": (f"{SEED}/classifiers/last_held_out/small_stepwise.safetensors", chosen),
    }
    rows = []
    for name, (cut, unmade) in cases.items():
        with context.finished("truncated", *unmade) as workspace:
            path = workspace.results / cut
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size // 2)
            shutil.rmtree(workspace.folder / "logs")
            where = path.parent.name if "checkpoint" in name else path.name
            wrong = [stopped_with_one_line(workspace, workspace.run(), "error: ", where)]
            line = line_with(workspace, "error: ")
            path.unlink()
            wrong.append(context.ended(workspace, workspace.again(), {}))
        rows.append(row(f"truncated {name}", f"`{Path(cut).name}` cut in half", wrong, f"`{line}`; removed: same bits"))
    return rows


def user_data(context: Context) -> list[Row]:
    """Somebody's data set, damaged before it is looked at."""
    rows = []
    own = "tests/tiny/bring_your_own.yaml"
    reference = context.reference / "own"
    if not (reference / "results/own_trained/tables/summary.md").is_file():
        shutil.rmtree(reference, ignore_errors=True)
        whole = Workspace.new(reference, own)
        assert whole.run() == 0, whole.said()[-2000:]
    expected = Workspace(reference).stamps(finished_only=False)
    for damaged in ("data/chunk-000/file-000.parquet", "meta/info.json", "meta/episodes/chunk-000/file-000.parquet"):
        with context.fresh("supplied", own) as workspace:
            path = workspace.folder / "tests/data/bring_your_own/rollouts_004000" / damaged
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            wrong = [stopped_with_one_line(workspace, workspace.run(), "error: ", "rollouts_004000")]
            line = line_with(workspace, "error: ")
            path.write_bytes(whole)
            status = workspace.again()
            made = workspace.stamps(finished_only=False)
            wrong += [f"failed: {workspace.said()[-300:]}" if status else "", difference(made, expected)]
        rows.append(row("truncated data set", f"`{damaged}`", wrong, f"`{line}`; fixed: same bits"))
    return rows


CASES = {
    "disk_full": disk_full,
    "read_only": read_only,
    "two_at_once": two_at_once,
    "clock": clock,
    "truncated": truncated,
    "user_data": user_data,
}

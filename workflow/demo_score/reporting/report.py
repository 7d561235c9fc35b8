"""The report: everything that the workflow made for people to look at, in one HTML file (Snakemake's own)."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

from demo_score.experiments.files import check_cache, check_options
from demo_score.reporting.terminal import run, run_with_progress
from demo_score.runtime.errors import UserError

DRAW = "from mujoco.egl import GLContext; GLContext(8, 8).free()"
ANSWER = "results/overview/answer.html"  # among its results, the one that the report opens with
NO_VIDEOS = (
    "note: no videos in the report: OpenGL (EGL) does not work here; Debian's libegl1 and libgl1-mesa-dri bring it"
)


def make_report(out: Path, videos: bool, cores: str, options: list[str]) -> None:
    """Make what is missing, with `videos` also recordings of episodes where they can be drawn, and write `out`.

    `options` are snakemake's own. Raises UserError for options that snakemake cannot read, where `out` cannot be
    written, and where snakemake fails, whose log says why.
    """
    check_options(options)
    check_cache()
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK):
        raise UserError(f"{out}: no report: {folder} cannot be written; set --out FILE to write it elsewhere")
    targets = ["all"]
    if videos:
        if can_draw():
            targets.append("videos")
        else:
            print(NO_VIDEOS, file=sys.stderr)
    snakemake = [sys.executable, "-m", "snakemake", *options]
    if videos and run_with_progress([*snakemake, "--cores", cores, *targets], Path("logs")):
        raise UserError("not everything that the report shows could be made; see the logs named above")
    _write([*snakemake, "--report"], targets, out)


def _write(snakemake: list[str], targets: list[str], out: Path) -> None:
    """Snakemake's report of `targets`, opening with ANSWER, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.stem}.unfinished{out.suffix}")
    try:
        command = [*snakemake, str(unfinished), *targets]
        with TemporaryFile("w+") as errors:
            if run(command, stdout=subprocess.DEVNULL, stderr=errors):
                errors.seek(0)
                raise UserError(f"{out}: no report: {_reason(errors.read())}")
        open_with_answer(unfinished)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)


def open_with_answer(report: Path) -> None:
    """Make Snakemake's report show ANSWER before anything is clicked, and summaries first in their category."""
    script = Path(__file__).with_name("first_screen.js").read_text(encoding="utf-8").replace("ANSWER", ANSWER)
    before, end, after = report.read_text(encoding="utf-8").rpartition("</body>")
    report.write_text(f"{before}<script>\n{script}</script>\n{end}{after}", encoding="utf-8")


def _reason(stderr: str) -> str:
    """Why snakemake made no report, and what helps."""
    if os.strerror(errno.ENOSPC) in stderr:
        return "no space left on device; free some and run the same command again"
    return f"{(stderr.strip().splitlines() or ['snakemake --report failed'])[-1].strip()}; run make first"


def can_draw() -> bool:
    """Whether MuJoCo can draw here."""
    environment = {"MUJOCO_GL": "egl", **os.environ}
    command = [sys.executable, "-c", DRAW]
    return (
        environment["MUJOCO_GL"] == "egl"
        and not subprocess.run(command, env=environment, capture_output=True).returncode
    )

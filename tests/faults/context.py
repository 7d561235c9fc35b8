"""What all cases share: the undisturbed run to compare with, a place to work in, and rows of the table."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workspace import SMALL, Stamp, Workspace, difference, lost


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    case: str
    disturbance: str
    result: str
    passed: bool


@dataclass
class Context:
    """Runs that nothing disturbed, and copies of them."""

    place: Path
    reference: Path  # folder of the undisturbed runs, made where they are missing
    seed: int
    expected: dict[str, Stamp] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)  # seconds that a stage's longest job takes

    def prepare(self) -> None:
        """Make the undisturbed run, or read the one that is there."""
        workspace, times = Workspace(self.reference / "small"), self.reference / "durations.json"
        if not times.is_file():
            workspace = Workspace.new(self.reference / "small")
            times.write_text(json.dumps(self._timed(workspace)))
        self.durations = json.loads(times.read_text())
        self.expected = workspace.stamps(finished_only=False)

    def _timed(self, workspace: Workspace) -> dict[str, float]:
        self.tell("the undisturbed run")
        began, longest = {}, {}
        workspace.start()
        while workspace.running.poll() is None:
            for job in workspace.jobs():
                taken = time.monotonic() - began.setdefault(job, time.monotonic())
                longest[job.stage] = max(taken, longest.get(job.stage, 0))
            time.sleep(0.05)
        assert workspace.wait() == 0, workspace.said()[-2000:]
        return longest

    @contextmanager
    def fresh(self, name: str, config: str = SMALL) -> Iterator[Workspace]:
        """A workspace in which nothing is made yet."""
        with self._removed(self.place / name) as folder:
            yield Workspace.new(folder, config)

    @contextmanager
    def finished(self, name: str, *unmade: str) -> Iterator[Workspace]:
        """A workspace in which everything is made but for results whose paths match `unmade`."""
        with self._removed(self.place / name) as folder:
            workspace = Workspace(self.reference / "small").copy(folder)
            for pattern in unmade:
                for path in workspace.results.glob(pattern):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            yield workspace

    @contextmanager
    def _removed(self, folder: Path) -> Iterator[Path]:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def ended(self, workspace: Workspace, status: int, before: dict[str, Stamp]) -> str:
        """What is wrong with a run that should have ended with the same bits, and kept `before`; or nothing."""
        made = workspace.stamps(finished_only=False)
        failed = f"failed: {workspace.said()[-300:]}" if status else ""
        return failed or difference(made, self.expected) or lost(before, made)

    def tell(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def stopped_with_one_line(workspace: Workspace, status: int, *words: str) -> str:
    """What is wrong with a run that should have stopped with a line that has all `words`; or nothing."""
    said = workspace.logs() + workspace.said()
    if status == 0:
        return "went on as if nothing were wrong"
    if "Traceback" in said:
        return "a traceback: " + said[said.index("Traceback") :][-300:]
    if not any(all(word in line for word in words) for line in said.splitlines()):
        return f"no line with {' and '.join(words)}: {said[-300:]}"
    return ""


def line_with(workspace: Workspace, word: str) -> str:
    """The first line that has `word`."""
    lines = [line.strip() for line in (workspace.logs() + workspace.said()).splitlines() if word in line]
    return lines[0].replace("|", "\\|") if lines else ""


def row(case: str, disturbance: str, wrong: list[str], result: str) -> Row:
    """A row that failed where anything is `wrong`."""
    wrong = [part for part in wrong if part]
    return Row(case, disturbance, f"FAILED: {wrong[0]}".replace("\n", " ") if wrong else result, not wrong)

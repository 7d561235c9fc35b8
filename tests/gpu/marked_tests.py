"""The tests marked `gpu`, and how they ended."""

import os

import pytest
from machine import REPOSITORY
from table import Rows

ROW = "pytest -m gpu"
QUICK = ["-k", "actions_are_those and not diffusion"]


class Outcomes:
    """A plugin of pytest's that reports after each test."""

    def __init__(self, rows: Rows):
        self.rows = rows
        self.tests: dict[str, str] = {}  # -> passed, failed or skipped
        self.reasons: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            name = report.nodeid.rpartition("::")[2]
            self.tests[name] = report.outcome
            if report.skipped:
                self.reasons.append(str(report.longrepr[2]).removeprefix("Skipped: "))
            self.rows.add(ROW, self.summary(), "; ".join(filter(None, [self.failed(), *dict.fromkeys(self.reasons)])))

    def summary(self) -> str:
        outcomes = list(self.tests.values())
        return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in ("passed", "failed", "skipped"))

    def failed(self) -> str:
        names = [name for name, outcome in self.tests.items() if outcome == "failed"]
        return f"failed: {', '.join(names)}" if names else ""


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    """Run them on `device`. Raises SystemExit where one fails."""
    os.environ["GPU_TESTS_DEVICE"] = device
    outcomes = Outcomes(rows)
    here = REPOSITORY / "tests/gpu"
    options = ["-m", "gpu", "-p", "no:cacheprovider", "-p", "no:xdist", "--confcutdir", str(here), "--durations=5"]
    options += QUICK if quick else []
    status = pytest.main([*options, "--rootdir", str(REPOSITORY), str(here / "test_gpu.py")], plugins=[outcomes])
    if outcomes.failed():
        raise SystemExit(outcomes.failed())
    if status:
        raise SystemExit(f"pytest ended with status {int(status)}")

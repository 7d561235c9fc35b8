"""Data sets that are odd but legal are read, converted, listed and learnt from as they are, or refused in one line.

By hand for an hour: make test-oddities (ODDITIES_SECONDS=3600).
"""

import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from agree import agree
from draw import data_sets
from hypothesis import HealthCheck, Phase, given, settings
from truth import DataSet

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("ODDITIES_SECONDS", 40))
BY_HAND = "ODDITIES_SECONDS" in os.environ
SLOW_EVERY = 20  # data sets


class OutOfTimeError(BaseException):
    """Ends the drawing; no Exception, which hypothesis would take for a failure."""


class Tally:
    """What became of the data sets drawn."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.drawn: Counter[str] = Counter()
        self.found: Counter[tuple[str, str, str]] = Counter()

    def out_of_time(self) -> bool:
        return time.monotonic() - self.began > SECONDS

    def add(self, data: DataSet, found: Counter) -> None:
        for (step, outcome), count in found.items():
            self.found[data.format, step, outcome] += count

    def report(self) -> str:
        """Counts of data sets and of what was done with them, and each line that refused one."""
        agreed: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        lines: Counter[str] = Counter()
        for (format_, step, outcome), count in self.found.items():
            (agreed if outcome == "agreed" else refused)[format_] += count
            if outcome != "agreed":
                lines[f"{format_}, {step}: {outcome}"] += count
        formats = [f"{f}: {n} drawn, {agreed[f]} agreed, {refused[f]} refused" for f, n in sorted(self.drawn.items())]
        return "\n".join(["", *formats, *(f"  {count} x {line}" for line, count in lines.most_common())])


def test_odd_data_sets_agree_with_their_truth_or_are_refused_in_one_line(capsys: pytest.CaptureFixture) -> None:
    tally = Tally()

    @settings(
        max_examples=10**7 if BY_HAND else 120,
        derandomize=not BY_HAND,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data_sets())
    def try_one(data: DataSet) -> None:
        if tally.out_of_time():
            raise OutOfTimeError
        tally.drawn[data.format] += 1
        with TemporaryDirectory() as folder:
            source = Path(folder) / "a folder"
            source.mkdir()
            tally.add(data, agree(data, source, slow=tally.drawn.total() % SLOW_EVERY == 1))

    with suppress(OutOfTimeError):
        try_one()
    with capsys.disabled():
        print(tally.report())
    agreed = {format_ for (format_, _, outcome) in tally.found if outcome == "agreed"}
    assert agreed == set(tally.drawn) and len(tally.drawn) > 1

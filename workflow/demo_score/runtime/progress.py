"""How far long work has come: one line that changes on a terminal, and a line now and then in a log."""

import re
import sys
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

SECONDS_ON_TERMINAL, SECONDS_IN_LOG = 1, 10  # between two lines
LINE = "{desc}: {percentage:3.0f}% {n:.0f} of {total_fmt} {unit}s, {rate_fmt}, {remaining} left{postfix}"
_LINE = re.compile(r".+: +(?P<percent>\d+)% (?P<rest>\d+ of \d+ .+ left.*)")
_TAIL = 4096  # bytes of a log that hold its last line


class _Lines:
    """A text file in which what would overwrite a line becomes a line of its own."""

    def __init__(self, file: TextIO):
        self.file = file

    def write(self, text: str) -> None:
        if text.strip():
            self.file.write(text.strip() + "\n")

    def flush(self) -> None:
        self.file.flush()


def progress_bar(total: int, description: str, unit: str, initial: int = 0) -> tqdm:
    """tqdm's bar on standard error, `unit` (singular) in the plural. In a log, short work leaves no line at all."""
    counts = {"total": total, "initial": initial, "desc": description, "unit": unit}
    if sys.stderr.isatty():
        return tqdm(**counts, mininterval=SECONDS_ON_TERMINAL)
    pace = {"delay": SECONDS_IN_LOG, "mininterval": SECONDS_IN_LOG, "maxinterval": SECONDS_IN_LOG}
    return tqdm(**counts, **pace, file=_Lines(sys.stderr), bar_format=LINE)


def read_progress(log: Path) -> str | None:
    """What the last line of a log says of work that goes on ("34% 1700 of 5000 steps, ..."); else None."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    found = _LINE.fullmatch(lines[-1].strip()) if lines else None
    return f"{found['percent']:>3}% {found['rest']}" if found and int(found["percent"]) < 100 else None

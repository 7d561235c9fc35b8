"""A workflow on a terminal: what it says, and below that a line for each of its jobs that takes long."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from rich.live import Live
from rich.text import Text

from demo_score.runtime.progress import SECONDS_IN_LOG, read_progress
from demo_score.runtime.stopping import StoppedError, check, polled

PACE = 0.5  # seconds between two looks
SILENT = 6 * SECONDS_IN_LOG  # a job whose log is older than that has ended, or has nothing to tell


def run_with_progress(command: list[str], logs: Path) -> int:
    """Run `command`, whose jobs write to files below `logs`; its exit status. Without a terminal, just run it."""
    if not sys.stdout.isatty():
        return run(command)
    began = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, too: it decides when to end
    with Live(refresh_per_second=2, transient=True) as live, stopped_too(process):
        reader = threading.Thread(target=_repeat, args=(process, live), daemon=True)
        reader.start()
        while process.poll() is None:
            looked = time.monotonic()
            live.update(Text("\n".join(jobs_under_way(logs, began)), style="dim", overflow="ellipsis", no_wrap=True))
            with suppress(subprocess.TimeoutExpired):  # many logs are looked at less often
                process.wait(max(PACE, 10 * (time.monotonic() - looked)))
            check()
        live.update(Text())
        reader.join()
    return process.returncode


def run(command: list[str], **files: IO | int) -> int:
    """Run `command`, and heed SIGTERM while it runs; its exit status. `files`: stdout and stderr, but no pipes."""
    with subprocess.Popen(command, **files) as process, stopped_too(process):
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(PACE)
            check()
    return process.returncode


@contextmanager
def stopped_too(process: subprocess.Popen) -> Iterator[None]:
    """A polled block in which SIGTERM ends `process` too, which may take its time for that."""
    with polled():
        try:
            yield
        except StoppedError:
            process.terminate()
            process.wait()
            raise


def _repeat(process: subprocess.Popen, live: Live) -> None:
    for line in process.stdout:
        live.console.print(Text(line.rstrip("\n")), soft_wrap=True)


def jobs_under_way(logs: Path, since: float) -> list[str]:
    """A line for each job that reported progress lately, and after `since` (seconds since 1970)."""
    lines = []
    for log in sorted(logs.rglob("*.log")):
        try:
            if log.stat().st_mtime > max(since, time.time() - SILENT) and (progress := read_progress(log)):
                lines.append(f"{log.relative_to(logs).with_suffix('')}: {progress}")
        except OSError:  # removed meanwhile
            continue
    return lines

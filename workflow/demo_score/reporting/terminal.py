"""A workflow on a terminal: what it says, and below that a line for each of its jobs that takes long."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from rich.live import Live
from rich.text import Text

from demo_score.runtime.progress import SECONDS_IN_LOG, read_progress

SILENT = 6 * SECONDS_IN_LOG  # a job whose log is older than that has ended, or has nothing to tell


def run_with_progress(command: list[str], logs: Path) -> int:
    """Run `command`, whose jobs write to files below `logs`; its exit status. Without a terminal, just run it."""
    if not sys.stdout.isatty():
        return subprocess.run(command, check=False).returncode
    began = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, too: it decides when to end
    with Live(refresh_per_second=2, transient=True) as live:
        reader = threading.Thread(target=_repeat, args=(process, live))
        reader.start()
        while process.poll() is None:
            looked = time.monotonic()
            live.update(Text("\n".join(jobs_under_way(logs, began)), style="dim", overflow="ellipsis", no_wrap=True))
            with suppress(subprocess.TimeoutExpired):  # many logs are looked at less often
                process.wait(max(0.5, 10 * (time.monotonic() - looked)))
        live.update(Text())
        reader.join()
    return process.returncode


def _repeat(process: subprocess.Popen, live: Live) -> None:
    for line in process.stdout:
        live.console.print(Text(line.rstrip("\n")), soft_wrap=True)


def jobs_under_way(logs: Path, since: float) -> list[str]:
    """A line for each job that told of its progress lately, and after `since` (seconds since 1970)."""
    lines = []
    for log in sorted(logs.rglob("*.log")):
        try:
            if log.stat().st_mtime > max(since, time.time() - SILENT) and (progress := read_progress(log)):
                lines.append(f"{log.relative_to(logs).with_suffix('')}: {progress}")
        except OSError:  # removed meanwhile
            continue
    return lines

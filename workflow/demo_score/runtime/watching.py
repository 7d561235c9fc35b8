"""A thread that ends a command which waits for what never comes: silent processes, locks, disks and networks."""

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import psutil

from demo_score.runtime.unexpected import say, write_log

IDLE = 50.0  # seconds in which nothing computes, after which nothing will
PACE = 2.0  # seconds between two looks
BUSY = 0.1  # seconds of computing in IDLE that are work; waiting takes less
STATUS = 3


@contextmanager
def watched(idle: bool = True) -> Iterator[None]:
    """Watch the block, which runs in the main thread, unless `idle` is false.

    The process ends with STATUS and one line where for IDLE seconds neither it nor a process that it started has
    computed, or moved bytes to or from a disk.
    """
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(over, threading.get_ident()), daemon=True)
    if idle:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if idle:
            thread.join()


@contextmanager
def connections_count() -> Iterator[None]:
    """For a download, which computes next to nothing while it goes on: being connected counts as work in the block.

    The other end, or the library that downloads, must have rules of its own for how long it is silent.
    """
    _Downloads.blocks += 1
    try:
        yield
    finally:
        _Downloads.blocks -= 1


class _Downloads:
    """How many blocks of this kind are going on."""

    blocks = 0


def _watch(over: threading.Event, main_thread: int) -> None:
    work = _Work()
    while not over.wait(PACE):
        if work.seconds_without() >= IDLE and not over.is_set():
            _end(_waits_for(main_thread))


class _Work:
    """How long the command and the processes that it started have neither computed nor read or written a disk.

    Looks are counted, not time: a process that was stopped (Ctrl-Z) or a machine that slept has not waited.
    """

    def __init__(self) -> None:
        self.looks = 0
        self.before = self._done()

    def seconds_without(self) -> float:
        seconds, moved = self._done()
        worked = abs(seconds - self.before[0]) > BUSY or moved != self.before[1]
        self.looks += 1
        if worked or (_Downloads.blocks and _is_connected()):
            self.looks, self.before = 0, (seconds, moved)
        return self.looks * PACE

    @staticmethod
    def _done() -> tuple[float, int]:
        """Seconds that all have computed, this thread aside, and bytes that they have read and written."""
        ended = os.times()
        seconds = time.process_time() - time.thread_time() + ended.children_user + ended.children_system
        moved = 0
        for process in _children():
            with suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system
                moved += _moved(process)
        return seconds, moved + _moved(psutil.Process())


def _moved(process: psutil.Process) -> int:
    with suppress(psutil.Error, AttributeError):  # not every system counts them
        counted = process.io_counters()
        return counted.read_bytes + counted.write_bytes
    return 0


def _is_connected() -> bool:
    """Whether a connection to somewhere is open; a wait for another process's lock has none."""
    with suppress(psutil.Error):
        return any(one.status == psutil.CONN_ESTABLISHED for one in psutil.Process().net_connections("tcp"))
    return True


def _children() -> list[psutil.Process]:
    with suppress(psutil.Error):
        return psutil.Process().children(recursive=True)
    return []


def _waits_for(main_thread: int) -> str:
    """The line for a command that waits, and a log that says where."""
    frame = sys._current_frames().get(main_thread)
    stack = traceback.format_stack(frame) if frame else []
    processes = [f"{child.pid} {child.name()} {child.status()}" for child in _children() if child.is_running()]
    log = write_log("".join([*stack, "\nprocesses: ", ", ".join(processes) or "none", "\n"]))
    what = f"one of {len(processes)} processes that it started" if processes else "a lock, a disk or the network"
    return (
        f"error: nothing has been computed for {IDLE:.0f} s: the command waits for {what}, and ends; {log} says where. "
        "Run the same command again; if it waits again, report it with that file"
    )


def _end(message: str) -> NoReturn:
    """A pool starts a worker anew for each that is killed: those say nothing, and end with their parent."""
    say(message)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for process in _children():
        with suppress(psutil.Error):
            process.kill()
    os._exit(STATUS)

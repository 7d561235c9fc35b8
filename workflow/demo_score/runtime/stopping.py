"""SIGTERM always ends a command in time, also where it is in the midst of a call that Python cannot interrupt."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

GRACE = "DEMO_SCORE_GRACE"  # seconds from SIGTERM to the end, whatever is at hand; schedulers kill after 30 or so
_SECONDS = 9.0
_MESSAGE = b"stopped: SIGTERM; what was at hand took too long and is lost; run the same command again\n"


@contextmanager
def ends_in_time() -> Iterator[None]:
    """End the process 9 seconds (or DEMO_SCORE_GRACE) after SIGTERM, with status 143, if the block goes on so long.

    Results appear atomically, so that nothing is left half-written. Python hands signals to its own handlers between
    two of its instructions only, but writes their numbers to a file descriptor at once; a thread waits there.
    """
    ours, pythons = socket.socketpair()
    pythons.setblocking(False)
    over = threading.Event()
    threading.Thread(target=_watch, args=(ours, over, _grace()), daemon=True).start()
    before = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        pythons.close()


def _grace() -> float:
    try:
        return max(0.0, float(os.environ.get(GRACE) or _SECONDS))
    except ValueError:
        return _SECONDS


def _watch(signals: socket.socket, over: threading.Event, grace: float) -> None:
    with signals:
        while numbers := signals.recv(64):
            if signal.SIGTERM in numbers:
                if not over.wait(grace):
                    os.write(2, _MESSAGE)
                    os._exit(128 + signal.SIGTERM)
                return


def _hold(how: int) -> None:
    signal.pthread_sigmask(how, [signal.SIGTERM])


def _forget() -> None:
    """In a process that was forked: its own signals are not those of the command."""
    signal.set_wakeup_fd(-1)
    _hold(signal.SIG_UNBLOCK)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _hold(signal.SIG_BLOCK),
        after_in_parent=lambda: _hold(signal.SIG_UNBLOCK),
        after_in_child=_forget,
    )

"""How SIGTERM ends a command: at a place that the command has chosen, at once, or in any case after 9 seconds.

The signal only sets a flag. In a block `polled` (a loop, a file being written) the command goes on until it calls
`check`, or to the end of the block, where StoppedError is raised and no other line can raise it: what it has so far
is stored and its processes are ended. Outside such blocks a thread ends the process at once, without an exception, as
nothing is at hand there that would be lost: imports, reading, one long call. A block that goes on for 9 seconds (or
DEMO_SCORE_GRACE) after the signal is ended by the thread, too. The status is always 143. Results appear atomically, so
that nothing is left half-written. A call that holds Python's lock stops the thread as well: until it returns, nothing
but SIGKILL ends the process.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

GRACE = "DEMO_SCORE_GRACE"  # seconds from SIGTERM to the end, whatever is at hand; schedulers kill after 30 or so
STATUS = 128 + signal.SIGTERM
STOPPED = "stopped: SIGTERM; run the same command again: it goes on where it was"
_LOST = "stopped: SIGTERM; what was at hand took too long and is lost; run the same command again"
_SECONDS = 9.0


class StoppedError(BaseException):
    """SIGTERM came: a time limit, a pre-emption, scancel. No Exception, so that nothing takes it for a failure."""


class _Stop:
    """Whether the signal has come to this process, and who ends it: the thread, or the command itself."""

    asked = False
    blocks = 0  # `polled` ones that are open
    deaf = False  # the command is ending already: no error is raised any more
    process = 0
    lock = threading.Lock()  # for changes of whether the thread may end the process at once


def check() -> None:
    """Raise StoppedError if SIGTERM has come: the first time only, so that what is stored then is not stopped."""
    with _Stop.lock:
        stops = _Stop.asked and not _Stop.deaf
        _Stop.deaf |= stops
    if stops:
        raise StoppedError


@contextmanager
def polled() -> Iterator[None]:
    """A block that SIGTERM does not end at once, as it calls `check` every few seconds at most, or is as short.

    At the end of the outermost block StoppedError is raised if the signal has come meanwhile.
    """
    with _Stop.lock:
        _Stop.blocks += 1
    try:
        yield
    except BaseException:
        _leave()
        raise
    if _leave():
        raise StoppedError


def _leave() -> bool:
    """Whether the block that ends is the outermost, and is to hear of a signal."""
    with _Stop.lock:
        _Stop.blocks -= 1
        stops = _Stop.asked and not _Stop.deaf and not _Stop.blocks
        _Stop.deaf |= stops
    return stops


def ignore_sigterm() -> None:
    """From here on a command ends before it heeds SIGTERM: little is left to do, and stopping would lose the work."""
    with _Stop.lock:
        _Stop.deaf = True


@contextmanager
def heeds_sigterm() -> Iterator[None]:
    """In the block, which is a whole command, SIGTERM ends the process as this module says.

    Python hands signals to its own handlers between two of its instructions only, but writes their numbers to a file
    descriptor at once; the thread waits there.
    """
    ours, pythons = socket.socketpair()
    pythons.setblocking(False)
    over = threading.Event()
    threading.Thread(target=_watch, args=(ours, over, _grace()), daemon=True).start()
    with sets_flag():
        before = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            with _Stop.lock:  # held for good by a thread that is ending the process
                over.set()
            signal.set_wakeup_fd(before)
            pythons.close()


@contextmanager
def sets_flag() -> Iterator[None]:
    """In the block, SIGTERM does nothing but make `check` raise StoppedError."""
    _Stop.asked, _Stop.deaf, _Stop.blocks, _Stop.process = False, False, 0, os.getpid()
    before = signal.signal(signal.SIGTERM, _handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _Stop.asked, _Stop.deaf, _Stop.blocks = False, False, 0


def _handle(*_: object) -> None:
    if os.getpid() != _Stop.process:  # forked from the command: nothing to save here
        os._exit(STATUS)
    _Stop.asked = True


def _grace() -> float:
    try:
        return max(0.0, float(os.environ.get(GRACE) or _SECONDS))
    except ValueError:
        return _SECONDS


def _watch(signals: socket.socket, over: threading.Event, grace: float) -> None:
    with signals:
        while numbers := signals.recv(64):
            if signal.SIGTERM in numbers:
                with _Stop.lock:
                    if not (_Stop.blocks or _Stop.deaf or over.is_set()):
                        _end(STOPPED)
                if not over.wait(grace):
                    _end(_LOST)
                return


def _end(message: str) -> NoReturn:
    os.write(2, f"{message}\n".encode())
    os._exit(STATUS)


def _hold(how: int) -> None:
    signal.pthread_sigmask(how, [signal.SIGTERM])


def _forget() -> None:
    """In a process that was forked: its own signals are not those of the command."""
    signal.set_wakeup_fd(-1)
    _Stop.asked, _Stop.blocks, _Stop.lock = False, 0, threading.Lock()
    _hold(signal.SIG_UNBLOCK)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _hold(signal.SIG_BLOCK),
        after_in_parent=lambda: _hold(signal.SIG_UNBLOCK),
        after_in_child=_forget,
    )

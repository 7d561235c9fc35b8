"""What a user sees where a command cannot go on: one line that says what is wrong and what to type instead."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from demo_score.stopping import ends_in_time


class UserError(Exception):
    """Bad input. The message is one complete line; commands print it and exit with status 2."""


class StoppedError(BaseException):
    """SIGTERM came: a time limit, a pre-emption, scancel. No Exception, so that nothing takes it for a failure."""


class _Sigterm:
    """Whether the signal has come to this process, and how many blocks it waits for."""

    asked = False
    deferrals = 0
    process = 0


def run_command(main: Callable[[], None]) -> None:
    """Run a command's `main`; turn what a user can mend into one line and an exit status.

    That is a UserError, a file that cannot be read or written, memory (a GPU's, too) that ran out, or a process
    that died. SIGTERM raises StoppedError in `main`, once, and ends in exit status 143, in any case after 9 seconds.
    """
    try:
        with ends_in_time(), _sigterm_raises():
            main()
    except UserError as error:
        sys.exit(_report(str(error), status=2))
    except OSError as error:
        sys.exit(_report(_of_file(error), status=2))
    except (MemoryError, RuntimeError) as error:
        kind = type(error).__name__
        if kind == "BrokenProcessPool":  # concurrent.futures'
            sys.exit(_report("a process that this command started died (out of memory?); run it again", status=3))
        if not isinstance(error, MemoryError) and kind != "OutOfMemoryError":  # torch's
            raise
        sys.exit(_report("out of memory: use smaller batches", status=3))
    except KeyboardInterrupt:
        sys.exit(_report("interrupted", status=130))
    except StoppedError:
        print("stopped: SIGTERM; run the same command again: it goes on where it was", file=sys.stderr)
        sys.exit(128 + signal.SIGTERM)


@contextmanager
def sigterm_deferred() -> Iterator[None]:
    """Let a SIGTERM that comes in this block raise StoppedError at its end, also in place of a UserError.

    Such an error may tell of nothing but a process that the same signal ended.
    """
    _Sigterm.deferrals += 1
    try:
        yield
    except UserError:
        if _Sigterm.asked:
            raise StoppedError from None
        raise
    finally:
        _Sigterm.deferrals -= 1
    if _Sigterm.asked and not _Sigterm.deferrals:
        raise StoppedError


def ignore_sigterm() -> None:
    """From here on a command ends before it heeds SIGTERM: little is left to do, and stopping would lose the work."""
    _Sigterm.deferrals += 1


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    _Sigterm.asked, _Sigterm.deferrals, _Sigterm.process = False, 0, os.getpid()
    before = signal.signal(signal.SIGTERM, _handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _Sigterm.asked, _Sigterm.deferrals = False, 0


def _handle(*_: object) -> None:
    if os.getpid() != _Sigterm.process:  # forked from the command: nothing to save here
        os._exit(128 + signal.SIGTERM)
    first, _Sigterm.asked = not _Sigterm.asked, True
    if first and not _Sigterm.deferrals:
        raise StoppedError


def _of_file(error: OSError) -> str:
    """What an error of the system's says, beginning with the file where it names one."""
    return f"{error.filename}: {(error.strerror or str(error)).lower()}" if error.filename else str(error)


def _report(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status

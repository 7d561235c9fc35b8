"""What a user sees where a command cannot go on: one line that says what is wrong and what to type instead."""

import sys
from collections.abc import Callable

from demo_score.runtime.memory import bounded_memory
from demo_score.runtime.stopping import STATUS, STOPPED, StoppedError, heeds_sigterm
from demo_score.runtime.unexpected import report_unexpected, say
from demo_score.runtime.watching import watched


class UserError(Exception):
    """Bad input. The message is one complete line; commands print it and exit with status 2."""


def run_command(main: Callable[[], str | None], idle: bool = True) -> None:
    """Run a command's `main` and print the line that it returns; turn whatever goes wrong into one and an exit status.

    2: what a user can fix (a UserError, a file that cannot be read or written). 3: memory (a GPU's, too) that ran out,
    a process that died, or with `idle` one that waits for what never comes. 143: SIGTERM, see `stopping`. 1: what
    nobody foresaw, of which a log tells.
    """
    try:
        with bounded_memory(), heeds_sigterm(), watched(idle):
            made = main()
        if made:
            say(made, sys.stdout)
    except UserError as error:
        sys.exit(_report(str(error), status=2))
    except KeyboardInterrupt:
        sys.exit(_report("interrupted", status=130))
    except StoppedError:
        say(STOPPED)
        sys.exit(STATUS)
    except Exception as error:
        sys.exit(_report_other(error))


def _report_other(error: Exception) -> int:
    if out_of_memory(error):
        return _report("out of memory: use smaller batches or sizes", status=3)
    if type(error).__name__ == "BrokenProcessPool":  # concurrent.futures'
        return _report("a process that this command started died (out of memory?); run it again", status=3)
    if isinstance(error, OSError):
        return _report(" ".join(_of_file(error).split()), status=2)
    return report_unexpected(error)


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's, torch's on a GPU, or torch's on the CPU, which is a RuntimeError."""
    kind = type(error).__name__
    return isinstance(error, MemoryError) or kind == "OutOfMemoryError" or "allocate memory" in str(error)


def _of_file(error: OSError) -> str:
    """What an error of the system's says, beginning with the file where it names one."""
    what = error.strerror.lower() if error.strerror else str(error)
    if isinstance(error, BrokenPipeError):
        what = f"{what}: whatever read the output ended before all was written"
    return f"{error.filename}: {what}" if error.filename else f"cannot read or write: {what}"


def _report(message: str, status: int) -> int:
    sys.unraisablehook = lambda *_: None  # what then breaks while things are taken apart tells nobody more
    say(f"error: {message}")
    return status

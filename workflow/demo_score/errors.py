"""The one exception that a user sees: one line that says what is wrong and what to type instead."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """Bad input. The message is one complete line; commands print it and exit with status 2."""


def run_command(main: Callable[[], None]) -> None:
    """Run a command's `main`; turn what a user can mend into one line and an exit status.

    That is a UserError, a file that cannot be read or written, or memory (a GPU's, too) that ran out.
    """
    try:
        main()
    except UserError as error:
        sys.exit(_report(str(error), status=2))
    except OSError as error:
        sys.exit(_report(str(error), status=2))
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and type(error).__name__ != "OutOfMemoryError":  # torch's
            raise
        sys.exit(_report("out of memory: use smaller batches", status=3))
    except KeyboardInterrupt:
        sys.exit(_report("interrupted", status=130))


def _report(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status

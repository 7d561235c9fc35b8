"""The one exception that a user sees: one line that says what is wrong and what to type instead."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """Bad input. The message is one complete line; commands print it and exit with status 2."""


def run_command(main: Callable[[], None]) -> None:
    """Run a command's `main`; turn a UserError, or memory that ran out, into one line and an exit status."""
    try:
        main()
    except UserError as error:
        sys.exit(_report(str(error), status=2))
    except MemoryError:
        sys.exit(_report("out of memory: set a smaller training.batch_size or eval.batch_size", status=3))
    except KeyboardInterrupt:
        sys.exit(_report("interrupted", status=130))


def _report(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status

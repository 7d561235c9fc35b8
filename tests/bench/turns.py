"""Two programs that measure in turns, one of them in another Python's process: what that one does to be asked."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

READY, GO, END = "ready", "go", "end"  # lines; an end of file would not do: workers forked here hold the pipe open


def answer(measure: Callable[[], float]) -> None:
    """In the other process: measure once for each line that comes in, until the end is said, and print it."""
    print(READY, flush=True)
    for line in sys.stdin:
        if line.strip() == END:
            break
        print(measure(), flush=True)


@contextmanager
def asked(command: list[str]) -> Iterator[Callable[[], float]]:
    """Yield a function that has the process of `command`, which calls `answer`, measure once."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:

        def measured() -> float:
            print(GO, file=peer.stdin, flush=True)
            return float(peer.stdout.readline())

        for line in peer.stdout:
            if line.strip() == READY:
                break
        else:
            raise RuntimeError(f"{command[0]} ended before it could measure")
        yield measured
        print(END, file=peer.stdin, flush=True)

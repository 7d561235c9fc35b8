"""Two programs that measure in turns, one of them in another Python's process: what that one does to be asked."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

READY = "ready"


def answer(measure: Callable[[], float]) -> None:
    """In the other process: measure once for each line that comes in, and print it."""
    print(READY, flush=True)
    for _ in sys.stdin:
        print(measure(), flush=True)


@contextmanager
def asked(command: list[str]) -> Iterator[Callable[[], float]]:
    """Yield a function that has the process of `command`, which calls `answer`, measure once."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:

        def measured() -> float:
            print("go", file=peer.stdin, flush=True)
            return float(peer.stdout.readline())

        for line in peer.stdout:
            if line.strip() == READY:
                break
        else:
            raise RuntimeError(f"{command[0]} ended before it could measure")
        yield measured
        peer.stdin.close()

"""A bound on memory, so that what cannot fit ends in an error with a message, and not by the system's kill."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

SLACK = 4 * 2**30  # bytes that a process may reserve beyond a container's limit, as it never uses all
_CGROUPS = Path("/sys/fs/cgroup")
_CUDA = Path("/dev/nvidiactl")


@contextmanager
def bounded_memory() -> Iterator[None]:
    """In the block no process can reserve more than the machine, or its container, has: then a MemoryError is raised.

    Where there is a GPU of NVIDIA's, nothing is bounded: its driver reserves more than it uses.
    """
    try:
        import resource
    except ImportError:  # no Unix
        yield
        return
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [bound for bound in (available_memory(), before, most) if bound != resource.RLIM_INFINITY]
    if _CUDA.exists():
        bounds = [before]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def available_memory() -> int:
    """Bytes of this machine, or of the container that this process is in and some more."""
    limits = [psutil.virtual_memory().total + psutil.swap_memory().total]
    for path in _limits():
        with suppress(OSError, ValueError):  # "max" is no number
            limits.append(int(path.read_text()) + SLACK)
    return min(limits)


def _limits() -> Iterator[Path]:
    """Files that may hold the limit of this process's control group and of those above it, of either version."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, own = line.split(":", 2)
            if controllers in ("", "memory"):
                folder = _CGROUPS / controllers
                parts = Path(os.path.normpath(own)).parts[1:]
                for depth in range(len(parts) + 1):
                    yield folder.joinpath(*parts[:depth], "memory.limit_in_bytes" if controllers else "memory.max")

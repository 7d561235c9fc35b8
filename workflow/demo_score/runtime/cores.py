"""How many threads a command may use; imports nothing that takes long."""

import os
import sys

from demo_score.runtime.errors import UserError


def available_threads(n_workers: int = 0) -> int:
    """Threads this command may use: OMP_NUM_THREADS, which the workflow sets, or one; `n_workers` of them are taken."""
    return max(1, (_wanted_threads() or 1) - n_workers)


def limit_threads() -> None:
    """Let torch compute with available_threads(), now, or when somebody loads it."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(available_threads())
    else:
        os.environ["OMP_NUM_THREADS"] = str(available_threads())


def cores() -> int:
    """Cores that this process may use, of the system's and of OMP_NUM_THREADS."""
    n_cores = _system_cores()
    return min(n_cores, _wanted_threads() or n_cores)


def _wanted_threads() -> int | None:
    """OMP_NUM_THREADS, of a list the first, as OpenMP has it; None where it is not set.

    No more than two a core: threads cost memory, and a hundred thousand of them hang.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "").strip()
    if not wanted:
        return None
    first = wanted.partition(",")[0].strip()
    if not (first.isascii() and first.isdigit() and int(first)):
        raise UserError(f"OMP_NUM_THREADS={wanted}: is no number of threads; set a whole number from 1, or unset it")
    return min(int(first), 2 * _system_cores())


def _system_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

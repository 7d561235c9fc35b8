"""Handing out batches, gathered here or read ahead by worker processes: the same ones bit for bit."""

import multiprocessing.queues
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from demo_score.runtime.cores import cores
from demo_score.runtime.errors import UserError
from demo_score.runtime.stopping import check
from demo_score.training.chunks import ChunkDataset

Batch = dict[str, Tensor]


class Batches:
    """An endless iterator of batches on `device`, drawn with `generator` (on the CPU).

    Images are read by `num_workers` processes (0: this one; no more than there are cores), some batches ahead.
    Without images batches are gathered in this process, on `device`: that is quicker than handing them over.
    Raises UserError where images cannot be read, or a worker dies.
    """

    def __init__(
        self,
        dataset: ChunkDataset,
        batch_size: int,
        generator: torch.Generator,
        num_workers: int,
        device: torch.device,
    ):
        self.dataset = dataset.to(torch.device("cpu") if dataset.images else device)
        self.batch_size = batch_size
        self.generator = generator
        self.num_workers = min(num_workers, cores()) if dataset.images else 0
        self.device = device
        self._loaded: Iterator[Batch | Exception] | None = None
        self._states: deque[Tensor] = deque()  # the generator's after each batch that was drawn, in order
        self._state: Tensor | None = None  # after the batch last handed out

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Batch:
        if not self.num_workers:
            batch = self.dataset.__getitems__(self.dataset.draw(self.batch_size, self.generator))
        else:
            batch = self._next_loaded()
            self._state = self._states.popleft()
        return {key: values.to(self.device, non_blocking=True) for key, values in batch.items()}

    def generator_state(self) -> Tensor:
        """The generator's state after the batch last handed out, whatever has been read ahead.

        Give it to the generator before the first batch, and batches go on from there.
        """
        return self.generator.get_state() if self._state is None else self._state

    def close(self) -> None:
        """End the workers, as does the end of this object's life."""
        self._loaded = None

    def _next_loaded(self) -> Batch:
        if self._loaded is None:
            self._loaded = self._start_workers()
        try:
            batch = next(self._loaded)
        except (RuntimeError, EOFError, OSError) as error:  # a worker was killed, or found no shared memory
            if isinstance(error, RuntimeError) and not str(error).startswith("DataLoader worker"):
                raise
            self.close()
            check()  # the signal may have ended the worker, too
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UserError(
                f"a process that reads images died ({reason}); set a smaller "
                "training.num_workers or training.batch_size, or give more shared memory (/dev/shm)"
            ) from None
        if isinstance(batch, Exception):
            self.close()
            raise batch
        return batch

    def _start_workers(self) -> Iterator[Batch | Exception]:
        loader = DataLoader(
            _Reader(self.dataset),
            batch_sampler=_drawn(self.dataset, self.batch_size, self.generator, self._states),
            num_workers=self.num_workers,
            collate_fn=_as_it_is,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # seeds workers, which draw nothing; torch's own must not move
            worker_init_fn=_die_with_a_lost_batch,
        )
        with _death_found_when_waiting():
            return iter(loader)


@contextmanager
def _death_found_when_waiting() -> Iterator[None]:
    """Let a worker's death be found by the next wait for a batch.

    torch's handler of SIGCHLD, set when the first workers start, raises in the midst of whatever runs.
    """
    handler = signal.getsignal(signal.SIGCHLD)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, handler)


def _die_with_a_lost_batch(_: int) -> None:
    """In a worker: a batch that cannot be handed over (no shared memory is left) ends the worker.

    By default the thread that hands over prints a traceback and drops the batch, for which training waits for ever.
    """
    multiprocessing.queues.Queue._on_queue_feeder_error = staticmethod(_die)


def _die(error: Exception, _: object) -> None:
    print(f"a batch is lost: {str(error).partition(chr(10))[0]}", file=sys.stderr, flush=True)
    os._exit(1)


class _Reader:
    """Reads batches in a worker; hands errors over as they are, not wrapped in a traceback."""

    def __init__(self, dataset: ChunkDataset):
        self.dataset = dataset

    def __getitems__(self, frames: list[int]) -> Batch | Exception:
        try:
            return self.dataset.__getitems__(frames)
        except (UserError, OSError) as error:
            return error


def _drawn(
    dataset: ChunkDataset, batch_size: int, generator: torch.Generator, states: deque[Tensor]
) -> Iterator[list[int]]:
    """Frames of batch after batch, drawn in the main process; notes the generator's state after each."""
    while True:
        frames = dataset.draw(batch_size, generator).tolist()
        states.append(generator.get_state())
        yield frames


def _as_it_is(batch: Batch | Exception) -> Batch | Exception:
    return batch

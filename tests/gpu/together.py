"""Small trainings on one card at once, each in a process of its own as in the workflow; and one on a CPU core."""

import multiprocessing
import time
from multiprocessing.connection import Connection

from plan import TOGETHER_KINDS, together_row
from table import Rows

SMALL = ["env=aloha_cube_state", "policy=act_state", "experiment=small_act"]  # the default experiment's
WARM_UP = 20
FORK = multiprocessing.get_context("fork")


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    """The card is not touched by this process: one that has touched it cannot be forked."""
    for where, n_trainings in TOGETHER_KINDS:
        name = together_row(where, n_trainings)
        with rows.attempt(name):
            place = device if where == "on the card" else "cpu"
            rates = rates_of(min(n_trainings, 2) if quick else n_trainings, place, 0.2 if quick else 4.0)
            rows.add(name, f"{sum(rates):.4g} steps/s", f"{min(rates):.3g} to {max(rates):.3g} each")


def rates_of(n_trainings: int, device: str, budget: float) -> list[float]:
    """Steps a second of each of so many trainings, in the same seconds."""
    pairs = [FORK.Pipe() for _ in range(n_trainings)]
    processes = [FORK.Process(target=train, args=(device, budget, there)) for _, there in pairs]
    for process in processes:
        process.start()
    for _, there in pairs:
        there.close()
    try:
        for here, _ in pairs:
            here.recv()  # ready
        for here, _ in pairs:
            here.send(None)
        return [here.recv() for here, _ in pairs]
    except EOFError:
        raise RuntimeError("a training ended before it was measured") from None
    finally:
        for process in processes:
            process.kill()
            process.join()


def train(device: str, budget: float, asked: Connection) -> None:
    """Say when everything is warm, and once all are, how many steps a second there were."""
    import torch
    from demo_score.training.loop import take_step
    from speed import started, wait
    from synthetic import settings_for

    torch.set_num_threads(1)
    settings, place = settings_for(device, *SMALL), torch.device(device)
    run = started(settings, place)
    for _ in range(WARM_UP):
        take_step(run, settings, place)
    wait(place)
    asked.send(None)
    asked.recv()
    start, n_steps = time.perf_counter(), 0
    while time.perf_counter() - start < budget:
        for _ in range(5):
            take_step(run, settings, place)
        wait(place)
        n_steps += 5
    asked.send(n_steps / (time.perf_counter() - start))

"""Other ways to take the training loop's step, beside the step as it is: which of them is worth a setting?"""

import torch
from demo_score.runtime.errors import UserError
from demo_score.runtime.hardware import autocast
from demo_score.training.loop import Run, prepare_batch
from omegaconf import DictConfig
from plan import BATCH_SIZES, WAYS, variant_row
from speed import Step, act_settings, free, memory, ours, started, steps_a_second
from table import Rows
from torch import nn

WARM_UP = 3  # steps before a graph is captured: cuDNN chooses, and the optimiser makes its state


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    torch.backends.cudnn.benchmark = True
    place = torch.device(device)
    for batch_size in BATCH_SIZES:
        for way in WAYS:
            step = None
            try:
                with rows.attempt(variant_row(way, batch_size)):
                    precision, n = ("fp32", 2) if quick else ("bf16", batch_size)
                    settings = act_settings(precision, n, place, quick)
                    step = made(way, settings, place)
                    rate = steps_a_second(step, place, seconds=0.0 if quick else 3.0)
                    remark = ", ".join([f"{1e3 / rate:.1f} ms", *memory(place)])
                    rows.add(variant_row(way, batch_size), f"{rate:.3g} steps/s", remark)
            finally:
                step = None
                free(place)


def made(way: str, settings: DictConfig, device: torch.device) -> Step:
    """A step of ours, taken in this way."""
    if way == "CUDA graph":
        return replayed(started(settings, device), settings, device)
    policy, step = ours(settings, device)
    if way == "channels-last":
        policy.to(memory_format=torch.channels_last)
    return step


def replayed(run: Run, settings: DictConfig, device: torch.device) -> Step:
    """Loss, gradients and AdamW on one batch as a graph, with the learning rate of the moment it was captured."""
    if device.type != "cuda":
        raise UserError("a GPU alone has graphs")
    batch = prepare_batch(next(run.batches), run.transforms, settings)
    for group in run.optimizer.param_groups:
        group["capturable"] = True

    def compute() -> None:
        run.optimizer.zero_grad(set_to_none=True)
        with autocast(device, settings.use_amp):
            loss, _ = run.loss(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(run.policy.parameters(), settings.training.grad_clip_norm)
        run.optimizer.step()

    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            compute()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        compute()
    return graph.replay

"""Matrix products, and steps of ACT's training beside LeRobot's: each a second, and as a share of the bf16 rate."""

import gc
import itertools
import time
from collections.abc import Callable
from statistics import median

import torch
from demo_score.runtime.errors import UserError
from demo_score.runtime.hardware import has_bfloat16
from demo_score.training.chunks import ChunkDataset
from demo_score.training.image_transforms import ImageTransforms
from demo_score.training.loop import Run, prepare_batch, start_run, take_step
from flops import count_flops
from lerobot_act import make_step
from omegaconf import DictConfig
from plan import BATCH_SIZES, MATRICES, PRECISIONS, act_row, matrix_row
from synthetic import noise_data, settings_for
from table import Rows
from torch import nn

GUIDE = ["env=aloha_cube", "policy=act", "policy.pretrained_backbone_weights=null"]  # its size; speed needs no weights
TINY = [
    "env.image_size=[64,96]",
    "policy.dim_model=32",
    "policy.n_heads=4",
    "policy.dim_feedforward=64",
    "policy.n_encoder_layers=1",
]
Step = Callable[[], None]
MATRIX_SIZE, TINY_MATRIX_SIZE = 8192, 128
BLOCK = 10  # steps between two looks at the clock


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    torch.backends.cudnn.benchmark = True  # as in `train`, and in lerobot-train
    place = torch.device(device)
    peak = 0.0
    for precision in MATRICES:
        with rows.attempt(matrix_row(precision)):
            size = TINY_MATRIX_SIZE if quick else MATRIX_SIZE
            rate = matrix_rate(precision, place, size)
            peak = rate if precision == "bf16" else peak
            rows.add(matrix_row(precision), f"{rate / 1e12:.3g} TFLOP/s", f"{size}x{size}")
    kinds = [(who, precision) for precision in PRECISIONS for who in ("ours", "LeRobot")]
    flops: dict[tuple[str, int], int] = {}
    for batch_size in BATCH_SIZES:
        for who, precision in kinds:
            measure_act(rows, who, precision, batch_size, place, quick, peak, flops)
    for batch_size in BATCH_SIZES:  # the slowest to begin with
        measure_act(rows, "ours", "bf16 compiled", batch_size, place, quick, peak, flops)


def matrix_rate(precision: str, device: torch.device, size: int) -> float:
    """FLOP a second of a product of two square matrices of normal numbers."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        return 2 * size**3 * steps_a_second(lambda: torch.mm(a, b), device, seconds=0.0)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def measure_act(
    rows: Rows,
    who: str,
    precision: str,
    batch_size: int,
    device: torch.device,
    quick: bool,
    peak: float,
    flops: dict[tuple[str, int], int],
) -> None:
    """Fill one row; `flops` of a step are counted where nothing is compiled, and remembered."""
    name = act_row(who, precision, batch_size)
    try:
        with rows.attempt(name):
            settings = act_settings(precision, 2 if quick else batch_size, device, quick)
            policy, step = ours(settings, device) if who == "ours" else lerobots(settings, device)
            start = time.perf_counter()
            if "compiled" not in precision:
                flops[who, batch_size] = count_flops(step)
            step()
            first = time.perf_counter() - start
            rate = steps_a_second(step, device, seconds=0.0 if quick else 3.0)
            remarks = [f"{1e3 / rate:.1f} ms", *used(flops.get((who, batch_size), 0), rate, peak)]
            remarks += [f"{millions(policy)} M parameters", *memory(device)]
            remarks += [f"ready after {first:.0f} s"] if "compiled" in precision else []
            rows.add(name, f"{rate:.3g} steps/s", ", ".join(remarks))
    finally:
        policy = step = None
        free(device)


def act_settings(precision: str, batch_size: int, device: torch.device, quick: bool) -> DictConfig:
    amp, compiles = "bf16" in precision, "compiled" in precision
    if amp and not quick and not has_bfloat16(device):
        raise UserError("no bfloat16 here")
    if compiles and quick:
        raise UserError("in miniature nothing is compiled")
    options = [f"training.batch_size={batch_size}", f"use_amp={amp}", f"training.compile={compiles}"]
    return settings_for(device.type, *GUIDE, *options, *(TINY if quick else []))


def ours(settings: DictConfig, device: torch.device) -> tuple[nn.Module, Step]:
    """Our policy, and a step of its training, on one batch that lies on the card."""
    run = started(settings, device)
    return run.policy, lambda: take_step(run, settings, device)


def started(settings: DictConfig, device: torch.device) -> Run:
    """A training on noise, the same batch at every step."""
    data = noise_data(settings)
    run = start_run(settings, data, device)
    run.batches = itertools.repeat(batch_of(data, settings, device))
    return run


def lerobots(settings: DictConfig, device: torch.device) -> tuple[nn.Module, Step]:
    """The same of LeRobot's, on the same batch with its images made floats beforehand."""
    import lerobot  # noqa: F401  before anything is computed in vain

    batch = batch_of(noise_data(settings), settings, device)
    transforms = ImageTransforms(settings.training.image_transforms)
    return make_step(settings, prepare_batch(batch, transforms, settings), device)


def batch_of(data: ChunkDataset, settings: DictConfig, device: torch.device) -> dict[str, torch.Tensor]:
    frames = data.draw(settings.training.batch_size, torch.Generator().manual_seed(settings.seed))
    return {key: values.to(device) for key, values in data.__getitems__(frames).items()}


def steps_a_second(step: Step, device: torch.device, seconds: float) -> float:
    """The median over blocks of steps, five or more and for so long; on a CPU a single step tells enough."""
    block, n_blocks = (BLOCK, 5) if device.type == "cuda" else (1, 1)
    for _ in range(block if device.type == "cuda" else 0):
        step()
    wait(device)
    begun, times = time.perf_counter(), []
    while len(times) < n_blocks or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        for _ in range(block):
            step()
        wait(device)
        times.append(time.perf_counter() - start)
    return block / median(times)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def used(flops: int, rate: float, peak: float) -> list[str]:
    """What a step computes, and how much of the bf16 rate that is."""
    if not flops:
        return []
    share = [f"{flops * rate / peak:.1%} of the bf16 rate"] if peak else []
    return [f"{flops / 1e9:.3g} GFLOP a step", f"{flops * rate / 1e12:.3g} TFLOP/s", *share]


def millions(policy: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in policy.parameters()) / 1e6:.1f}"


def memory(device: torch.device) -> list[str]:
    return [f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"] if device.type == "cuda" else []


def free(device: torch.device) -> None:
    """Leave nothing of a row to the next one."""
    torch._dynamo.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

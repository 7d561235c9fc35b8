"""Where torch computes: device, threads, precision and memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from demo_score.errors import UserError


def select_device(name: str) -> torch.device:
    """The device called cpu, cuda, cuda:N, or auto (a GPU where there is one)."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"device={name}: torch finds no GPU here; set device=cpu or device=auto")
    try:
        return torch.device(name)
    except RuntimeError:
        raise UserError(f"device={name}: no such device; set cpu, cuda or auto") from None


def available_threads() -> int:
    """Threads this command may use: OMP_NUM_THREADS, which the workflow sets, or one."""
    return int(os.environ.get("OMP_NUM_THREADS") or 1)


def autocast(device: torch.device, use_amp: bool) -> torch.autocast:
    """Automatic mixed precision in bfloat16, where `use_amp` asks for it. Raises UserError where there is none."""
    if use_amp and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UserError(f"use_amp=true: {torch.cuda.get_device_name(device)} has no bfloat16; set use_amp=false")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=use_amp)


@contextmanager
def memory_advice(setting: str, value: int) -> Iterator[None]:
    """Turn memory that ran out, a GPU's or the machine's, into a UserError that names the setting to reduce."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and "allocate memory" not in str(error):
            raise
        kind = "GPU memory" if isinstance(error, torch.OutOfMemoryError) else "memory"
        smaller = f"{setting}={max(1, value // 2)}" if value > 1 else "smaller sizes under policy"
        raise UserError(f"out of {kind} with {setting}={value}; set {smaller}") from None

"""Where torch computes: device, threads, precision and memory."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

from demo_score.runtime.errors import UserError, out_of_memory


def select_device(name: str) -> torch.device:
    """The device called cpu, cuda, cuda:N, mps (of a Mac), or auto (a CUDA GPU where there is one)."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"device={name}: torch finds no GPU here; set device=cpu or device=auto")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UserError(f"device={name}: no such device; set cpu, cuda or auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device={name}: torch finds no GPU of a Mac here; set device=cpu or device=auto")
    if device.type == "cuda" and (device.index or 0) >= (n_gpus := torch.cuda.device_count()):
        raise UserError(f"device={name}: torch finds {n_gpus} here; set a number below that, or device=cuda")
    return device


def autocast(device: torch.device, use_amp: bool) -> torch.autocast:
    """Automatic mixed precision in bfloat16, where `use_amp` asks for it and the hardware has it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=use_amp and has_bfloat16(device))


@cache
def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` computes in bfloat16; without the hardware for it that would be many times slower."""
    if device.type == "cuda":
        name, has = torch.cuda.get_device_name(device), torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()
        name, has = "this CPU", any(capabilities.get(unit) for unit in ("avx512_bf16", "amx_bf16", "bf16"))
    if not has:
        print(f"use_amp=true: {name} has no bfloat16, so everything is computed in full precision", file=sys.stderr)
    return has


def compiled(function: Callable, device: torch.device) -> Callable:
    """`function`, compiled for `device` when it is first called; random numbers stay those of the function itself.

    Raises UserError where torch cannot compile: its compiler needs one for C++, and on a GPU Triton.
    """
    options = {"fallback_random": True}
    try:
        torch.compile(lambda x: (x * 2).sin(), options=options)(torch.zeros(8, device=device))
    except Exception as error:  # of any kind, by what is missing
        reason = next(line for line in str(error).splitlines() if line.strip())
        raise UserError(
            f"training.compile=true: torch cannot compile here ({reason}); install a C++ compiler (Debian: g++) and, "
            "for a GPU, Triton, or set training.compile=false"
        ) from None
    return torch.compile(function, options=options)


@contextmanager
def memory_advice(setting: str, value: int) -> Iterator[None]:
    """Turn memory that ran out, a GPU's or the machine's, into a UserError that names the setting to reduce."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        kind = "GPU memory" if isinstance(error, torch.OutOfMemoryError) else "memory"
        smaller = f"{setting}={max(1, value // 2)}" if value > 1 else "smaller sizes under policy"
        raise UserError(f"out of {kind} with {setting}={value}; set {smaller}") from None

"""What a training step computes."""

from collections.abc import Callable

from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_flops(step: Callable[[], None]) -> int:
    """Of matrix products, convolutions and attention, forwards and backwards."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # fused kernels are not all counted
        step()
    return counter.get_total_flops()

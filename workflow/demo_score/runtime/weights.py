"""Numbers that training left in a file."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from demo_score.runtime.errors import UserError


def check_finite(path: str | Path, tensors: Mapping[str, Tensor], advice: str) -> None:
    """Raise UserError, with `advice` at the end, for the first of some weights that is NaN or infinite.

    What is computed with it is NaN: a policy that never succeeds, a score above no threshold.
    """
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise UserError(f"{path}: {name} holds NaN or infinite values; {advice}")

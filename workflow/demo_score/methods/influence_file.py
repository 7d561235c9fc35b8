"""The file of influences: matrices (rollouts, demonstrations) and the rollouts' outcomes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demo_score.methods.base import Evidence
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path

MATRICES = ("sum", "mean", "min_max", "max_min")  # see influence.aggregate


@dataclass(frozen=True)
class Influence:
    """Of each demonstration on each rollout: name -> (rollouts, demonstrations) float64; success (rollouts,) bool."""

    matrices: dict[str, np.ndarray]
    success: np.ndarray

    def net(self, name: str) -> np.ndarray:
        """Over rollouts that succeeded minus over those that failed: (demonstrations,)."""
        matrix = self.matrices[name]
        return matrix[self.success].sum(0) - matrix[~self.success].sum(0)

    def total(self, name: str) -> np.ndarray:
        """Over all rollouts."""
        return self.matrices[name].sum(0)


def write_influence(path: Path, matrices: dict[str, np.ndarray], success: np.ndarray) -> None:
    """Write the file whole or not at all."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(matrices[name], np.float64) for name in MATRICES}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save({**arrays, "success": success.astype(np.uint8)}))


def read_influence(evidence: Evidence) -> Influence:
    """The file that the evidence names. Raises UserError where it is missing, damaged or of other demonstrations."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path, n = evidence.influence, len(evidence.demonstrations)
    try:
        arrays = load_file(path)
        matrices, success = {name: arrays[name] for name in MATRICES}, arrays["success"].astype(bool)
    except (OSError, SafetensorError, KeyError) as error:
        raise UserError(f"{path}: no file of influences ({error}); make it again") from None
    if (there := matrices["sum"].shape[1]) != n:
        raise UserError(f"{path}: of {there} demonstrations, where {n} are scored; make it again")
    return Influence(matrices, success)

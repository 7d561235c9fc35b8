"""Classifier files: all members of one architecture and split in one safetensors file.

Tensors: the named parameters of the module with a leading member dimension, and normalisation.mean and .std.
Metadata: one JSON text under "classifiers" with everything else in `Classifiers`.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from demo_score.curation.classifiers import Architecture, Parameters, build_architecture
from demo_score.data.inputs import Standardization
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path
from demo_score.runtime.weights import check_finite

_METADATA = "classifiers"


@dataclass
class Variant:
    """In what the members of one sweep differ."""

    seed: int
    lr: float
    weight_decay: float

    def __str__(self) -> str:
        return f"seed {self.seed}, lr {self.lr:g}, weight decay {self.weight_decay:g}"


@dataclass
class Member(Variant):
    """One classifier of a sweep, and how it did at its best epoch."""

    best_epoch: int  # counted from 1
    cross_val_loss: float  # over frames (step-wise) or trajectories (transformer)
    cross_val_auc: float  # of episode scores
    cross_val_accuracy: float  # of episode scores, at the threshold "mean"
    thresholds: dict[str, float]  # rule -> episode score above which an episode is kept


@dataclass
class Classifiers:
    """The members of a sweep over one architecture, each at its best epoch."""

    model_arch: str
    architecture: dict  # the settings entry: type and sizes
    inputs: list[str]
    max_frames: int | None
    members: list[Member]
    features_of: str | None = None  # digest of the checkpoint whose policy.features are an input

    def build(self) -> Architecture:
        """The architecture that the members share."""
        return build_architecture(self.architecture)


def save_classifiers(
    path: str | Path, classifiers: Classifiers, parameters: Parameters, standardization: Standardization
) -> None:
    """Write a classifier file atomically; `parameters` have the members in front."""
    tensors = {name: value.contiguous() for name, value in parameters.items()}
    tensors |= {"normalisation.mean": standardization.mean, "normalisation.std": standardization.std}
    content = save(tensors, metadata={_METADATA: json.dumps(asdict(classifiers))})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)  # save_file would let nobody but its owner read it


def load_description(path: str | Path) -> Classifiers:
    """Everything but the tensors. Raises UserError for a file that is missing or no classifier file."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such classifier file; train_classifiers.py makes it")
    try:
        with safe_open(path, framework="pt") as file:
            values = json.loads((file.metadata() or {})[_METADATA])
    except (SafetensorError, KeyError):
        raise UserError(f"{path}: not a classifier file, or truncated; make it again") from None
    members = [Member(**member) for member in values.pop("members")]
    return Classifiers(**values, members=members)


def load_member(path: str | Path, member: int) -> tuple[Parameters, Standardization]:
    """Parameters of one member (leading dimension 1), and the standardization of its inputs.

    Raises UserError where these are no numbers.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    standardization = Standardization(tensors.pop("normalisation.mean"), tensors.pop("normalisation.std"))
    parameters = {name: values[member : member + 1].clone() for name, values in tensors.items()}
    check_finite(path, parameters | vars(standardization), "train the classifiers again, with a smaller lr")
    return parameters, standardization

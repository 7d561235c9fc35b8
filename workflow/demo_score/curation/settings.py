"""Settings of the classifier sweep."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from demo_score.config.schema import check_against
from demo_score.config.seeds import N_SEEDS
from demo_score.config.settings import load

_COUNT = {"type": "integer", "minimum": 1, "maximum": 1000000000}
_SIZE = {"type": "integer", "minimum": 1, "maximum": 65536}
_COUNT_OR_ALL = {"type": ["integer", "null"], "minimum": 1, "maximum": 1000000000}


def _list_of(item: dict) -> dict:
    return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


_SCHEMA = {
    "type": "object",
    "properties": {
        "model_archs": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "object"}},
        "inputs": _list_of({"type": "string"}),
        "tr_dataset_size": _COUNT_OR_ALL,
        "cross_val_dataset_size": _COUNT_OR_ALL,
        "seeds": _list_of({"type": "integer", "minimum": 0, "maximum": N_SEEDS - 1}),
        "lr": _list_of({"type": "number", "exclusiveMinimum": 0}),
        "weight_decay": _list_of({"type": "number", "minimum": 0}),
        "epochs": _COUNT,
        "eval_every": _COUNT,
        "batch_size": _COUNT,
        "max_frames": _COUNT_OR_ALL,
        "weighted_cross_val": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_SCHEMA["required"] = sorted(set(_SCHEMA["properties"]) - {"eval_every", "max_frames", "weighted_cross_val"})

_RATE = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
_TRANSFORMER_SIZES = ("dim_model", "dim_feedforward", "n_heads", "n_layers", "trajectory_steps")
_ARCHITECTURES = {
    "stepwise": {"hidden_sizes": {"type": "array", "items": _SIZE, "minItems": 1}, "dropout": _RATE},
    "transformer": {**dict.fromkeys(_TRANSFORMER_SIZES, _SIZE), "dropout": _RATE},
}


@dataclass(frozen=True)
class CurationSettings:
    """One sweep: every architecture is trained once for each of seeds x lr x weight_decay."""

    model_archs: dict[str, dict]  # name -> type and sizes, see classifiers.build_architecture
    inputs: list[str]  # "observation.<key>" or "action", concatenated in this order
    tr_dataset_size: int | None  # training rollouts in total, evenly from the checkpoints; None: all
    cross_val_dataset_size: int | None  # likewise
    seeds: list[int]
    lr: list[float]
    weight_decay: list[float]
    epochs: int
    batch_size: int  # frames (step-wise) or trajectories (transformer)
    max_frames: int | None = None  # only the first so many frames of an episode count
    eval_every: int = 1  # epochs between evaluations; the best epoch is one that was evaluated
    weighted_cross_val: bool = False  # the held-out loss weighs a success four times a failure, as training does


def read_settings(path: str | Path) -> CurationSettings:
    """Read and check a settings file. Raises UserError naming the first wrong setting."""
    values = OmegaConf.to_container(load(path), resolve=True)
    check_classifier_settings(values, str(path))
    return CurationSettings(**values)


def check_classifier_settings(values: object, where: str = "classifiers") -> None:
    """Raise UserError, in one line, for the first setting that is wrong."""
    check_against(values, _SCHEMA, where)
    for name, architecture in values["model_archs"].items():
        _check_architecture(architecture, f"{where}: model_archs.{name}")


def _check_architecture(architecture: dict, where: str) -> None:
    kinds = {"enum": list(_ARCHITECTURES)}
    check_against(architecture, {"properties": {"type": kinds}, "required": ["type"]}, where)
    sizes = {"type": kinds, **_ARCHITECTURES[architecture["type"]]}
    check_against(architecture, {"properties": sizes, "required": list(sizes), "additionalProperties": False}, where)
    if architecture["type"] == "transformer":
        divisible = {"multipleOf": architecture["n_heads"]}
        check_against(architecture, {"properties": {"dim_model": divisible}}, where)

"""LeRobot's pre- and postprocessor of a policy, and the normalisation that is the same.

Source: lerobot 0.6.1, processor/factory.py, normalize_processor.py and pipeline.py (`save_pretrained`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from demo_score.observations import ACTION
from demo_score.policies.lerobot.config import kind_of
from demo_score.policies.normalization import Normalization
from demo_score.runtime.errors import UserError

PREPROCESSOR, POSTPROCESSOR = "policy_preprocessor", "policy_postprocessor"
NORMALIZER, UNNORMALIZER, RENAME, DEVICE = (
    f"{name}_processor" for name in ("normalizer", "unnormalizer", "rename_observations", "device")
)
STEPS = {  # what is ours, too: device and batch are the rollout's
    PREPROCESSOR: [RENAME, "to_batch_processor", DEVICE, NORMALIZER],
    POSTPROCESSOR: [UNNORMALIZER, DEVICE],
}
THEIR_MODES = {"mean_std": "MEAN_STD", "min_max": "MIN_MAX"}
EPS = 1e-8
# Which of LeRobot's statistics a mode maps to -1 and 1.
ENDS = {"MIN_MAX": ("min", "max"), "QUANTILES": ("q01", "q99"), "QUANTILE10": ("q10", "q90")}
Scale = tuple[Tensor, Tensor]  # what is subtracted, and what it is divided by then


def norm_map(normalization: Normalization) -> dict[str, str]:
    """LeRobot's mode of each type of feature. Raises UserError where features of a type have several."""
    modes: dict[str, str] = {}
    for key, mode in normalization.modes.items():
        theirs = THEIR_MODES[mode]
        if modes.setdefault(kind_of(key), theirs) != theirs:
            raise UserError(
                f"LeRobot normalises all images alike: {key} is {mode}; train with one mode for all of them"
            )
    return modes


def to_processors(normalization: Normalization, features: Mapping[str, Any]) -> dict[str, dict[str, Any] | Scale]:
    """File name -> content (JSON's, or tensors): both processors. `features`: input and output ones of config.json."""
    modes, statistics = norm_map(normalization), _statistics(normalization)
    config = {"eps": EPS, "features": dict(features), "norm_map": modes}
    device = {"registry_name": DEVICE, "config": {"device": "cpu", "float_dtype": None}}
    before = {
        "registry_name": NORMALIZER,
        "config": config,
        "state_file": f"{PREPROCESSOR}_step_3_{NORMALIZER}.safetensors",
    }
    after = {
        "registry_name": UNNORMALIZER,
        "config": config | {"features": {ACTION: features[ACTION]}},
        "state_file": f"{POSTPROCESSOR}_step_0_{UNNORMALIZER}.safetensors",
    }
    rename = {"registry_name": RENAME, "config": {"rename_map": {}}}
    batch = {"registry_name": "to_batch_processor", "config": {}}
    return {
        f"{PREPROCESSOR}.json": {"name": PREPROCESSOR, "steps": [rename, batch, device, before]},
        f"{POSTPROCESSOR}.json": {"name": POSTPROCESSOR, "steps": [after, device]},
        before["state_file"]: statistics,
        after["state_file"]: statistics,
    }


def _statistics(normalization: Normalization) -> dict[str, Tensor]:
    """`<feature>.<statistic>` -> values, as LeRobot stores those of a data set."""
    found = {}
    for key, mode in normalization.modes.items():
        offset, scale = (values.cpu() for values in normalization.scale(key))
        names = ("mean", "std") if mode == "mean_std" else ENDS["MIN_MAX"]
        values = (offset, scale) if mode == "mean_std" else (offset - scale, offset + scale)
        found |= {f"{key}.{name}": value.contiguous() for name, value in zip(names, values, strict=True)}
    return found


def why_not_ours(processors: Mapping[str, Mapping[str, Any]]) -> str:
    """What the processors (JSON by name) do that a policy here cannot; empty: nothing."""
    for name, pipeline in processors.items():
        for step in pipeline.get("steps", []):
            if (known := step.get("registry_name") or step.get("class")) not in STEPS[name]:
                return f"a processor {known}"
            if step.get("config", {}).get("float_dtype"):
                return f"float_dtype={step['config']['float_dtype']}"
    return ""


def renamed_observations(preprocessor: Mapping[str, Any]) -> dict[str, str]:
    """What an observation is called outside -> what config.json calls it, where that is another name."""
    steps = [step for step in preprocessor["steps"] if step.get("registry_name") == RENAME]
    return {old: new for step in steps for old, new in step["config"].get("rename_map", {}).items()}


def scales(step: Mapping[str, Any], state: Mapping[str, Tensor], path: object) -> Iterator[tuple[str, str, Scale]]:
    """Feature, our mode and scale of what a (un)normaliser does to each of its features."""
    config = step["config"]
    only = config.get("normalize_observation_keys")
    for key, feature in config["features"].items():
        mode = config["norm_map"].get(feature["type"], "IDENTITY")
        of_key = {
            name.removeprefix(f"{key}."): value for name, value in state.items() if name.rpartition(".")[0] == key
        }
        if mode == "IDENTITY" or not of_key or (only is not None and key not in only and key != ACTION):
            yield key, "mean_std", (torch.zeros(()), torch.ones(()))
        elif mode == "MEAN_STD":
            mean, std = _both(of_key, ("mean", "std"), key, path)
            # LeRobot adds eps where it normalises, and not where it restores.
            yield (
                key,
                "mean_std",
                (mean, std if step["registry_name"] == UNNORMALIZER else std + config.get("eps", EPS)),
            )
        elif mode in ENDS:
            yield key, "min_max", _centre(*_both(of_key, ENDS[mode], key, path))
        else:
            raise UserError(f"{path}: norm_map {mode} is unknown to LeRobot 0.6.1; export the policy with that version")


def _both(values: Mapping[str, Tensor], names: tuple[str, str], key: str, path: object) -> Scale:
    if missing := [name for name in names if name not in values]:
        raise UserError(f"{path}: lacks {key}.{missing[0]}; the processors are of another data set, or damaged")
    return values[names[0]].float(), values[names[1]].float()


def _centre(low: Tensor, high: Tensor) -> Scale:
    """The middle and half of the range. Where it is a point, LeRobot makes that -1: so is it here."""
    half = torch.where(high == low, low.abs().clamp(min=EPS) * torch.finfo(torch.float32).eps * 4, (high - low) / 2)
    centre = low + half
    return centre, centre - low

"""A policy's folder as LeRobot writes it (`pretrained_model`): written, recognised and read."""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from demo_score.config.checkpoint_names import PRETRAINED
from demo_score.observations import ACTION
from demo_score.policies.base import Policy
from demo_score.policies.lerobot.config import features_of, from_config, to_config, why_not_ours
from demo_score.policies.lerobot.processors import (
    NORMALIZER,
    POSTPROCESSOR,
    PREPROCESSOR,
    UNNORMALIZER,
    Scale,
    norm_map,
    renamed_observations,
    scales,
    to_processors,
)
from demo_score.policies.lerobot.processors import why_not_ours as why_not_our_processors
from demo_score.policies.lerobot.weights import from_lerobot, to_lerobot
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_folder, read_text

CONFIG, WEIGHTS = "config.json", "model.safetensors"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
IDENTITY = "mean_std"  # the mode, with mean 0 and deviation 1, of what is not normalised
OLD = "python -m lerobot.processor.migrate_policy_normalization --pretrained-path"


def write_folder(folder: Path, policy: Policy, settings: DictConfig) -> None:
    """LeRobot's folder of a policy of ours. Raises UserError for what LeRobot has no counterpart for."""
    config = to_config(settings)
    config["normalization_mapping"] = norm_map(policy.normalization)
    processors = to_processors(policy.normalization, config["input_features"] | config["output_features"])
    weights = to_lerobot(settings, policy.state_dict())
    with atomic_folder(folder) as temporary:
        for name, content in {CONFIG: config, WEIGHTS: weights, **processors}.items():
            text = save(content) if name.endswith(".safetensors") else json.dumps(content, indent=4).encode()
            (temporary / name).write_bytes(text)


def find_folder(checkpoint: Path) -> Path | None:
    """Where `checkpoint`, or its pretrained_model, is a policy's folder of LeRobot's; None: it is none.

    Raises UserError where one was found that cannot be read: weights that are pickled, or an adapter's alone.
    """
    for folder in (checkpoint, checkpoint / PRETRAINED):
        if (folder / CONFIG).is_file() and "type" in _json(folder / CONFIG):
            if not (folder / WEIGHTS).is_file():
                pickled = [path.name for kind in PICKLED for path in folder.glob(kind)]
                which = f"{pickled[0]} is a pickle, which is not opened; " if pickled else ""
                raise UserError(f"{folder}: has no {WEIGHTS}; {which}save the policy with LeRobot 0.6.1 (safetensors)")
            return folder
    return None


class LeRobotFolder:
    """A policy's folder: what is in it, checked."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = _json(folder / CONFIG)
        missing = [name for name in (PREPROCESSOR, POSTPROCESSOR) if not (folder / f"{name}.json").is_file()]
        if missing:
            raise UserError(f"{folder}: has no {missing[0]}.json; of LeRobot before 0.4, convert it: {OLD} {folder}")
        self.processors = {name: _pipeline(folder / f"{name}.json") for name in (PREPROCESSOR, POSTPROCESSOR)}

    def why_not_ours(self) -> str:
        """Why the policy is none of those here, and runs through LeRobot itself; empty: it is one."""
        return why_not_ours(self.config) or why_not_our_processors(self.processors)

    def policy_settings(self) -> dict[str, Any]:
        """The settings `policy` that make the same policy, but for its weights. Keys are those of the robot's data."""
        features = self.features()
        images = any(len(shape) == 3 for shape in features["input_shapes"].values())
        policy = from_config(self.config, images, self.folder / CONFIG) | features
        modes = {key: mode for key, (mode, _) in self._normalization().items()}
        policy["input_normalization_modes"] = {key: modes.get(key, IDENTITY) for key in policy["input_shapes"]}
        policy["output_normalization_modes"] = {ACTION: modes.get(ACTION, IDENTITY)}
        return policy

    def features(self) -> dict[str, Any]:
        """input_shapes and output_shapes, by the keys of the robot's data."""
        features, outside = features_of(self.config, self.folder / CONFIG), self._outside()
        return features | {
            "input_shapes": {outside.get(key, key): shape for key, shape in features["input_shapes"].items()}
        }

    def fill(self, policy: Policy, settings: DictConfig) -> None:
        """Give a policy made of `settings`, the folder's own, its weights and its normalisation."""
        state = from_lerobot(settings, self._load(self.folder / WEIGHTS), self.folder)
        strange = policy.load_state_dict(state, strict=False)
        assert all(name.startswith("normalization.") for name in strange.missing_keys) and not strange.unexpected_keys
        for key, (_, scale) in self._normalization().items():
            policy.normalization.set_scale(key, *scale)

    def _outside(self) -> dict[str, str]:
        """What config.json calls an observation -> what the robot's data call it, where that is another name."""
        return {new: old for old, new in renamed_observations(self.processors[PREPROCESSOR]).items()}

    def _normalization(self) -> dict[str, tuple[str, Scale]]:
        """Mode and scale of each observation, and of actions as they are restored."""
        outside, found = self._outside(), {}
        for name, kind in ((PREPROCESSOR, NORMALIZER), (POSTPROCESSOR, UNNORMALIZER)):
            for step in (step for step in self.processors[name]["steps"] if step["registry_name"] == kind):
                path = self.folder / str(step.get("state_file"))
                for key, mode, scale in scales(step, self._load(path), path):
                    if (key == ACTION) == (kind == UNNORMALIZER):
                        found[outside.get(key, key)] = mode, scale
        return found

    @staticmethod
    def _load(path: Path) -> dict[str, Tensor]:
        if not path.is_file():
            raise UserError(f"{path}: no such file, and the policy needs it; copy the whole folder")
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: damaged ({str(error).splitlines()[0]}); copy it, or train it, again") from None


def _pipeline(path: Path) -> dict[str, Any]:
    """A processor's file: `steps`, each of a registered name, or a class, and its config."""
    content = _json(path)
    steps = content.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise UserError(f"{path}: holds no steps; copy it, or train the policy, again")
    return content


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: is no JSON ({error}); copy it, or train the policy, again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no settings; copy it, or train the policy, again")
    return content

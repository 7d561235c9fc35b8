"""Checkpoints: a folder with model.safetensors (weights and normalisation) and settings.yaml."""

from pathlib import Path

import torch
from omegaconf import DictConfig
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from demo_score import settings as settings_files
from demo_score.errors import UserError
from demo_score.files import atomic_path
from demo_score.policies import make_policy
from demo_score.weights import check_finite

WEIGHTS, SETTINGS = "model.safetensors", "settings.yaml"


def save_checkpoint(folder: Path, policy: nn.Module, settings: DictConfig) -> None:
    """Write both files, the weights last: a folder with weights is complete."""
    settings_files.save(settings, folder / SETTINGS)
    with atomic_path(folder / WEIGHTS) as temporary:
        # save_file would leave a file of its own behind where it is killed, and hides that a disk is full
        temporary.write_bytes(save({name: tensor.contiguous() for name, tensor in policy.state_dict().items()}))


def read_checkpoint_settings(folder: str | Path, overrides: list[str]) -> DictConfig:
    """The settings a checkpoint was trained with, changed by `overrides`."""
    if not (Path(folder) / WEIGHTS).is_file():
        raise UserError(f"{folder}: not a checkpoint (no {WEIGHTS}); -p takes a folder such as checkpoints/003000")
    return settings_files.compose_settings(overrides, folder, Path(SETTINGS).stem)[0]


def load_policy(folder: str | Path, settings: DictConfig, device: torch.device) -> nn.Module:
    """The policy of `settings` with a checkpoint's weights, ready to act."""
    policy = make_policy(settings)
    try:
        policy.load_state_dict(load_file(Path(folder) / WEIGHTS))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{folder}: damaged, or of another policy ({reason}); train it again") from None
    check_finite(folder, policy.state_dict(), "use an earlier checkpoint, or train again with a smaller training.lr")
    return policy.to(device).eval()

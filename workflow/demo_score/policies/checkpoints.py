"""Checkpoints: a folder with model.safetensors (weights and normalisation) and settings.yaml, or one of LeRobot's."""

from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from demo_score.config import settings as settings_files
from demo_score.policies import make_policy
from demo_score.policies.base import Policy
from demo_score.policies.lerobot.folder import LeRobotFolder, find_folder
from demo_score.policies.lerobot.process import NAME, LeRobotProcess
from demo_score.policies.lerobot.settings import check_same, settings_of
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path
from demo_score.runtime.weights import check_finite

WEIGHTS, SETTINGS, METRICS = "model.safetensors", "settings.yaml", "metrics.csv"


def save_checkpoint(folder: Path, policy: nn.Module, settings: DictConfig) -> None:
    """Write both files, the weights last: a folder with weights is complete."""
    settings_files.save(settings, folder / SETTINGS)
    with atomic_path(folder / WEIGHTS) as temporary:
        # save_file would leave a file of its own behind where it is killed, and hides that a disk is full
        temporary.write_bytes(save({name: tensor.contiguous() for name, tensor in policy.state_dict().items()}))


def read_checkpoint_settings(folder: str | Path, overrides: list[str]) -> DictConfig:
    """The settings a checkpoint was trained with, changed by `overrides`; of LeRobot's, those choose an environment."""
    if theirs := find_folder(Path(folder)):
        return settings_of(LeRobotFolder(theirs), overrides)
    _check_files(Path(folder))
    return settings_files.compose_settings(overrides, folder, Path(SETTINGS).stem)[0]


def _check_files(folder: Path) -> None:
    if missing := [name for name in (WEIGHTS, SETTINGS) if not (folder / name).is_file()]:
        raise UserError(f"{folder}: not a checkpoint (no {missing[0]}); name a folder such as checkpoints/003000")


def load_policy(folder: str | Path, settings: DictConfig, device: torch.device) -> nn.Module:
    """The policy of `settings` with a checkpoint's weights, ready to act."""
    if settings.policy.name == NAME:
        return LeRobotProcess(settings.policy).to(device)
    policy = make_policy(settings)
    initialise(policy, Path(folder), settings)
    return policy.to(device).eval()


def initialise(policy: Policy, folder: Path, settings: DictConfig) -> None:
    """Give a policy made of `settings` the weights and the normalisation of a checkpoint, ours or LeRobot's.

    Raises UserError for what is none, for one of another policy, and for weights that are not finite.
    """
    if theirs := find_folder(folder):
        stored = LeRobotFolder(theirs)
        check_same(stored, settings)
        stored.fill(policy, settings)
    else:
        _check_files(folder)
        _fill(policy, folder, settings)
    check_finite(folder, policy.state_dict(), "use an earlier checkpoint, or train again with a smaller training.lr")


def _fill(policy: nn.Module, folder: Path, settings: DictConfig) -> None:
    try:
        policy.load_state_dict(load_file(folder / WEIGHTS))
    except (SafetensorError, RuntimeError) as error:
        if changed := _different(settings_files.load(folder / SETTINGS), settings, "policy."):
            raise UserError(f"{changed[0]}; leave policy settings as the weights were trained, or train anew") from None
        reason = str(error).splitlines()[0]
        raise UserError(f"{folder}: damaged, or of another policy ({reason}); train it again") from None


def checkpoint_files(folder: Path) -> list[Path]:
    """The files, beside settings, that decide what a checkpoint's policy does. Raises UserError for no checkpoint."""
    if theirs := find_folder(folder):
        return sorted(theirs.glob("*.safetensors")) + sorted(theirs.glob("*.json"))
    _check_files(folder)
    return [folder / WEIGHTS]


def check_run_dir(run_dir: Path, settings: DictConfig) -> None:
    """Raise UserError where `run_dir` holds a finished training of other settings: it would be overwritten."""
    checkpoints = sorted((run_dir / "checkpoints").glob(f"*/{SETTINGS}"))
    finished = checkpoints and (run_dir / METRICS).is_file()
    if finished and (changed := _different(settings_files.load(checkpoints[-1]), settings)):
        raise UserError(
            f"{run_dir}: holds a finished training with other settings ({changed[0]}); set another hydra.run.dir, or "
            "remove that folder"
        )


def _different(stored: DictConfig, settings: DictConfig, section: str = "") -> list[str]:
    """What `settings` have that `stored` have not: "policy.dim_model=32: the checkpoint has 64", in a fixed order."""
    ours, theirs = (dict(settings_files.leaves(OmegaConf.to_container(values))) for values in (settings, stored))
    keys = [key for key in sorted({*ours, *theirs}) if key.startswith(section) and ours.get(key) != theirs.get(key)]
    return [f"{key}={ours.get(key)}: the checkpoint has {theirs.get(key)}" for key in keys if key != "resume"]

"""Checkpoints that were trained elsewhere, ours or LeRobot's, as the base policy of an experiment."""

from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf, open_dict
from safetensors.torch import save_file

from demo_score.config import settings as settings_files
from demo_score.config.settings import compose_settings, environment_of
from demo_score.policies.checkpoints import (
    SETTINGS,
    WEIGHTS,
    checkpoint_files,
    load_policy,
    read_checkpoint_settings,
    save_checkpoint,
)
from demo_score.policies.lerobot.folder import find_folder
from demo_score.policies.lerobot.process import NAME
from demo_score.runtime.digests import digest
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path

# What a policy was trained for; how long an episode may take, say, is the experiment's to decide.
SEEN = ("task", "obs_type", "state_dim", "environment_state_dim", "action_dim", "fps", "cameras", "image_size")


def taken_settings(checkpoint: Path, overrides: list[str]) -> DictConfig:
    """The settings of a checkpoint in the environment that `overrides` choose, with what else they change.

    Raises UserError where the checkpoint is none, or was trained here in another environment.
    """
    if find_folder(checkpoint):
        return read_checkpoint_settings(checkpoint, overrides)
    own = [text for text in overrides if not _of_env(text)]
    settings = read_checkpoint_settings(checkpoint, own)
    env = environment_of(compose_settings([text for text in overrides if _of_env(text)], complete=False)[0])
    for key in SEEN:
        if (trained := OmegaConf.to_container(settings.env).get(key)) != env.get(key):
            raise UserError(f"{checkpoint}: was trained with env.{key}={trained}, not {env.get(key)}; set that")
    with open_dict(settings):
        settings.env = env
    return settings


def take_checkpoint(checkpoint: Path, overrides: list[str], out: Path) -> None:
    """Write `out`, a checkpoint of ours: of a policy that LeRobot runs, what stands for it."""
    settings = taken_settings(checkpoint, overrides)
    if settings.policy.name != NAME:
        save_checkpoint(out, load_policy(checkpoint, settings, torch.device("cpu")), settings)
        return
    settings_files.save(settings, out / SETTINGS)
    content = digest(*(path.read_bytes() for path in checkpoint_files(checkpoint)))
    with atomic_path(out / WEIGHTS) as temporary:
        save_file({"digest": torch.frombuffer(bytearray(content.encode()), dtype=torch.uint8)}, temporary)


def _of_env(override: str) -> bool:
    return override.lstrip("+").startswith(("env=", "env.", "fps="))

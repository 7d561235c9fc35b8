"""A checkpoint of ours as the folder that LeRobot opens."""

from pathlib import Path

import torch

from demo_score.policies.checkpoints import load_policy, read_checkpoint_settings
from demo_score.policies.lerobot.folder import find_folder, write_folder
from demo_score.runtime.errors import UserError


def export_policy(checkpoint: Path, out: Path) -> None:
    """Write `out`, which must not exist: what `ACTPolicy.from_pretrained`, say, and `lerobot-eval` take.

    Raises UserError for what is no checkpoint of ours, and for a policy that LeRobot cannot carry out.
    """
    if find_folder(checkpoint):
        raise UserError(f"{checkpoint}: is LeRobot's own already; name a checkpoint that was trained here")
    settings = read_checkpoint_settings(checkpoint, [])
    write_folder(out, load_policy(checkpoint, settings, torch.device("cpu")), settings)

"""What a checkpoint is called: by the folder that it lies in."""

from pathlib import Path

PRETRAINED = "pretrained_model"  # below a checkpoint's folder of lerobot-train


def checkpoint_name(folder: str | Path) -> str:
    """Its training step, by which its folder is named, or that around LeRobot's."""
    path = Path(folder)
    return path.parent.name if path.name == PRETRAINED else path.name

"""Which steps are saved, and what their checkpoints are called."""

from omegaconf import DictConfig


def checkpoint_name(step: int) -> str:
    """Folder name of the checkpoint after `step` gradient steps."""
    return f"{step:06d}"


def is_due(step: int, every: int, settings: DictConfig) -> bool:
    """Whether something done every so many steps, and after the last, is due."""
    return step % every == 0 or step == settings.training.offline_steps


def saved_steps(settings: DictConfig) -> list[int]:
    """All steps at which a run saves a checkpoint."""
    last = settings.training.offline_steps
    return sorted({*range(settings.training.save_freq, last, settings.training.save_freq), last})

"""Weights & Biases: losses, evaluations and settings of a run, online or offline (WANDB_MODE)."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from omegaconf import DictConfig, OmegaConf

from demo_score.runtime.errors import UserError
from demo_score.runtime.files import write_text

INSTALL = "wandb.enable=true: Weights & Biases is not installed; run `make wandb`, or set wandb.enable=false"


class Tracker:
    """Logs to Weights & Biases where wandb.enable asks for it; otherwise does nothing. Use it in a `with`."""

    def __init__(self, settings: DictConfig, run_dir: Path, id_file: Path):
        """`id_file` keeps the run's name at Weights & Biases, so that a resumed training goes on in the same curves.

        Raises UserError where the package is missing or cannot log in.
        """
        self.run = start_run(settings, run_dir, id_file) if settings.wandb.enable else None

    def log(self, row: dict[str, Any], group: str) -> None:
        """Log a row of metrics.csv at its step, as <group>/<name>; the group is train or eval."""
        if self.run:
            names = {name: f"{group}/{name.removeprefix(f'{group}_')}" for name in row if name != "step"}
            self.run.log({names[name]: row[name] for name in names}, step=row["step"])

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, error: type[BaseException] | None, *details: object) -> None:
        """Hand over everything that is still on its way, and whether the training failed."""
        if self.run:
            self.run.finish(exit_code=int(error is not None))


def start_run(settings: DictConfig, run_dir: Path, id_file: Path):
    """Begin, or continue, the run at Weights & Biases."""
    try:
        import wandb
    except ImportError:
        raise UserError(INSTALL) from None
    if not (settings.resume and id_file.is_file()):
        write_text(id_file, uuid4().hex[:8])
    run_dir.mkdir(parents=True, exist_ok=True)
    try:
        return wandb.init(
            project=settings.wandb.project,
            name=settings.wandb.name,
            notes=settings.wandb.notes or None,
            config=OmegaConf.to_container(settings),
            dir=run_dir.resolve(),
            id=id_file.read_text(encoding="utf-8"),
            resume="allow",
        )
    except wandb.errors.Error as error:
        reason = " ".join(str(error).split())
        raise UserError(f"wandb.enable=true: {reason}; log in, or set WANDB_MODE=offline") from None

"""Settings of the classifier sweep."""

from pathlib import Path

from omegaconf import OmegaConf

from demo_score.config.models.classifiers import Sweep
from demo_score.config.settings import load


def read_settings(path: str | Path) -> Sweep:
    """Read and check a settings file. Raises UserError naming the first wrong setting."""
    return Sweep.checked(OmegaConf.to_container(load(path), resolve=True), str(path))

"""What made a result."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import yaml

from demo_score.errors import UserError
from demo_score.files import atomic_path, write_text

SIMULATORS = ["mujoco", "dm-control", "gym-aloha", "pymunk", "gym-pusht"]
PACKAGES = ["snakemake", "torch", "numpy", *SIMULATORS, "hydra-core", "pandas", "scipy"]


def describe_run(command: str) -> dict:
    """What a published result was made with: command, code, versions, machine."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    commit = subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip() or "not under git"
    return {
        "command": command,
        "commit": commit,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def publish(experiment: Path, config: Path, command: str, out: Path) -> None:
    """Copy an experiment's tables and figures to `out`, with its configuration, settings and `describe_run`.

    Frame strips go along where they were recorded (`snakemake videos`). Raises UserError if the experiment is not
    finished.
    """
    if not (experiment / "tables/summary.md").is_file():
        raise UserError(f"{experiment}: has no tables/summary.md; run snakemake for this experiment first")
    entry = yaml.safe_load(config.read_text(encoding="utf-8"))["experiments"][experiment.name]
    files = [path for folder in ("tables", "figures") for path in sorted((experiment / folder).iterdir())]
    for name in ("settings.yaml", "episodes.png"):
        files += sorted(experiment.glob(f"seed*/*/{name}"))
    for path in files:
        with atomic_path(out / path.relative_to(experiment)) as temporary:
            shutil.copyfile(path, temporary)
    write_text(out / "config.yaml", yaml.safe_dump(entry, sort_keys=False))
    write_text(out / "run.yaml", yaml.safe_dump(describe_run(command), sort_keys=False))

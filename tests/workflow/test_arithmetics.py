"""The whole workflow in miniature once more, under another arithmetic: nothing hangs on the last bits of one CPU's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from miniature import RUN, command, copy_repository, snakemake

pytestmark = pytest.mark.slow


def capability(**variables: str) -> str:
    """Which instructions torch computes with."""
    question = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    environment = {**os.environ, **variables}
    return subprocess.check_output([sys.executable, "-c", question], env=environment, text=True).strip()


@pytest.fixture(scope="module")
def other() -> dict[str, str]:
    """The variable that makes torch compute with other instructions than in the other tests."""
    own = capability()
    for choice in ("default", "avx2"):
        variables = {"ATEN_CPU_CAPABILITY": choice}
        if capability(**variables) != own:
            return variables
    pytest.skip(f"torch computes with nothing but {own} here")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, other: dict[str, str]) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("arithmetic"))
    run = snakemake(folder, **other)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return folder


def test_run_ends_in_tables_and_figures(finished: Path) -> None:
    assert (finished / "results/tiny/tables/manifest.json").is_file()
    assert len(list((finished / "results/tiny/figures").glob("*.png"))) == 8


def test_policies_are_others(finished: Path, tmp_path: Path) -> None:
    """Else it was the same arithmetic."""
    settings = ["--config-path", f"{RUN}/base", "--config-name", "settings"]
    command(finished, "train.py", *settings, f"hydra.run.dir={tmp_path}")
    weights = "checkpoints/000400/model.safetensors"
    assert (tmp_path / weights).read_bytes() != (finished / RUN / "base" / weights).read_bytes()

"""Publishing a result takes along what made it."""

from pathlib import Path

import pytest
import yaml
from conftest import one_line_error
from demo_score.provenance import publish


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    folder = tmp_path / "results/mine"
    names = ["settings.yaml", "metrics.csv", "episodes.png", "episodes.mp4"]
    for name in ["tables/summary.md", "figures/success.png", *(f"seed1/base/{name}" for name in names)]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"experiments": {"mine": {"seeds": [1]}, "other": {}}}))
    return folder


def test_published_result_has_its_figures_strips_command_versions_and_settings(experiment, tmp_path) -> None:
    out = tmp_path / "published"
    publish(experiment, tmp_path / "config.yaml", "make", out)
    published = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert published == [
        "config.yaml",
        "figures/success.png",
        "run.yaml",
        "seed1/base/episodes.png",
        "seed1/base/settings.yaml",
        "tables/summary.md",
    ]
    run = yaml.safe_load((out / "run.yaml").read_text())
    assert run["command"] == "make"
    assert {"torch", "mujoco", "snakemake"} <= set(run["packages"])
    assert yaml.safe_load((out / "config.yaml").read_text()) == {"seeds": [1]}


def test_unfinished_experiment_is_not_published(experiment, tmp_path) -> None:
    (experiment / "tables/summary.md").unlink()
    with one_line_error("tables/summary.md", "run snakemake"):
        publish(experiment, tmp_path / "config.yaml", "make", tmp_path / "published")
    assert not (tmp_path / "published").exists()

"""A finished experiment of made-up results, published or not, and what `verify` finds when it is edited."""

import re
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from demo_score.analysis.tables import make_tables
from demo_score.provenance.manifest import write_digests, write_manifest
from demo_score.provenance.publish import publish
from demo_score.provenance.verify import verify
from synthetic_results import write_experiment

MINE = Path("results/mine")
SEEDS = (10000, 20000)
SETTINGS = {"seeds": list(SEEDS), "final_policy": {"oracle": ["reliable"]}}


def finish(root: Path) -> None:
    """A finished experiment with two runs, as the workflow would leave it, below `root` (the working folder)."""
    paths = write_experiment(MINE, SEEDS, n=40)
    for shown in ("metrics", "traces", "paths"):  # by figures only
        del paths[shown]
    make_tables(**paths, out=MINE / "tables", oracle=["reliable"], architectures=[])
    (MINE / "figures").mkdir()
    for name in ("figures/success.png", "seed10000/base/settings.yaml", "seed10000/base/episodes.mp4"):
        (MINE / name).write_text(name)
    for seed in SEEDS:
        weights = MINE / f"seed{seed}/base/checkpoints/003000/model.safetensors"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(b"weights")
        inputs = [path for part in paths.values() for path in part if f"seed{seed}" in path.parts]
        write_digests([*inputs, weights], MINE / f"seed{seed}/inputs.json")
    (MINE / "demonstrations/all.txt").write_text(f"{MINE}/reliable.hdf5 0,1\n")
    (root / "config.yaml").write_text(yaml.safe_dump({"experiments": {"mine": SETTINGS, "other": {}}}))
    tables = sorted(path for path in (MINE / "tables").iterdir() if path.suffix in (".csv", ".md"))
    digests = [MINE / f"seed{seed}/inputs.json" for seed in SEEDS]
    write_manifest(SETTINGS, digests, [MINE / "demonstrations/all.txt"], tables, None, MINE / "tables/manifest.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a finished experiment."""
    folder = tmp_path_factory.mktemp("made")
    with chdir(folder):
        finish(folder)
    return folder


@pytest.fixture
def finished(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where the test runs."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(folder: str = "results") -> list[str]:
    return verify(Path(folder), [Path("README.md")])[0]


def edit(path: Path | str, pattern: str, new: str) -> None:
    """Replace what matches `pattern`, which must match something."""
    text, n = re.subn(pattern, new, Path(path).read_text(), count=1, flags=re.MULTILINE)
    assert n == 1
    Path(path).write_text(text)


def flip(path: Path) -> None:
    """Turn the outcome of the evaluation from start 100003 into the other one."""
    edit(path, r"^(.*,100003),(\d)", lambda match: f"{match[1]},{1 - int(match[2])}")


@pytest.fixture(scope="module")
def made_public(made: Path, tmp_path_factory) -> Path:
    """A folder published/ with the finished experiment."""
    folder = tmp_path_factory.mktemp("public") / "published"
    with chdir(made):
        publish(MINE, Path("config.yaml"), "make", folder / "mine")
    return folder


@pytest.fixture
def published(made_public: Path, finished: Path) -> Path:
    """A published folder, beside the experiment that was published."""
    shutil.copytree(made_public, finished / "results/published")
    return finished / "results/published/mine"

"""The whole workflow in miniature once more, under another arithmetic: nothing hangs on the last bits of one CPU's.

Its arena, too, which no other test runs whole; the figures, which torch has no part in, are test_workflow's.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from demo_score.data.lists import read_list
from miniature import RUN, TINY, command, copy_repository, snakemake

pytestmark = pytest.mark.slow

MANIFEST = "results/tiny/tables/manifest.json"


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
    config = yaml.safe_load((folder / TINY).read_text())
    tiny = config["experiments"]["tiny"]
    tiny["final_policy"]["conditions"] = ["curated_demos"]  # the arena has others like it
    tiny["classifiers"]["model_archs"].pop("small_transformer")
    tiny["classifiers"]["eps_dict"].pop("first_held_out")
    tiny["arena"] |= {"methods": ["demo_score", "length"], "n_random": 1}
    (folder / TINY).write_text(yaml.safe_dump(config, sort_keys=False))
    run = snakemake(folder, MANIFEST, "arena", **other)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return folder


def test_run_ends_in_tables(finished: Path) -> None:
    assert (finished / MANIFEST).is_file()
    assert {"curated_demos", "base"} <= set(pd.read_csv(finished / "results/tiny/tables/success.csv")["condition"])


def test_policies_are_others(finished: Path, tmp_path: Path) -> None:
    """Else it was the same arithmetic."""
    settings = ["--config-path", f"{RUN}/base", "--config-name", "settings"]
    command(finished, "train.py", *settings, f"hydra.run.dir={tmp_path}")
    weights = "checkpoints/000400/model.safetensors"
    assert (tmp_path / weights).read_bytes() != (finished / RUN / "base" / weights).read_bytes()


def test_arena_trains_every_entrant_on_as_many_demonstrations_and_one_budget(finished: Path) -> None:
    entrants = ["demo_score", "length", "theirs", "random_1"]
    folders = [finished / RUN / "arena/own" / name for name in entrants]
    lists = [read_list(folder / "datasets_file.txt") for folder in folders]
    (size,) = {sum(map(len, chosen.values())) for chosen in lists}
    scores = pd.read_csv(finished / RUN / "demo_score/scores.csv")
    assert size == scores.query("kind == 'demonstration'")["kept"].sum()
    own = re.compile(r"arena[/_]own[/_]\w+")
    settings = {own.sub("", (folder / "settings.yaml").read_text()) for folder in folders}
    assert len(settings) == 1
    starts = {tuple(pd.read_csv(folder / "evaluation.csv")["start_seed"]) for folder in folders}
    assert len(starts) == 1


def test_demo_score_in_the_arena_is_the_curated_condition(finished: Path) -> None:
    """The same list, so that the same policy is trained on it."""
    weights = "checkpoints/000060/model.safetensors"
    ours, curated = (finished / RUN / name for name in ("arena/own/demo_score", "curated_demos"))
    assert (ours / weights).read_bytes() == (curated / weights).read_bytes()


def test_external_scores_are_kept_as_they_rank(finished: Path) -> None:
    kept = pd.read_csv(finished / RUN / "arena/own/theirs/kept.csv")
    theirs = pd.read_csv(finished / "tests/tiny/scores.csv")
    strategy = kept["file"].map(lambda file: Path(file).stem)
    chosen = {*zip(strategy[kept["kept"] == 1], kept["episode"][kept["kept"] == 1], strict=True)}
    best = theirs.sort_values("score", ascending=False).head(len(chosen))
    assert chosen == {*zip(best["demonstrations"], best["episode"], strict=True)}


def test_arena_ends_in_a_ranking_and_figures(finished: Path) -> None:
    folder = finished / "results/tiny/arena"
    summary = (folder / "summary.md").read_text()
    for title in ("Demo-SCORE", "Length", "theirs", "All demonstrations"):
        assert title in summary
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    assert figures == {f"arena_{name}" for name in ("uplift", "detection", "cost", "agreement")}
    costs = pd.read_csv(finished / RUN / "arena/costs.csv").set_index("method")
    assert costs.loc["demo_score", "rollouts"] == 48 and (costs["core_seconds"] > 0).all()


def test_edit_of_a_method_makes_its_scores_stale_and_no_other(finished: Path, other: dict[str, str]) -> None:
    method = finished / "workflow/demo_score/methods/length.py"
    method.write_text(method.read_text().replace("-float(", "-2 * float("))
    plan = snakemake(finished, "arena", "--dry-run", **other).stdout
    assert "Score demonstrations by length, seed 10000" in plan
    assert "Score demonstrations by demo_score" not in plan
    assert "Train policy: arena/own/length" in plan
    assert "Train policy: arena/own/demo_score" not in plan


def test_another_method_makes_no_scores_stale(finished: Path, other: dict[str, str]) -> None:
    names = finished / "workflow/demo_score/curation_methods.py"
    names.write_text(
        names.read_text().replace('    "length": "Length",\n', '    "length": "Length",\n    "mine": "Mine",\n')
    )
    plan = snakemake(finished, "arena", "--dry-run", **other).stdout
    assert "Score demonstrations by demo_score" not in plan
    assert "Train policy: arena/own/demo_score" not in plan
    assert "Tables of the arena of tiny" in plan

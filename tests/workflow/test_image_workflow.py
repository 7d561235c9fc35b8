"""The whole workflow on images in miniature (tests/tiny/images.yaml): what is drawn, stored and learned from."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from demo_score.config.settings import load
from demo_score.data.formats import read_episodes
from demo_score.data.lists import read_list
from miniature import copy_repository, snakemake
from safetensors.numpy import load_file

IMAGES = "observation.images.top"
FINAL = "curated_rollouts_plus_demos"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ["MUJOCO_GL"] == "disable", reason="OpenGL does not work here, or MUJOCO_GL=disable: nothing is drawn"
    ),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("images"))
    run = snakemake(folder, "results/tiny_images/tables/summary.md", configfile="tests/tiny/images.yaml")
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return folder / "results/tiny_images"


def test_run_on_images_ends_in_a_table(results: Path) -> None:
    success = pd.read_csv(results / "tables/success.csv")
    assert set(success["condition"]) == {"base", FINAL}
    assert (success["n"] == 2).all()


def test_every_step_of_demonstrations_and_rollouts_has_its_image(results: Path) -> None:
    for path in [*results.glob("demonstrations/*.hdf5"), *results.glob("seed10000/rollouts/*.hdf5")]:
        for episode in read_episodes(path):
            images = episode.observations[IMAGES]
            assert images.shape == (len(episode), 48, 64, 3)
            drawn = images[[0, len(episode) // 2, len(episode) - 1]]
            assert (drawn.std(axis=(1, 2, 3)) > 10).all()  # nothing is blank
            assert (drawn[0] != drawn[-1]).any()  # and the arms move
            if path.parent.name == "demonstrations":  # an untrained policy's may have come to rest midway
                assert (np.diff(drawn.astype(int), axis=0) != 0).any(axis=(1, 2, 3)).all()


def test_a_member_of_the_sweep_sees_what_the_policy_makes_of_images(results: Path) -> None:
    widths = {}
    for name in ("small_stepwise", "features_stepwise"):
        path = results / f"seed10000/classifiers/last_held_out/{name}.safetensors"
        widths[name] = load_file(path)["normalisation.mean"].shape
    assert widths == {"small_stepwise": (7,), "features_stepwise": (32,)}
    compared = pd.read_csv(results / "tables/architectures.csv").set_index(["seed", "model_arch"])
    assert compared["inputs"].to_dict() == {
        (seed, name): inputs
        for seed in ("10000", "all")
        for name, inputs in (
            ("features_stepwise", "policy.features"),
            ("small_stepwise", "observation.environment_state"),
        )
    }
    assert (compared["n"] == 5).all() and (compared["positive"] == 4).all()


def test_final_policy_learns_from_images_of_demonstrations_and_rollouts(results: Path) -> None:
    sources = read_list(results / "seed10000/demo_score_datasets/demo_score_rollouts_plus_demos.txt")
    assert {path.parent.name for path in sources} == {"demonstrations", "rollouts"}
    checkpoint = results / f"seed10000/{FINAL}/checkpoints/000012"
    assert list(load(checkpoint / "settings.yaml").policy.input_shapes[IMAGES]) == [3, 48, 64]
    weights = load_file(checkpoint / "model.safetensors")
    assert any(name.startswith("backbone.") for name in weights)
    assert all(np.isfinite(values).all() for values in weights.values())

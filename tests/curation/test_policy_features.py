"""Classifiers that see what a policy makes of images: two strategies that only their pictures tell apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import TINY, one_line_error
from curation_runs import STEPWISE, command, files, make_episode, train
from demo_score.config.settings import compose_settings
from demo_score.curation.policy_features import PolicyFeatures
from demo_score.curation.scoring import apply_filter
from demo_score.curation.storage import load_description
from demo_score.curation.traces import trace_scores
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.frames import NOT_DRAWN, PackedFrames
from demo_score.data.images import prepare_observations
from demo_score.data.lists import write_list
from demo_score.observations import FEATURES, STATE
from demo_score.policies import make_policy
from demo_score.policies.checkpoints import save_checkpoint
from omegaconf import DictConfig
from rollout_policies import IMAGE

SHAPE, LOOK_EVERY = (16, 16, 3), 10
FEATURES_ALONE = {"model_archs": {"small_stepwise": STEPWISE | {"inputs": [FEATURES]}}, "inputs": [STATE]}


def settings() -> DictConfig:
    tiny = [override for override in TINY if not override.startswith(("env=", "policy="))]
    chosen = ["env=pusht", "policy=act", "env.image_size=16", "env.state_dim=3"]
    network = ["policy.vision_backbone=small_cnn", "policy.pretrained_backbone_weights=null"]
    chunks = [f"policy.chunk_size={LOOK_EVERY}", f"policy.n_action_steps={LOOK_EVERY}"]
    return compose_settings([*chosen, *tiny, *network, *chunks])[0]


def checkpoint(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    save_checkpoint(folder, make_policy(settings()), settings())
    return folder


def pictured(reliable: bool, looked_at: bool, *known) -> Episode:
    """An episode of noise whose pictures are bright or dark, drawn at every step or where the policy looks."""
    episode = make_episode(reliable, *known)
    generator = np.random.default_rng(episode.seed)
    bright = 150 if reliable else 50
    images = [
        PackedFrames.pack(generator.integers(bright, bright + 50, SHAPE, dtype=np.uint8))
        if step % LOOK_EVERY == 0 or not looked_at
        else NOT_DRAWN
        for step in range(len(episode))
    ]
    noise = generator.normal(size=(len(episode), 3)).astype(np.float32)
    return replace(episode, observations={STATE: noise, IMAGE: PackedFrames(images, SHAPE)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Rollouts whose images are those of looks, demonstrations with all, and a classifier that sees features alone."""
    folder = tmp_path_factory.mktemp("features")
    for number in (1, 2, 3):
        names = [(index % 2 == 0, 1000 * number + index) for index in range(40)]
        rollouts = [pictured(even, True, even != (name % 20 == 7), name, f"{number:06d}") for even, name in names]
        write_episodes(folder / f"rollouts_{number}.hdf5", rollouts, {})
    demonstrations = [pictured(index % 3 > 0, False, True, index) for index in range(30)]
    write_episodes(folder / "demonstrations.hdf5", demonstrations, {})
    write_list(folder / "all.txt", {folder / "demonstrations.hdf5": list(range(30))})
    checkpoint(folder / "000003", 0)
    out = train(folder, features_of=folder / "000003", **FEATURES_ALONE)
    command("select_classifier", model_arch="best", classifiers=[out], out=folder / "classifier.yaml")
    return folder


def test_features_are_the_policys_of_its_last_look(folder) -> None:
    (stored,) = read_episodes(folder / "rollouts_1.hdf5", [3])
    features = PolicyFeatures(folder / "000003")
    seen = features.added(stored, "here").observations[FEATURES]
    assert seen.shape == (len(stored), settings().policy.dim_model) and seen.dtype == np.float32
    np.testing.assert_array_equal(seen[0], seen[LOOK_EVERY - 1])
    looks = np.arange(0, len(stored), LOOK_EVERY)
    arrays = {key: torch.from_numpy(stored.observations[key][looks][:, None]) for key in (STATE, IMAGE)}
    expected = features.opened.policy.embedding(prepare_observations(arrays)).detach().numpy()
    np.testing.assert_allclose(seen[looks], expected, rtol=1e-4, atol=1e-5)
    assert len(np.unique(expected[:, 0])) == len(looks)


def test_they_tell_strategies_apart_that_nothing_else_does(folder) -> None:
    (best, *_) = sorted(load_description(folder / "run.safetensors").members, key=lambda member: member.cross_val_loss)
    assert best.cross_val_auc > 0.9
    command("apply_filter", **files(folder, folder / "classifier.yaml"), features_of=folder / "000003")
    table = pd.read_csv(folder / "out/scores.csv").query("kind == 'demonstration'")
    scores = table.groupby("actor")["score"].agg(["min", "max"])
    assert scores.loc["reliable", "min"] > scores.loc["unreliable", "max"]
    out = folder / "out/traces.csv"
    trace_scores(folder / "classifier.yaml", folder / "out/scores.csv", out, folder / "000003")
    assert out.read_text().count("\n") > 30


def test_without_the_one_checkpoint_that_looks_nothing_is_scored(folder, tmp_path) -> None:
    told = files(folder, folder / "classifier.yaml", "refused")
    with one_line_error("policy.features", "add --features-of"):
        apply_filter(**told)
    with one_line_error("--features-of", "another checkpoint", "other"):
        apply_filter(**told, features_of=checkpoint(tmp_path / "other", 1))
    with one_line_error("not a checkpoint"):
        apply_filter(**told, features_of=tmp_path)
    with one_line_error("policy.features", "leave out --features-of"):
        train(folder, name="none", features_of=folder / "000003", inputs=[STATE])
    assert not (folder / "refused").exists() and not (folder / "none.safetensors").exists()

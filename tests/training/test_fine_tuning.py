"""A training that starts from a checkpoint (training.init_from): ours, or LeRobot's."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import one_line_error, tiny_settings
from demo_score.config.settings import compose_settings
from demo_score.data.episodes import Episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.training.loop import Run, load_data, start_run, train
from lerobot_policies import RECORDED, difference
from omegaconf import DictConfig
from places import TESTS
from safetensors.torch import load_file
from training_runs import SAMPLED, data, data_file, interrupt, one_thread, trained

__all__ = ["data", "data_file", "interrupt", "one_thread"]  # the fixtures
STORED = TESTS / "data/lerobot_policies/act"


@pytest.fixture
def parent(tmp_path, data) -> Path:
    train(tiny_settings(data), tmp_path / "parent")
    return tmp_path / "parent/checkpoints/000012"


def started(settings: DictConfig) -> Run:
    return start_run(settings, load_data(settings), torch.device("cpu"))


def other_data(folder: Path) -> str:
    """Episodes whose statistics are not the parent's."""
    episode = Episode(
        observations={
            "observation.state": np.full((30, 14), 5.0, np.float32),
            "observation.environment_state": np.full((30, 7), 5.0, np.float32),
        },
        actions=np.full((30, 14), 5.0, np.float32),
        rewards=np.zeros(30, np.float32),
        success=True,
        seed=0,
    )
    write_episodes(folder / "other.hdf5", [episode], {})
    return f"+datasets_file={folder}/other.hdf5"


def test_weights_and_normalisation_are_the_parent_s(parent, tmp_path) -> None:
    settings = tiny_settings(other_data(tmp_path), f"training.init_from={parent}")
    weights = load_file(parent / "model.safetensors")
    assert {name: value.tolist() for name, value in started(settings).policy.state_dict().items()} == {
        name: value.tolist() for name, value in weights.items()
    }


def test_a_killed_fine_tuning_goes_on_and_another_parent_begins_anew(parent, tmp_path, data, interrupt) -> None:
    start = f"training.init_from={parent}"
    whole = trained(tmp_path / "whole", data, start, *SAMPLED)
    interrupt(8, tmp_path / "killed", data, start, *SAMPLED)
    assert trained(tmp_path / "killed", data, start, *SAMPLED) == whole
    interrupt(8, tmp_path / "killed again", data, start, *SAMPLED)
    shutil.copy(parent.parent / "000005/model.safetensors", parent)
    anew = trained(tmp_path / "killed again", data, start, *SAMPLED)
    assert anew == trained(tmp_path / "new", data, start, *SAMPLED) != whole


def test_weights_of_another_policy_and_no_checkpoint_are_one_line(parent, data, tmp_path) -> None:
    with one_line_error("policy.dim_model=32: the checkpoint has 16"):
        started(tiny_settings(data, f"training.init_from={parent}", "policy.dim_model=32"))
    with one_line_error(tmp_path, "not a checkpoint"):
        started(tiny_settings(data, f"training.init_from={tmp_path}"))


def lerobot_settings(folder: Path, *changes: str) -> list[str]:
    sizes = ["chunk_size", "n_action_steps", "dim_model", "n_heads", "dim_feedforward", "latent_dim", "pre_norm"]
    sizes += ["n_encoder_layers", "n_decoder_layers", "n_vae_encoder_layers"]
    config = json.loads((folder / "config.json").read_text())
    return [*(f"policy.{key}={config[key]}" for key in sizes), *changes]


def test_lerobot_s_policy_is_trained_further_as_it_acts(tmp_path) -> None:
    folder = shutil.copytree(STORED, tmp_path / "theirs")
    generator = np.random.default_rng(0)
    episode = Episode(
        observations={
            key: generator.random((30, width), dtype=np.float32)
            for key, width in (("observation.state", 3), ("observation.environment_state", 2))
        },
        actions=generator.random((30, 2), dtype=np.float32),
        rewards=np.zeros(30, np.float32),
        success=True,
        seed=0,
    )
    write_episodes(tmp_path / "demos.hdf5", [episode], {})
    run = [*RECORDED, "policy=act_state", f"+datasets_file={tmp_path}/demos.hdf5", f"training.init_from={folder}"]
    steps = ["training.offline_steps=2", "training.save_freq=2", "training.batch_size=4", "training.lr=1e-12"]
    settings, _ = compose_settings([*run, *steps, *lerobot_settings(folder)])
    train(settings, tmp_path / "run")
    shutil.copy(folder / "answers.safetensors", tmp_path / "run/checkpoints/000002")
    assert difference(tmp_path / "run/checkpoints/000002") <= 1e-5
    with one_line_error("policy.dim_model=32", "has 16"):
        started(compose_settings([*run, *steps, *lerobot_settings(folder, "policy.dim_model=32")])[0])

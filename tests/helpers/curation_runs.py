"""Curation in miniature: two synthetic strategies, one of which fails more often, and classifiers of their rollouts."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from demo_score.data.episodes import Episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import write_list
from places import SCRIPTS

STEPWISE = {"type": "stepwise", "hidden_sizes": [8, 8], "dropout": 0.3}
TRANSFORMER = {
    "type": "transformer",
    "dim_model": 8,
    "dim_feedforward": 8,
    "n_heads": 2,
    "n_layers": 1,
    "trajectory_steps": 8,
    "dropout": 0.1,
}
SETTINGS = {
    "model_archs": {"small_stepwise": STEPWISE, "small_transformer": TRANSFORMER},
    "inputs": ["observation.state", "action"],
    "tr_dataset_size": 80,
    "cross_val_dataset_size": 40,
    "seeds": [0, 1],
    "lr": [1e-2, 1e-3],
    "weight_decay": [0.1],
    "epochs": 30,
    "batch_size": 256,
    "max_frames": None,
}


def make_episode(reliable: bool, success: bool, number: int, checkpoint: str | None = None) -> Episode:
    """Twenty to thirty frames of three states; the strategies differ in the phase of their motion."""
    generator = np.random.default_rng([number, reliable])
    time = np.linspace(0, 3, generator.integers(20, 31))[:, None]
    states = np.sin(time * [1, 2, 3] + (0 if reliable else 1)) + generator.normal(0, 0.1, (len(time), 3))
    return Episode(
        observations={"observation.state": states.astype(np.float32)},
        actions=np.zeros((len(time), 2), np.float32),
        rewards=np.zeros(len(time), np.float32),
        success=success,
        seed=number,
        strategy=None if checkpoint else ("reliable" if reliable else "unreliable"),
        checkpoint=checkpoint,
    )


def make_rollouts(path: Path, number: int, outcomes: list[bool] | None = None) -> Path:
    """Forty rollouts, half of each strategy: 19 of 20 reliable ones succeed, 1 of 20 unreliable ones."""
    rollouts = []
    for index in range(40):
        reliable = index % 2 == 0
        success = (reliable != (index // 2 == 7)) if outcomes is None else outcomes[index]
        rollouts.append(make_episode(reliable, success, 1000 * number + index, f"{number:06d}"))
    write_episodes(path, rollouts, {})
    return path


def command(name: str, **options: object) -> None:
    """Run one of the scripts here, without its translation of UserError."""
    arguments = []
    for key, value in options.items():
        arguments += [f"--{key.replace('_', '-')}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    module = runpy.run_path(str(SCRIPTS / f"{name}.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        module["main"]()


def write_settings(path: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump(SETTINGS | changes))
    return path


def train(
    folder: Path,
    model_arch: str = "small_stepwise",
    name: str = "run",
    features_of: Path | None = None,
    **changes: object,
) -> Path:
    """Train on the folder's rollouts; the classifier file, with the table beside it."""
    looking = {"features_of": features_of} if features_of else {}
    out = folder / f"{name}.safetensors"
    command(
        "train_classifiers",
        settings=write_settings(folder / f"{name}_settings.yaml", **changes),
        model_arch=model_arch,
        train=[folder / "rollouts_1.hdf5", folder / "rollouts_2.hdf5"],
        cross_val=[folder / "rollouts_3.hdf5"],
        out=out,
        metrics=out.with_suffix(".csv"),
        **looking,
    )
    return out


def files(folder: Path, classifier: Path, out: str = "out") -> dict:
    """What apply_filter reads and writes."""
    return {
        "classifier": classifier,
        "demonstrations": folder / "all.txt",
        "rollouts": [folder / f"rollouts_{number}.hdf5" for number in (1, 2, 3)],
        "scores": folder / out / "scores.csv",
        "demos_only": folder / out / "demo_score_demos_only.txt",
        "rollouts_plus_demos": folder / out / "demo_score_rollouts_plus_demos.txt",
    }


def apply(folder: Path, classifier: Path) -> pd.DataFrame:
    """Filter the folder's demonstrations and rollouts; the scores table."""
    command("apply_filter", **files(folder, classifier))
    return pd.read_csv(folder / "out" / "scores.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rollouts of three checkpoints, 60 demonstrations of which episode 0 is not listed, and trained classifiers."""
    folder = tmp_path_factory.mktemp("curation")
    for number in (1, 2, 3):
        make_rollouts(folder / f"rollouts_{number}.hdf5", number)
    demonstrations = folder / "demonstrations.hdf5"
    write_episodes(demonstrations, [make_episode(index % 3 > 0, True, index) for index in range(60)], {})
    write_list(folder / "all.txt", {demonstrations: list(range(1, 60))})
    train(folder, "small_stepwise", "stepwise")
    train(folder, "small_transformer", "transformer")
    command(
        "select_classifier",
        model_arch="small_stepwise",
        classifiers=[folder / "stepwise.safetensors", folder / "transformer.safetensors"],
        out=folder / "classifier.yaml",
    )
    return folder

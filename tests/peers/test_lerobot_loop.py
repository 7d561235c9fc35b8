"""The whole loop with LeRobot's trainer, in miniature: base and final policy there, rollouts and keep-list here.

What is learned in 20 steps is nothing; the start decides who succeeds (tests/tiny/gym_tiny.py).
"""

import json
from pathlib import Path

import pytest
import yaml
from peer_programs import OURS, lerobot, linked_repository, run
from places import TESTS

PLACES = {"PYTHONPATH": str(TESTS / "tiny")}
STEPS = ["000010", "000020"]
SMALL = ["chunk_size=20", "n_action_steps=20", "dim_model=16", "n_heads=2", "dim_feedforward=16", "latent_dim=4"]
SMALL += ["n_encoder_layers=1", "n_vae_encoder_layers=1", "device=cpu", "push_to_hub=false"]
TRIED = ["env.name=tiny", "+env.gym={}", "env.episode_length=60", "eval.batch_size=6"]
KEPT = "results/loop/seed10000/demo_score_datasets/demo_score_demos_only"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of an experiment whose demonstrations are in LeRobot's form."""
    folder = linked_repository(tmp_path_factory.mktemp("loop"))
    tiny = yaml.safe_load((TESTS / "tiny/taken.yaml").read_text())["experiments"]["taken"]
    experiment = {key: value for key, value in tiny.items() if key not in ("policy", "final_policy")}
    experiment |= {
        "demonstrations": {"mine": {"path": "data/mine"}},
        "base_policy": {"checkpoints": [f"outputs/base/checkpoints/{step}" for step in STEPS]},
        "rollouts": tiny["rollouts"] | {"eps": STEPS, "n_episodes": 12, "overrides": TRIED},
    }
    experiment["classifiers"] |= {
        "eps_dict": {"last_held_out": {"train": STEPS[:1], "cross_val": STEPS[1:]}},
        "epochs": 200,
        "max_frames": 5,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump({"run": ["loop"], "experiments": {"loop": experiment}}))
    collected = ["--strategy", "reliable", "--n-episodes", "8", "--seed", "7000000", "--out", "data/mine.hdf5"]
    ours(folder, "collect_demonstrations.py", "env=aloha_cube_state", *collected)
    ours(folder, "export_data.py", "data/mine.hdf5", "--to", "lerobot", "--out", "data/mine")
    return folder


def ours(folder: Path, script: str, *arguments: object) -> str:
    return run(folder, OURS / "python", f"workflow/scripts/{script}", *arguments, **PLACES)


def lerobot_train(folder: Path, out: str, *options: str) -> None:
    options = ["--policy.type=act", *(f"--policy.{option}" for option in SMALL), *options, f"--output_dir={out}"]
    options += ["--steps=20", "--save_freq=10", "--batch_size=4", "--num_workers=0", "--wandb.enable=false"]
    run(folder, lerobot("train"), "--dataset.repo_id=tests/mine", "--dataset.root=data/mine", *options, **PLACES)


def test_the_loop(folder) -> None:
    lerobot_train(folder, "outputs/base")
    run(folder, OURS / "snakemake", "--cores", "2", f"{KEPT}", "results/loop/seed10000/base/evaluation.csv", **PLACES)
    (kept_file,) = (folder / KEPT).glob("*.kept.txt")
    option = kept_file.read_text().strip()
    kept = json.loads(option.partition("=")[2])
    assert 0 < len(kept) < 8
    lerobot_train(folder, "outputs/final", option)
    checkpoint = folder / "outputs/final/checkpoints/000020"
    tested = ["--out-dir", "outputs", "env=aloha_cube_state", *TRIED, "eval.n_episodes=12", "seed=50000"]
    assert "of 12 episodes" in ours(folder, "eval.py", "-p", checkpoint, *tested)

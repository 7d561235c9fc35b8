"""From `lerobot-record` to a curated policy on a robot, by the commands of docs/lerobot.md; the robot is a toy."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.images import prepare_observations
from peer_programs import OURS, lerobot, linked_repository, run
from places import REPOSITORY, TESTS
from safetensors.torch import save_file

STEPS = ["000010", "000020"]
SIZES = ["chunk_size=10", "n_action_steps=10", "dim_model=16", "n_heads=2", "dim_feedforward=16", "latent_dim=4"]
SIZES += ["n_encoder_layers=1", "n_vae_encoder_layers=1", "pretrained_backbone_weights=null"]
FOUR = ["--dataset.num_episodes=4", "--dataset.episode_time_s=1"]
LOOK = 2  # actions after which our policy looks again
ROBOT = ["--robot.type=tiny", "--play_sounds=false"]
RECORDED = ["--dataset.reset_time_s=0.1", "--dataset.single_task=Go round", "--dataset.push_to_hub=false"]
RECORDED += ["--dataset.fps=10", "--dataset.video=false"]
KEPT = "results/mine/seed10000/demo_score_datasets/demo_score_demos_only"
PLUGIN = "lerobot_robot_tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository, and an installed distribution of the robot's module."""
    folder = linked_repository(tmp_path_factory.mktemp("robot"))
    described = folder / f"plugins/{PLUGIN}-1.dist-info/METADATA"
    described.parent.mkdir(parents=True)
    described.write_text(f"Metadata-Version: 2.1\nName: {PLUGIN}\nVersion: 1\n")
    return folder


def run_here(folder: Path, *command: object) -> str:
    places = (folder / "plugins", TESTS / "helpers", REPOSITORY / "workflow")
    own = {"PYTHONPATH": os.pathsep.join(map(str, places)), "HF_LEROBOT_HOME": str(folder / "home")}
    return run(folder, *command, **own, OMP_NUM_THREADS="1")


def ours(folder: Path, script: str, *arguments: object) -> str:
    return run_here(folder, OURS / "python", f"workflow/scripts/{script}", *arguments)


def train(folder: Path, out: str, *options: str) -> None:
    own = ["--dataset.repo_id=me/mine", "--dataset.root=data/mine", f"--output_dir={out}", *options]
    own += ["--steps=20", "--save_freq=10", "--batch_size=4", "--num_workers=0", "--wandb.enable=false"]
    run_here(folder, lerobot("train"), *own)


def on_the_robot(folder: Path, policy: str, out: str, *options: str) -> None:
    recorded = [f"--dataset.repo_id=me/rollout_{Path(out).name}", f"--dataset.root={out}", *(options or FOUR)]
    tried = ["--strategy.type=episodic", "--fps=10", "--device=cpu", f"--policy.path={policy}"]
    run_here(folder, lerobot("rollout"), *ROBOT, *RECORDED, *recorded, *tried)


def curate(folder: Path) -> list[int]:
    """Which demonstrations are kept, where those attempts succeeded that somebody says did."""
    for step in STEPS:
        labels = "".join(f"{episode},{episode % 2},{step}\n" for episode in range(4))
        (folder / f"data/labels_{step}.csv").write_text(f"episode,success,checkpoint\n{labels}")
    example = yaml.safe_load((TESTS / "tiny/bring_your_own.yaml").read_text())["experiments"]
    experiment = {key: value for key, value in example["own"].items() if key != "arena"} | {
        "demonstrations": {"mine": {"path": "data/mine"}},
        "rollouts": {"eps": STEPS, "path": "data/tried_{checkpoint}", "labels": "data/labels_{checkpoint}.csv"},
    }
    experiment["classifiers"] |= {"eps_dict": {"last_held_out": {"train": STEPS[:1], "cross_val": STEPS[1:]}}}
    experiment["classifiers"] |= {"inputs": ["observation.state"], "max_frames": None, "tr_dataset_size": None}
    (folder / "config.yaml").write_text(yaml.safe_dump({"run": ["mine"], "experiments": {"mine": experiment}}))
    run_here(folder, OURS / "snakemake", "--cores", "2", KEPT)
    (kept,) = (folder / KEPT).glob("*.kept.txt")
    return json.loads(kept.read_text().strip().partition("=")[2])


def test_from_recordings_to_a_curated_policy(folder) -> None:
    recorded = ["--dataset.repo_id=me/mine", "--dataset.root=data/mine", "--dataset.num_episodes=6", *FOUR[1:]]
    run_here(folder, lerobot("record"), *ROBOT, "--teleop.type=tiny", *RECORDED, *recorded)
    act = ["--policy.type=act", "--policy.device=cpu", "--policy.push_to_hub=false"]
    train(folder, "outputs/base", *act, *(f"--policy.{option}" for option in SIZES))
    for step in STEPS:
        on_the_robot(folder, f"outputs/base/checkpoints/{step}/pretrained_model", f"data/tried_{step}")
    kept = curate(folder)
    assert {*kept} <= {*range(6)}
    option = f"--dataset.episodes={json.dumps(kept or [0], separators=(',', ':'))}"  # of a few frames who knows
    train(folder, "outputs/final", "--policy.path=outputs/base/checkpoints/000020/pretrained_model", option)
    final = "--policy.path=outputs/final/checkpoints/last/pretrained_model"
    run_here(
        folder, lerobot("rollout"), *ROBOT, "--strategy.type=base", "--fps=10", "--device=cpu", "--duration=2", final
    )


def test_a_policy_of_ours_does_on_the_robot_what_it_does_here_and_goes_on_in_lerobot_train(folder) -> None:
    """It is trained here on what was recorded there, and exported."""
    shown = ["env=recorded", "policy=act", "env.obs_type=pixels_agent_pos", "env.state_dim=2", "env.action_dim=2"]
    shown += ["env.cameras=[front]", "env.image_size=[48,64]", "training.eval_freq=0", "training.batch_size=4"]
    own = [f"policy.{option}" for option in SIZES if not option.startswith(("chunk_size", "n_action_steps"))]
    own += [f"policy.chunk_size={LOOK}", f"policy.n_action_steps={LOOK}", "device=cpu", "training.num_workers=0"]
    own += ["seed=1", "training.offline_steps=10", "training.save_freq=10", "training.lr=1e-3"]
    ours(folder, "train.py", *shown, *own, "dataset_repo_id=data/mine", "hydra.run.dir=outputs/ours")
    checkpoint = folder / "outputs/ours/checkpoints/000010"
    ours(folder, "export_policy.py", checkpoint, "--to", "lerobot", "--out", "outputs/there")
    on_the_robot(folder, "outputs/there", "data/of_ours", "--dataset.num_episodes=2", "--dataset.episode_time_s=4")
    write_answers([*open_dataset(folder / "data/of_ours").read()], checkpoint / "answers.safetensors")
    assert (
        float(run_here(folder, OURS / "python", TESTS / "helpers/lerobot_policies.py", "compare", checkpoint)) <= 1e-5
    )
    train(folder, "outputs/on", "--policy.path=outputs/there", "--policy.push_to_hub=false")
    assert (folder / "outputs/on/checkpoints/000020/pretrained_model/model.safetensors").is_file()


def write_answers(episodes: list[Episode], path: Path) -> None:
    """What the robot saw where its policy looked, and what the policy then did."""
    looks = [(one, frame) for one in episodes for frame in range(0, len(one) - LOOK + 1, LOOK)][:20]
    answers = {}
    for key in episodes[0].observations:
        seen = np.stack([np.asarray(episode.observations[key][frame : frame + 1]) for episode, frame in looks])
        answers |= prepare_observations({key: torch.from_numpy(seen)})
    chunks = [episode.actions[frame : frame + LOOK] for episode, frame in looks]
    answers |= {"draws": torch.zeros(len(looks), 4), "actions": torch.from_numpy(np.stack(chunks)).float()}
    save_file({name: values.contiguous() for name, values in answers.items()}, path)

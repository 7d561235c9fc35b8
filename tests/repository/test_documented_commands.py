"""Every command line of docs/data.md runs, in its order, on data such as it speaks of; trainings are made small."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import random_episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import read_list, write_list
from documents import command_lines
from guide import SMALL, SMALL_POLICY, run
from lerobot_fixture import write_lerobot
from places import REPOSITORY

LINES = [
    line for line in command_lines(REPOSITORY / "docs/data.md") if " | " not in line
]  # one is shown with its output: test_docs.py
CURATED = "results/bring_your_own/seed10000/demo_score_datasets/demo_score_demos_only.txt"
SMALL_STATE = SMALL_POLICY["act"].removeprefix("policy.pretrained_backbone_weights=null ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands name: curated demonstrations, a robomimic file, a LeRobot set with cameras, an ALOHA folder."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(REPOSITORY / "tests/data/bring_your_own", folder / "tests/data/bring_your_own")
    (folder / CURATED).parent.mkdir(parents=True)
    write_list(folder / CURATED, {folder / "tests/data/bring_your_own/demonstrations": [0, 2]})
    write_episodes(folder / "data/low_dim.hdf5", robosuite_episodes(), {})
    cameras = {f"observation.images.{name}": (48, 64) for name in ("top", "wrist")}
    write_lerobot(folder / "data/my_robot", n_episodes=2, length=6, state_dim=14, action_dim=14, images=cameras, fps=50)
    write_aloha(folder / "FOLDER_OR_FILE", [random_episode(6, seed, success=seed == 0) for seed in range(3)])
    (folder / "labels.csv").write_text("episode,success,checkpoint\n0,1,3000\n1,0,3000\n2,1,3000\n")
    demonstrations = "demonstrations: {mine: {path: tests/data/bring_your_own/demonstrations}}\n"
    (folder / "data.yaml").write_text(demonstrations + "rollouts: {eps: ['003000'], path: FOLDER_OR_FILE}\n")
    return folder


def robosuite_episodes() -> Iterator:
    generator = np.random.default_rng(0)
    widths = {"robot0_eef_pos": 3, "robot0_eef_quat": 4, "robot0_gripper_qpos": 2}
    for seed in range(2):
        episode = random_episode(8, seed)
        episode.observations = {f"observation.{key}": generator.normal(size=(8, n)) for key, n in widths.items()}
        episode.actions = generator.normal(size=(8, 7))
        yield episode


def small(line: str) -> list[str]:
    """What makes a training of seconds; other commands are run as they are written."""
    if "train.py" not in line:
        return []
    policy = f"{SMALL_POLICY['act']} env.image_size=[48,64]" if "policy=act " in line else SMALL_STATE
    return [*shlex.split(f"{SMALL} {policy}"), f"hydra.run.dir=outputs/trained_{LINES.index(line)}"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: re.search(r"(\w+)\.py", line)[1])
def test_command_line_of_docs_data_runs(folder, monkeypatch, line) -> None:
    monkeypatch.chdir(folder)
    if "export_list" in line:
        write_list(Path("keep.txt"), {Path("outputs/mine.hdf5"): [0, 2]})
    if "prepare_data" in line:
        shutil.copy("labels.csv", "FOLDER_OR_FILE/labels.csv")
    script, _, arguments = line.removeprefix("python workflow/scripts/").partition(" ")
    run(script, arguments, *small(line))


def test_what_they_made_is_there(folder) -> None:
    """After the test above, in the order of this file."""
    assert len(open_dataset(folder / "outputs/mine").episode_indices) == len(
        open_dataset(folder / "outputs/mine.hdf5").episode_indices
    )
    assert read_list(folder / "outputs/data/rollouts/003000.csv")
    assert len(list(folder.rglob("model.safetensors"))) == sum("train.py" in line for line in LINES)

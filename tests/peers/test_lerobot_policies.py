"""Our policies through the real lerobot's eyes, and its through ours. `make test-peers` runs this."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demo_score.data.episodes import Episode
from demo_score.data.formats.lerobot_writer import write_lerobot
from lerobot.policies.act import ACTPolicy
from lerobot.policies.diffusion import DiffusionPolicy
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from make_policies import OF_IMAGES, POLICIES, actions_of, answer, make, make_unknown
from peer_programs import lerobot, run
from places import REPOSITORY
from safetensors.torch import load_file

OURS = {"act_state": ACTPolicy, "act": ACTPolicy, "diffusion_state": DiffusionPolicy, "diffusion": DiffusionPolicy}
PLACES = os.pathsep.join(str(REPOSITORY / place) for place in ("workflow", "tests", "tests/helpers"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": PLACES, "LEROBOT_PYTHON": sys.executable}


def ours(*arguments: object) -> str:
    """A program of the repository's own environment, which lacks lerobot."""
    command = [REPOSITORY / ".venv/bin/python", *map(str, arguments)]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def answers(*arguments: object) -> str:
    return ours(REPOSITORY / "tests/helpers/lerobot_policies.py", *arguments)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    answers("export", folder)
    return folder


@pytest.mark.parametrize("name", OURS)
def test_an_exported_policy_does_there_what_it_does_here(exported, name) -> None:
    folder = exported / name
    policy = OURS[name].from_pretrained(folder, strict=True)
    processors = make_pre_post_processors(policy.config, pretrained_path=str(folder))
    seen = load_file(folder / "answers.safetensors")
    draws, actions = seen.pop("draws"), seen.pop("actions")
    assert len(actions) == 20
    there = actions_of(policy, processors, seen, draws)
    assert (there - actions).abs().max() <= 1e-5 * actions.abs().max()


@pytest.mark.parametrize("name", [*POLICIES, *OF_IMAGES])
def test_lerobot_s_policies_do_here_what_they_do_there(tmp_path, name) -> None:
    make(name, tmp_path / name)
    assert float(answers("compare", tmp_path / name)) <= 1e-5


@pytest.mark.parametrize("name", [*POLICIES, *OF_IMAGES])
def test_what_lerobot_trained_does_here_what_it_does_there(tmp_path, name) -> None:
    kind, shapes, options = (POLICIES | OF_IMAGES)[name]
    write_lerobot(tmp_path / "data", demonstrations(shapes), fps=10, images="image")
    chosen = [f"--policy.{key}={json.dumps(value)}" for key, value in options.items()]
    chosen += [f"--policy.type={kind}", "--policy.device=cpu", "--policy.push_to_hub=false", "--output_dir=out"]
    chosen += ["--steps=50", "--save_freq=50", "--batch_size=4", "--num_workers=0", "--wandb.enable=false"]
    run(tmp_path, lerobot("train"), "--dataset.repo_id=tests/data", "--dataset.root=data", *chosen)
    folder = tmp_path / "out/checkpoints/000050/pretrained_model"
    policy = get_policy_class(kind).from_pretrained(folder).eval()
    answer(folder, policy, make_pre_post_processors(policy.config, pretrained_path=str(folder)), shapes)
    assert float(answers("compare", folder)) <= 1e-5


def demonstrations(shapes: dict[str, tuple[int, ...]]) -> list[Episode]:
    """Four short ones, of actions that what is seen tells."""
    generator, made = np.random.default_rng(0), []
    for seed in range(4):
        seen = {}
        for key, shape in shapes.items():
            if len(shape) == 3:
                seen[key] = generator.integers(0, 256, (20, *shape[1:], 3), dtype=np.uint8)
            else:
                seen[key] = generator.normal(size=(20, *shape)).astype(np.float32)
        made.append(Episode(seen, seen["observation.state"][:, :2] / 2, None, None, seed, task="Move"))
    return made


def test_a_policy_that_only_lerobot_knows_rolls_out_through_its_process(tmp_path) -> None:
    make_unknown(tmp_path / "policy")
    arguments = ["-p", tmp_path / "policy", "--out-dir", tmp_path, "env=aloha_state", "env.episode_length=20", "seed=1"]
    assert "0 of 2 episodes" in ours(
        REPOSITORY / "workflow/scripts/collect_rollouts.py", *arguments, "eval.n_episodes=2", "eval.batch_size=2"
    )
    assert (tmp_path / "policy.hdf5").is_file()

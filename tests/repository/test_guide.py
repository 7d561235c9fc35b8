"""Every command line of the user's guide (sections 1, 3, 4), with sizes shrunk by overrides that follow it."""

import shlex
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from conftest import one_line_error
from demo_score.curation.scoring import Scorer
from demo_score.data.formats import read_episodes
from demo_score.data.lists import read_entries, read_list
from demo_score.runtime import memory
from guide import ALOHA, STATE, STATE_SIZES, here, results, run, settings_of, shrink
from places import COMMANDS, SCRIPTS
from wandb_log import read_run

__all__ = ["here"]  # the fixture

pytestmark = pytest.mark.slow


# 1: the five steps


def test_step_1_trains_the_base_policy(here) -> None:
    run(
        "train.py",
        "policy=act env=aloha wandb.enable=True hydra.job.name=ex1_seed10000_base_policy training.offline_steps=300000"
        " training.eval_freq=10000 training.save_freq=10000 seed=10000 training.log_freq=100 eval.n_episodes=256"
        " eval.batch_size=64 +datasets_file=data/example/demos/ex1",
        *ALOHA,
        f"datasets_file={list_of(here, 'lerobot/aloha_sim_insertion_human')}",
    )
    folder = results(here / "outputs")
    assert folder.name.endswith("_aloha_act_ex1_seed10000_base_policy")
    assert settings_of(folder)["seed"] == 10000
    assert read_run(folder)["name"] == "ex1_seed10000_base_policy"


def list_of(here: Path, dataset: str) -> Path:
    path = here / "ex1.txt"
    path.write_text(f"{here / 'datasets' / dataset} 0,1\n")
    return path


def test_steps_1_to_5_in_a_row(here) -> None:
    """Demonstrations, base policy, rollouts of two checkpoints, classifiers, filter, final policy on both lists."""
    demonstrations = f"{STATE} --strategy reliable --n-episodes 4 --seed 900 --out demos/reliable.hdf5"
    run("collect_demonstrations.py", demonstrations)
    run("list_episodes.py", "demos/reliable.hdf5 --out demos/ex1.txt")
    run("train.py", f"{STATE} seed=10000 +datasets_file=demos/ex1.txt hydra.run.dir=base", *STATE_SIZES)
    for step, seed in (("000010", 12000), ("000020", 12100)):
        run(
            "collect_rollouts.py",
            f"-p base/checkpoints/{step} --out-dir rollouts eval.n_episodes=100 eval.batch_size=100 seed={seed}",
            *("eval.n_episodes=3", "eval.batch_size=3", "env.episode_length=60"),
        )
        assert [episode.seed for episode in read_episodes(f"rollouts/{step}.hdf5")] == [seed, seed + 1, seed + 2]
    label_some_as_successes(here / "rollouts")
    sweep = {
        "model_archs": {"small_stepwise": {"type": "stepwise", "hidden_sizes": [8, 8], "dropout": 0.3}},
        **{"tr_dataset_size": 3, "cross_val_dataset_size": 3, "weight_decay": [0.1], "lr": [1e-4], "epochs": 3},
        **{"inputs": ["observation.state"], "seeds": [0], "batch_size": 64, "max_frames": 60},
    }
    (here / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    run(
        "train_classifiers.py",
        "--settings sweep.yaml --model-arch small_stepwise --train rollouts/000010.hdf5 --cross-val"
        " rollouts/000020.hdf5 --out classifiers.safetensors --metrics classifiers.csv",
    )
    run(
        "select_classifier.py",
        "--model-arch small_stepwise --threshold mean --classifiers classifiers.safetensors --out classifier.yaml",
    )
    keep_about_half(here / "classifier.yaml")
    lists = "demo_score_datasets/demo_score_demos_only.txt", "demo_score_datasets/demo_score_rollouts_plus_demos.txt"
    run(
        "apply_filter.py",
        "--classifier classifier.yaml --demonstrations demos/ex1.txt --rollouts rollouts/000010.hdf5"
        f" rollouts/000020.hdf5 --scores scores.csv --demos-only {lists[0]} --rollouts-plus-demos {lists[1]}",
    )
    scores = pd.read_csv("scores.csv")
    kept = scores[scores["kept"] == 1]
    for name, expected in zip(lists, ((kept["kind"] == "demonstration").sum(), len(kept)), strict=True):
        assert sum(map(len, read_list(name).values())) == expected
        job = f"hydra.job.name=ex1_seed10000_{Path(name).stem} hydra.run.dir=final/{Path(name).stem}"
        run("train.py", f"{STATE} seed=14000 {job} +datasets_file={name}", *STATE_SIZES)
    run(
        "eval.py",
        "-p final/demo_score_demos_only/checkpoints/000020 --out-dir final eval.n_episodes=100 eval.batch_size=100"
        " seed=12000",
        *("eval.n_episodes=2", "eval.batch_size=2", "env.episode_length=20"),
    )
    assert list(pd.read_csv("final/evaluation.csv")["start_seed"]) == [12000, 12001]


def label_some_as_successes(rollouts: Path) -> None:
    """A policy of 20 steps succeeds at nothing, and classifiers need both outcomes."""
    for path in rollouts.glob("*.hdf5"):
        with h5py.File(path, "r+") as file:
            file["data/demo_0"].attrs["success"] = True


def keep_about_half(choice: Path) -> None:
    """Set the threshold to the middle of the demonstrations' scores, where so short a training leaves nothing."""
    rows = Scorer.chosen(choice).rows("demonstration", read_entries("demos/reliable.hdf5")[:4])
    threshold = float(np.median([row["score"] for row in rows]))
    choice.write_text(yaml.safe_dump(yaml.safe_load(choice.read_text()) | {"threshold": threshold}))


# 3: examples


def test_weights_and_biases(here) -> None:
    run(
        "train.py",
        'env=aloha policy=act wandb.enable=true wandb.project=my_project wandb.notes="첫 번째 실험"',
        *ALOHA,
    )
    logged = read_run(here / "outputs")
    assert (logged["project"], logged["notes"]) == ("my_project", "첫 번째 실험")
    assert logged["config"]["policy"]["name"] == "act"
    assert sorted(logged["history"]) == [1, 2]


def test_cfg_job_prints_settings_that_reproduce_the_run(here, capsys) -> None:
    train = f"env=aloha policy=act seed=5 {' '.join(ALOHA)}"
    run("train.py", f"{train} --cfg job")
    (here / "printed.yaml").write_text(capsys.readouterr().out)
    assert yaml.safe_load((here / "printed.yaml").read_text())["seed"] == 5
    run("train.py", f"{train} hydra.run.dir=first")
    run("train.py", "--config-path . --config-name printed hydra.run.dir=second")
    name = "checkpoints/000002/model.safetensors"
    assert (here / "first" / name).read_bytes() == (here / "second" / name).read_bytes()


def test_cfg_job_without_anything_else(here, capsys) -> None:
    run("train.py", "--cfg job")
    printed = yaml.safe_load(capsys.readouterr().out)
    assert (printed["env"]["name"], printed["policy"]["name"]) == ("pusht", "diffusion")


@pytest.mark.parametrize("script", [path.relative_to(SCRIPTS).as_posix() for path in COMMANDS])
def test_help(here, script, capsys) -> None:
    run(script, "--help")
    assert "usage:" in capsys.readouterr().out


# 4: errors


def test_missing_values_are_named(here) -> None:
    with one_line_error("missing settings", "seed=VALUE"):
        run("train.py", STATE)


def test_a_batch_that_does_not_fit_into_memory_names_the_setting(here, monkeypatch) -> None:
    room = psutil.Process().memory_info().data + 2**28  # what this process has reserved, and a quarter of a GiB
    monkeypatch.setattr(memory, "available_memory", lambda: room)
    expected = one_line_error("out of memory with training.batch_size=1000000", "training.batch_size=500000")
    with expected, memory.bounded_memory():
        run("train.py", "", *shlex.split(shrink()), "training.batch_size=1000000")


@pytest.mark.parametrize("name", ["lerobot/nowhere", "no/such/folder", "datasets"])
def test_a_dataset_that_is_not_there_names_the_setting(here, name) -> None:
    with one_line_error(f"dataset_repo_id={name}", "set dataset_repo_id="):
        run("train.py", f"dataset_repo_id={name}", *shlex.split(shrink()))

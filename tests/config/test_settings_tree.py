"""Settings files of one's own: a tree beside ours, an experiment over it, and mistakes in them."""

from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.config.settings import CONFIGS, compose_settings
from omegaconf import OmegaConf

CHOICES = ["env=aloha_cube_state", "policy=act_state"]


def plain(path: str) -> dict:
    return OmegaConf.to_container(OmegaConf.load(CONFIGS / path))


def test_a_tree_of_ones_own_builds_on_ours(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("defaults: [default, override env: far, _self_]\nseed: 5\n")
    (tmp_path / "env").mkdir()
    (tmp_path / "env/far.yaml").write_text("# @package _global_\nfps: 50\nenv: {name: far, task: Far, state_dim: 3}\n")
    settings, _ = compose_settings(["policy=act_state", "policy.output_shapes={action: [2]}"], tmp_path, "mine")
    assert (settings.seed, settings.env.name) == (5, "far")
    assert settings.policy.input_shapes == {"observation.state": [3]}


@pytest.mark.parametrize("header", ["", "# @package _global_\n"])
def test_files_of_a_group_need_no_package_line(tmp_path, header) -> None:
    write_guide_tree(tmp_path / "configs", header)
    settings, _ = compose_settings([], tmp_path / "configs/experiment", "my_experiment")
    assert (settings.env.name, settings.policy.name, settings.fps) == ("my_env", "my_policy", 25)


def write_guide_tree(configs: Path, header: str = "") -> None:
    """A user's env, policy and experiment files, as in guide 2.6."""
    for group in ("env", "policy", "experiment"):
        (configs / group).mkdir(parents=True)
    (configs / "env/my_env.yaml").write_text(
        f"{header}fps: 25\nenv:\n  name: my_env\n  task: MyTask-v0\n  state_dim: 10\n  action_dim: 5\n"
        "  fps: ${fps}\n  episode_length: 200\n"
    )
    (configs / "policy/my_policy.yaml").write_text(f"{header}policy:\n  name: my_policy\n")
    (configs / "experiment/my_experiment.yaml").write_text(
        f"{header}defaults:\n  - /env: my_env\n  - /policy: my_policy\n  - _self_\nseed: 42\n"
        "training: {offline_steps: 7, eval_freq: 0, save_freq: 7, batch_size: 16, lr: 5e-5}\neval: {n_episodes: 100}\n"
    )


def test_an_experiment_file_lies_over_default_env_and_policy(tmp_path) -> None:
    write_guide_tree(tmp_path / "configs")
    settings, run_dir = compose_settings(["seed=43"], tmp_path / "configs/experiment", "my_experiment")
    assert (settings.seed, settings.eval.n_episodes, settings.training.lr) == (43, 100, 5e-5)
    assert settings.training.log_freq == plain("default.yaml")["training"]["log_freq"]
    assert run_dir.name.endswith("_my_env_my_policy_default")


def test_an_experiment_file_may_lie_anywhere(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("defaults:\n- /env: aloha_state\n- /policy: act_state\n- _self_\nseed: 3\n")
    settings, _ = compose_settings([], tmp_path, "mine")
    assert (settings.env.task, settings.seed) == ("AlohaInsertion-v0", 3)


def test_config_path_is_looked_for_here_and_beside_our_tree(tmp_path, monkeypatch) -> None:
    assert compose_settings([*CHOICES, "seed=1"], "configs")[0].seed == 1
    monkeypatch.chdir(tmp_path)
    write_guide_tree(tmp_path / "configs")
    assert compose_settings([], "configs/experiment", "my_experiment")[0].seed == 42
    with one_line_error("nowhere", "--config-path"):
        compose_settings([], "nowhere", "my_experiment")


@pytest.mark.parametrize("line", ["training: {learning_rate: 1}", "polic: {dim_model: 2}", "policy: {dim_mode: 2}"])
def test_a_key_mistyped_in_an_experiment_file_is_reported(tmp_path, line) -> None:
    defaults = "defaults:\n- /env: aloha_state\n- /policy: act_state\n- _self_\nseed: 3\n"
    (tmp_path / "mine.yaml").write_text(f"{defaults}{line}\n")
    key = f"{line.split(':')[0]}.{line.split('{')[1].split(':')[0]}"
    with one_line_error("unknown setting", key):
        compose_settings([], tmp_path, "mine")


@pytest.mark.parametrize("defaults", ["[mine, _self_]", "[_self_, other]"])
def test_a_file_in_its_own_defaults_is_reported(tmp_path, defaults) -> None:
    (tmp_path / "mine.yaml").write_text(f"defaults: {defaults}\nseed: 1\n")
    (tmp_path / "other.yaml").write_text("defaults: [mine, _self_]\n")
    with one_line_error("mine.yaml", "lead back to itself"):
        compose_settings([], tmp_path, "mine")

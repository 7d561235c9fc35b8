"""Checkpoints: what is loaded acts as what was saved; one line for what is damaged, foreign or not there."""

import pytest
import torch
from conftest import one_line_error, tiny_settings
from demo_score.config.settings import to_yaml
from demo_score.policies import make_policy
from demo_score.policies.checkpoints import check_run_dir, load_policy, read_checkpoint_settings, save_checkpoint
from demo_score.training.steps import saved_steps


def test_checkpoints_are_saved_every_save_freq_and_at_the_end() -> None:
    assert saved_steps(tiny_settings()) == [5, 10, 12]
    assert saved_steps(tiny_settings("training.save_freq=6")) == [6, 12]
    assert saved_steps(tiny_settings("training.save_freq=100")) == [12]


def test_checkpoint_acts_as_the_policy_that_was_saved(tmp_path) -> None:
    settings, policy = tiny_settings(), make_policy(tiny_settings()).eval()
    policy.normalization.action_mean.fill_(3.0)
    save_checkpoint(tmp_path, policy, settings)
    assert read_checkpoint_settings(tmp_path, []) == settings
    loaded = load_policy(tmp_path, settings, torch.device("cpu"))
    inputs = {"observation.state": torch.randn(2, 1, 14), "observation.environment_state": torch.randn(2, 1, 7)}
    for each in (policy, loaded):
        each.reset([0, 1])
    assert not loaded.training
    assert torch.equal(policy.act(inputs), loaded.act(inputs))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_damaged_weights_are_reported(tmp_path, share) -> None:
    save_checkpoint(tmp_path, make_policy(tiny_settings()), tiny_settings())
    path = tmp_path / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with one_line_error(tmp_path, "damaged"):
        load_policy(tmp_path, tiny_settings(), torch.device("cpu"))


def test_weights_of_another_policy_are_reported(tmp_path) -> None:
    save_checkpoint(tmp_path, make_policy(tiny_settings()), tiny_settings())
    (tmp_path / "settings.yaml").write_text(to_yaml(tiny_settings("policy.dim_model=32")))
    with one_line_error(tmp_path, "another policy"):
        load_policy(tmp_path, tiny_settings("policy.dim_model=32"), torch.device("cpu"))


def test_an_override_that_the_weights_do_not_fit_is_named(tmp_path) -> None:
    save_checkpoint(tmp_path, make_policy(tiny_settings()), tiny_settings())
    with one_line_error("policy.dim_model=32: the checkpoint has 16"):
        load_policy(tmp_path, tiny_settings("policy.dim_model=32"), torch.device("cpu"))


def test_a_finished_training_is_not_overwritten_by_another(tmp_path) -> None:
    save_checkpoint(tmp_path / "checkpoints/000012", make_policy(tiny_settings()), tiny_settings())
    check_run_dir(tmp_path, tiny_settings("training.lr=5e-4"))  # not finished
    (tmp_path / "metrics.csv").write_text("step\n")
    check_run_dir(tmp_path, tiny_settings("resume=false"))
    check_run_dir(tmp_path / "elsewhere", tiny_settings("training.lr=5e-4"))
    with one_line_error(tmp_path, "training.lr=0.0005: the checkpoint has 0.001", "another hydra.run.dir"):
        check_run_dir(tmp_path, tiny_settings("training.lr=5e-4"))


def test_folder_that_is_no_checkpoint_is_reported(tmp_path) -> None:
    with one_line_error(tmp_path, "not a checkpoint", "checkpoints/003000"):
        read_checkpoint_settings(tmp_path, [])
    with one_line_error("model.safetensors"):
        read_checkpoint_settings(tmp_path / "gone", [])
    (tmp_path / "model.safetensors").write_text("")
    with one_line_error(tmp_path, "no settings.yaml", "checkpoints/003000"):
        read_checkpoint_settings(tmp_path, [])


def test_weights_that_are_no_numbers_are_reported(tmp_path) -> None:
    settings = tiny_settings()
    policy = make_policy(settings)
    next(policy.parameters()).data.fill_(float("nan"))
    save_checkpoint(tmp_path, policy, settings)
    with one_line_error(tmp_path, "NaN"):
        load_policy(tmp_path, settings, torch.device("cpu"))

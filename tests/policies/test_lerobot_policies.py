"""Policies that lerobot made act here as there, and ours as it would have them; tests/peers asks lerobot itself."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import one_line_error
from demo_score.config.checkpoint_names import checkpoint_name
from demo_score.policies.checkpoints import load_policy, read_checkpoint_settings, save_checkpoint
from demo_score.policies.exporting import export_policy
from demo_score.policies.lerobot.folder import LeRobotFolder, write_folder
from lerobot_policies import IMAGES, OURS, RECORDED, actions_of, difference, draws_of, our_policy, our_settings
from places import TESTS
from policy_settings import random_observations
from safetensors.torch import load_file, save_file

STORED = TESTS / "data/lerobot_policies"
CPU = torch.device("cpu")


@pytest.fixture(params=["act", "diffusion"])
def stored(request, tmp_path) -> Path:
    return shutil.copytree(STORED / request.param, tmp_path / "checkpoints/000050/pretrained_model")


def changed(folder: Path, file: str, **values: object) -> Path:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def test_a_policy_of_lerobot_s_does_here_what_it_does_there(stored) -> None:
    assert difference(stored) <= 1e-5
    assert checkpoint_name(stored) == checkpoint_name(stored.parent) == "000050"
    assert read_checkpoint_settings(stored.parent, RECORDED) == read_checkpoint_settings(stored, RECORDED)


@pytest.mark.parametrize("policy", OURS)
def test_what_is_exported_and_opened_again_acts_alike(policy, tmp_path) -> None:
    settings = our_settings(policy)
    ours = our_policy(settings)
    save_checkpoint(tmp_path / "000001", ours, settings)
    export_policy(tmp_path / "000001", tmp_path / "out")
    images = IMAGES if settings.policy.get("vision_backbone") else []
    again = load_policy(tmp_path / "out", read_checkpoint_settings(tmp_path / "out", [*RECORDED, *images]), CPU)
    observations, draws = random_observations(settings, 3), draws_of(ours, 3)
    wanted = actions_of(ours, observations, draws)
    torch.testing.assert_close(actions_of(again, observations, draws), wanted, atol=2e-5, rtol=0)


def test_settings_of_the_policy_may_be_changed_where_weights_allow(stored) -> None:
    settings = read_checkpoint_settings(stored, [*RECORDED, "policy.n_action_steps=2"])
    assert settings.policy.n_action_steps == 2 and settings.seed == 1 and settings.env.name == "recorded"
    with one_line_error(stored, "policy=NAME"):
        read_checkpoint_settings(stored, [*RECORDED, "policy=act"])


def test_an_environment_must_be_chosen_and_show_what_the_policy_sees(stored) -> None:
    with one_line_error(stored, "add env=NAME"):
        read_checkpoint_settings(stored, ["seed=1"])
    with one_line_error(stored, "observation.state is [3]", "[5] in env"):
        read_checkpoint_settings(stored, [*RECORDED, "env.state_dim=5"])
    with one_line_error(stored, "sees observation.environment_state", "env shows observation.state"):
        read_checkpoint_settings(stored, ["env=recorded", "env.state_dim=3", "env.action_dim=2", "seed=1"])


def test_observations_that_are_renamed_come_under_the_robot_s_names(stored) -> None:
    file = "policy_preprocessor.json"
    steps = json.loads((stored / file).read_text())["steps"]
    steps[0]["config"]["rename_map"] = {"observation.joints": "observation.state"}
    policy = LeRobotFolder(changed(stored, file, steps=steps)).policy_settings()
    assert set(policy["input_shapes"]) == {"observation.joints", "observation.environment_state"}


@pytest.mark.parametrize("key", ["resize_shape", "optimizer_lr", "a_new_option"])
def test_what_only_lerobot_can_do_goes_through_it(stored, key) -> None:
    reason = LeRobotFolder(changed(stored, "config.json", **{key: [32, 32]})).why_not_ours()
    assert reason == ("" if key == "optimizer_lr" else f"{key}=[32, 32]")


def test_a_processor_that_is_not_ours_goes_through_lerobot(stored) -> None:
    steps = [{"registry_name": "relative_action_processor", "config": {}}]
    assert LeRobotFolder(changed(stored, "policy_preprocessor.json", steps=steps)).why_not_ours() == (
        "a processor relative_action_processor"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["policy.actions_per_query=2"], "policy.actions_per_query=2: train with 1"),
        (["policy.sample_latent=true"], "policy.sample_latent=true: train with false"),
        (["policy.vision_backbone=small_cnn"], "policy.vision_backbone=small_cnn: train with resnet18"),
        (["policy.input_shapes={observation.state: [3]}"], "alone: train with observation.environment_state"),
    ],
)
def test_what_lerobot_has_no_counterpart_for_is_told_before_anything_is_written(changes, told, tmp_path) -> None:
    settings = our_settings("act" if "backbone" in told else "act_state", *changes)
    with one_line_error("LeRobot has no counterpart for", told):
        write_folder(tmp_path / "out", our_policy(settings), settings)
    assert not (tmp_path / "out").exists()


def test_a_u_net_that_lerobot_s_is_not_is_told() -> None:
    settings = our_settings("diffusion_state", "policy.n_groups=4")
    with one_line_error("policy.n_groups=4"):
        write_folder(Path("nowhere"), our_policy(settings), settings)


def test_missing_and_damaged_files_are_one_line(stored) -> None:
    (stored / "policy_postprocessor_step_0_unnormalizer_processor.safetensors").write_bytes(b"short")
    with one_line_error("unnormalizer_processor.safetensors", "damaged"):
        LeRobotFolder(stored).policy_settings()
    (stored / "policy_postprocessor.json").unlink()
    with one_line_error("has no policy_postprocessor.json", "migrate_policy_normalization"):
        read_checkpoint_settings(stored, RECORDED)
    (stored / "model.safetensors").unlink()
    (stored / "pytorch_model.bin").write_bytes(b"")
    with one_line_error("has no model.safetensors", "pytorch_model.bin is a pickle"):
        read_checkpoint_settings(stored, RECORDED)
    (stored / "config.json").write_text("{")
    with one_line_error("config.json", "no JSON"):
        read_checkpoint_settings(stored, RECORDED)


def test_weights_of_another_policy_are_told(stored) -> None:
    settings = read_checkpoint_settings(stored, RECORDED)
    state = load_file(stored / "model.safetensors")
    save_file({**state, "model.extra": torch.zeros(1)}, stored / "model.safetensors")
    with one_line_error("model.extra"):
        load_policy(stored, settings, CPU)
    save_file(dict(list(state.items())[1:]), stored / "model.safetensors")
    with one_line_error("lacks"):
        load_policy(stored, settings, CPU)


def test_only_a_checkpoint_of_ours_is_exported(stored, tmp_path) -> None:
    with one_line_error(stored, "LeRobot's own already"):
        export_policy(stored, tmp_path / "out")
    with one_line_error("not a checkpoint"):
        export_policy(tmp_path, tmp_path / "out")

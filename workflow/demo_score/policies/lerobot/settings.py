"""Settings of a run with a policy that LeRobot stored: its own of the policy, and those of the command line."""

import json
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from demo_score.config.settings import compose_settings
from demo_score.observations import IMAGE, observation_shapes
from demo_score.policies.lerobot.folder import LeRobotFolder
from demo_score.policies.lerobot.process import NAME
from demo_score.runtime.errors import UserError

# What the weights of a policy do not depend on.
ACTING = ["n_action_steps", "dropout", "kl_weight", "kl_free_nats", "sample_latent", "temporal_ensemble_coeff"]
ACTING += ["num_inference_steps", "do_mask_loss_for_padding", "crop_is_random", "pretrained_backbone_weights"]


def settings_of(folder: LeRobotFolder, overrides: list[str], why_not_ours: str = "") -> DictConfig:
    """Settings of the folder's policy in the environment that `overrides` choose, with what else they change.

    It becomes ours where it can, unless `why_not_ours` gives a reason to leave it to LeRobot's own process. Raises
    UserError where they choose none, and where the policy sees what that environment does not show.
    """
    changed = {override.lstrip("+~").partition("=")[0] for override in overrides}
    if "env" not in changed:
        raise UserError(f"{folder.folder}: a policy of LeRobot, which says not where to try it; add env=NAME")
    if "policy" in changed:
        raise UserError(f"{folder.folder}: has a policy of its own; leave policy=NAME out")
    if reason := why_not_ours or folder.why_not_ours():
        return _foreign(folder, reason, overrides, changed)
    policy = folder.policy_settings()
    base = policy["name"] if any(key.startswith(IMAGE) for key in policy["input_shapes"]) else f"{policy['name']}_state"
    plain = [f"policy.{key}={json.dumps(value)}" for key, value in policy.items() if not isinstance(value, dict)]
    settings, _ = compose_settings([f"policy={base}", *plain, *overrides])
    with open_dict(settings):
        for key, value in policy.items():
            if isinstance(value, dict) and not any(name.startswith(f"policy.{key}") for name in changed):
                settings.policy[key] = value
    _check_observed(policy["input_shapes"], OmegaConf.to_container(settings.env), folder)
    return settings


def check_same(folder: LeRobotFolder, settings: DictConfig) -> None:
    """Raise UserError where the folder's weights are of another policy than that of `settings`."""
    if reason := folder.why_not_ours():
        raise UserError(f"{folder.folder}: only LeRobot itself can train this policy ({reason}); use lerobot-train")
    theirs, ours = folder.policy_settings(), OmegaConf.to_container(settings.policy)
    for key, value in theirs.items():
        if not isinstance(value, str | dict) and key not in ACTING and ours.get(key) != value:
            raise UserError(f"policy.{key}={ours.get(key)}: {folder.folder} has {value}; set that")
    for key in ("name", "input_shapes", "output_shapes"):
        if ours[key] != theirs[key]:
            raise UserError(
                f"policy.{key} is {ours[key]}, and of {folder.folder} {theirs[key]}; set env, policy to match"
            )


def _foreign(folder: LeRobotFolder, reason: str, overrides: list[str], changed: set[str]) -> DictConfig:
    """Of a policy that LeRobot itself runs."""
    if own := sorted(key for key in changed if key.startswith("policy.") and key != "policy.task"):
        raise UserError(f"{own[0]}: {folder.folder} runs through LeRobot, by its own config.json; change it there")
    policy = folder.features() | {
        "name": NAME,
        "path": str(folder.folder),
        "reason": reason,
        "n_obs_steps": 1,
        "n_action_steps": folder.config.get("n_action_steps") or 1,
    }
    images = any(key.startswith(IMAGE) for key in policy["input_shapes"])
    settings, _ = compose_settings([f"policy=act{'' if images else '_state'}", *overrides])
    with open_dict(settings):
        settings.policy = policy | ({"task": settings.policy.task} if "task" in settings.policy else {})
    _check_observed(policy["input_shapes"], OmegaConf.to_container(settings.env), folder)
    return settings


def _check_observed(shapes: Mapping[str, list[int]], env: Mapping[str, Any], folder: LeRobotFolder) -> None:
    shown = observation_shapes(env)
    for key, shape in shapes.items():
        if key not in shown:
            raise UserError(
                f"{folder.folder}: sees {key}; env shows {', '.join(shown)}; set env.obs_type or env.cameras"
            )
        if shown[key] != shape:
            setting = "env.image_size" if key.startswith(IMAGE) else "env to the robot that it was trained on"
            raise UserError(f"{folder.folder}: {key} is {shape} in config.json and {shown[key]} in env; set {setting}")

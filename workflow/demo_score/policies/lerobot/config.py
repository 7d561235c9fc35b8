"""LeRobot's config.json of a policy, and the settings `policy` that are the same.

Source: lerobot 0.6.1, configuration_act.py, configuration_diffusion.py and configs/policies.py.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from demo_score.observations import ACTION, ENVIRONMENT_STATE, IMAGE, STATE
from demo_score.policies.normalization import PIXELS
from demo_score.policies.vision import SMALL_CNN
from demo_score.runtime.errors import UserError

BOTH = ["n_obs_steps", "n_action_steps", "vision_backbone", "pretrained_backbone_weights"]
FIELDS = {  # policy -> what is called the same, and means the same, there and here
    "act": [
        *BOTH,
        *["chunk_size", "replace_final_stride_with_dilation", "pre_norm", "dim_model", "n_heads", "dim_feedforward"],
        *["feedforward_activation", "n_encoder_layers", "n_decoder_layers", "use_vae", "latent_dim"],
        *["n_vae_encoder_layers", "temporal_ensemble_coeff", "dropout", "kl_weight"],
    ],
    "diffusion": [
        *BOTH,
        *["horizon", "crop_shape", "crop_is_random", "use_group_norm", "spatial_softmax_num_keypoints", "down_dims"],
        *["kernel_size", "n_groups", "diffusion_step_embed_dim", "use_film_scale_modulation", "noise_scheduler_type"],
        *["num_train_timesteps", "beta_schedule", "beta_start", "beta_end", "prediction_type", "clip_sample"],
        *["clip_sample_range", "num_inference_steps", "do_mask_loss_for_padding"],
    ],
}
# What the weights do not depend on: training, the hub, where and how it is computed.
WITHOUT_EFFECT = ["type", "device", "use_amp", "push_to_hub", "repo_id", "private", "tags", "license"]
WITHOUT_EFFECT += ["pretrained_path", "pretrained_revision", "compile_model", "compile_mode", "gradient_checkpointing"]
WITHOUT_EFFECT += ["drop_n_last_frames", "scheduler_name", "scheduler_warmup_steps", "crop_ratio"]
FEATURES = ["input_features", "output_features", "normalization_mapping"]
GROUPS = 8  # of its U-Net's last block, whatever n_groups says of the others
# What LeRobot has and we have not, and the value at which it does nothing.
NOT_OURS = {"use_peft": False, "resize_shape": None}
KINDS = {STATE: "STATE", ENVIRONMENT_STATE: "ENV"}  # of observations; images are VISUAL


def to_config(settings: DictConfig) -> dict[str, Any]:
    """config.json of a policy of ours. Raises UserError for what LeRobot's has no counterpart for."""
    policy = OmegaConf.to_container(settings.policy)
    if policy["name"] not in FIELDS:
        raise UserError(f"policy={policy['name']}: LeRobot has no such policy; it has {', '.join(FIELDS)}")
    for problem in _without_counterpart(policy):
        raise UserError(f"LeRobot has no counterpart for {problem}")
    training = settings.training
    shared = {name: policy[name] for name in FIELDS[policy["name"]] if name in policy}
    if policy["name"] == "diffusion":
        shared["use_separate_rgb_encoder_per_camera"] = False
        shared["drop_n_last_frames"] = training.drop_n_last_frames
    else:
        shared["optimizer_lr_backbone"] = training.lr if training.lr_backbone is None else training.lr_backbone
    return {
        "type": policy["name"],
        "input_features": {
            key: {"type": kind_of(key), "shape": shape} for key, shape in policy["input_shapes"].items()
        },
        "output_features": {ACTION: {"type": "ACTION", "shape": policy["output_shapes"][ACTION]}},
        "device": "cpu",
        "use_amp": settings.use_amp,
        **shared,
        "optimizer_lr": training.lr,
        "optimizer_weight_decay": training.weight_decay,
    }


def kind_of(key: str) -> str:
    """LeRobot's type of a feature."""
    return "ACTION" if key == ACTION else KINDS.get(key, "VISUAL")


def _without_counterpart(policy: Mapping[str, Any]) -> Iterator[str]:
    """What LeRobot's policy of the same name cannot be told, and what to train instead."""
    shapes = policy["input_shapes"]
    vectors = [key for key, shape in shapes.items() if len(shape) == 1]
    images = {tuple(shape) for shape in shapes.values() if len(shape) == 3}
    if (n := policy.get("actions_per_query", 1)) > 1:
        yield f"policy.actions_per_query={n}: train with 1"
    if policy.get("sample_latent"):
        yield "policy.sample_latent=true: train with false"
    if others := [key for key in vectors if key not in KINDS]:
        yield f"an observation {others[0]}: train without it"
    if STATE not in vectors:
        yield f"a policy that does not see {STATE}: train with it"
    if vectors == [STATE] and not images:
        yield f"a policy that sees {STATE} alone: train with {ENVIRONMENT_STATE}, or images, beside it"
    if vectors != [key for key in KINDS if key in vectors]:
        yield f"policy.input_shapes with {', '.join(vectors)} in this order: train with {', '.join(KINDS)}"
    if policy.get("vision_backbone") == SMALL_CNN:
        yield f"policy.vision_backbone={SMALL_CNN}: train with resnet18"
    if PIXELS in policy["input_normalization_modes"].values():
        yield f"policy.input_normalization_modes with {PIXELS}: train with mean_std"
    if len(images) > 1:
        yield "images of several sizes: train on images of one"
    if policy.get("n_groups", GROUPS) != GROUPS:
        yield f"policy.n_groups={policy['n_groups']} in all of the U-Net: train with {GROUPS}"
    if policy.get("horizon", 0) % 2 ** len(policy.get("down_dims", [])):
        yield f"policy.horizon={policy['horizon']}: train with a multiple of 2 for each of policy.down_dims"


def from_config(config: Mapping[str, Any], images: bool, path: object) -> dict[str, Any]:
    """The settings `policy` that say the same as config.json, beside the features; `images`: those that it sees count.

    For one of which `why_not_ours` says nothing. Raises UserError for a file that lacks what it needs.
    """
    name = config["type"]
    if missing := [field for field in FIELDS[name] if field not in config and field not in _OF_IMAGES]:
        raise UserError(f"{path}: lacks {missing[0]}, which LeRobot 0.6.1 writes; train or export it with that version")
    fields = {field: config[field] for field in FIELDS[name] if field in config}
    if not images:
        fields = {field: value for field, value in fields.items() if field not in _OF_IMAGES}
    fields |= {"pretrained_backbone_weights": None} if images else {}  # the checkpoint has them
    fields |= {"actions_per_query": 1, "sample_latent": False, "kl_free_nats": 0.0} if name == "act" else {}
    return {"name": name, **fields}


def features_of(config: Mapping[str, Any], path: object) -> dict[str, Any]:
    """Shapes of what the policy sees, vectors before images, and of what it gives. Raises UserError for none."""
    inputs, outputs = (_shapes(config, name, path) for name in ("input_features", "output_features"))
    if list(outputs) != [ACTION]:
        raise UserError(f"{path}: gives {', '.join(outputs)}; a policy here gives {ACTION} alone")
    order = [*(key for key in KINDS if key in inputs), *(key for key in inputs if key not in KINDS)]
    return {"input_shapes": {key: inputs[key] for key in order}, "output_shapes": outputs}


_OF_IMAGES = ["vision_backbone", "pretrained_backbone_weights", "replace_final_stride_with_dilation"]
_OF_IMAGES += ["crop_shape", "crop_is_random", "use_group_norm", "spatial_softmax_num_keypoints"]


def why_not_ours(config: Mapping[str, Any]) -> str:
    """Why there are no settings here that say the same as config.json; empty: there are."""
    name = config.get("type")
    if name not in FIELDS:
        return f"type {name}"
    inputs = config.get("input_features") or {}
    images = [key for key in inputs if key not in KINDS]
    if several := name == "diffusion" and config.get("use_separate_rgb_encoder_per_camera") and len(images) > 1:
        return f"use_separate_rgb_encoder_per_camera={several} with {len(images)} cameras"
    if name == "act" and config.get("use_vae") and STATE not in inputs:
        return f"use_vae without {STATE}"
    if strange := [key for key in images if not key.startswith(IMAGE)]:
        return f"an observation {strange[0]}"
    if name == "diffusion" and config.get("n_groups") != GROUPS:
        return f"n_groups={config.get('n_groups')}"
    changed = [key for key, off in NOT_OURS.items() if config.get(key, off) != off]
    known = {*FIELDS[name], *WITHOUT_EFFECT, *FEATURES, *NOT_OURS, "use_separate_rgb_encoder_per_camera"}
    changed += [key for key in config if key not in known and not key.startswith("optimizer_")]
    return f"{changed[0]}={config[changed[0]]}" if changed else ""


def _shapes(config: Mapping[str, Any], name: str, path: object) -> dict[str, list[int]]:
    if not isinstance(features := config.get(name), dict) or not features:
        raise UserError(f"{path}: has no {name}; -p takes the pretrained_model folder of a trained LeRobot policy")
    shapes = {key: feature.get("shape") if isinstance(feature, dict) else None for key, feature in features.items()}
    for key, shape in shapes.items():
        if not isinstance(shape, list) or not shape or not all(isinstance(size, int) and size > 0 for size in shape):
            raise UserError(f"{path}: {key} has no shape; train or export the policy with LeRobot 0.6.1")
    return shapes

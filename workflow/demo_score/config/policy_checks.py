"""What the settings `policy` must be, each by itself and to one another. Needs no torch: checked before all else."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from demo_score.config.schema import check_against
from demo_score.observations import STATE
from demo_score.runtime.errors import UserError

POLICY_SCHEMA = Path(__file__).resolve().parents[2] / "schemas/policy.schema.yaml"
REDUCTION = 32  # pixels of the image a pixel of a backbone's last feature map, in each direction
Policy = Mapping[str, Any]


def check_policy(policy: Policy) -> None:
    """Raise UserError for the first setting of `policy` that is out of range or does not go with others.

    `policy` holds plain values, as OmegaConf.to_container gives them; those of a policy that is not ours are free.
    """
    check_against({"policy": policy}, POLICY_SCHEMA, "settings")
    for problem in POLICY_CHECKS.get(policy["name"], lambda _: iter(()))(policy):
        raise UserError(f"settings: {problem}")


def _check_act(policy: Policy) -> Iterator[str]:
    chunk, group, actions = policy["chunk_size"], policy["actions_per_query"], policy["n_action_steps"]
    dim, heads = policy["dim_model"], policy["n_heads"]
    if chunk % group:
        yield f"policy.actions_per_query={group} must divide policy.chunk_size={chunk}"
    if actions > chunk:
        yield f"policy.n_action_steps={actions} must lie between 1 and policy.chunk_size={chunk}"
    if policy["use_vae"] and STATE not in (policy.get("input_shapes") or [STATE]):
        yield f"policy.use_vae needs {STATE} in policy.input_shapes; add it or set policy.use_vae=false"
    if policy["n_obs_steps"] != 1:
        yield f"policy.n_obs_steps={policy['n_obs_steps']}: ACT looks at one observation; set 1"
    if dim % heads or dim % 4:
        yield f"policy.dim_model={dim} must be a multiple of 4 and of policy.n_heads={heads}"
    if policy["temporal_ensemble_coeff"] is not None and actions != 1:
        yield "policy.temporal_ensemble_coeff needs policy.n_action_steps=1: it looks at every step"


def _check_diffusion(policy: Policy) -> Iterator[str]:
    horizon, actions, seen = policy["horizon"], policy["n_action_steps"], policy["n_obs_steps"]
    shrinks = 2 ** (len(policy["down_dims"]) - 1)
    if horizon % shrinks:
        yield f"policy.horizon={horizon} must be a multiple of {shrinks}: each policy.down_dims but one halves it"
    if actions > horizon - seen + 1:
        yield f"policy.n_action_steps={actions} must lie between 1 and policy.horizon - policy.n_obs_steps + 1"
    if policy["kernel_size"] % 2 == 0:
        yield f"policy.kernel_size={policy['kernel_size']} must be odd"
    if any(dim % policy["n_groups"] for dim in policy["down_dims"]):
        yield f"policy.n_groups={policy['n_groups']} must divide every entry of policy.down_dims"
    if policy["diffusion_step_embed_dim"] % 2:
        yield f"policy.diffusion_step_embed_dim={policy['diffusion_step_embed_dim']} must be even"
    if policy["beta_start"] > policy["beta_end"]:
        yield f"policy.beta_start={policy['beta_start']} must not be above policy.beta_end={policy['beta_end']}"
    if (policy["num_inference_steps"] or 1) > policy["num_train_timesteps"]:
        yield "policy.num_inference_steps must lie between 1 and policy.num_train_timesteps"
    yield from _check_crops(policy)


def _check_crops(policy: Policy) -> Iterator[str]:
    images = {key: shape[1:] for key, shape in (policy.get("input_shapes") or {}).items() if len(shape) == 3}
    crop = policy.get("crop_shape")
    for key, image in images.items():
        seen = crop or image
        if seen[0] > image[0] or seen[1] > image[1]:
            yield f"policy.crop_shape={seen} is larger than {key}, {image}; set a smaller one, or null"
        if min(seen) <= REDUCTION:
            yield f"{key}: keypoints need more than {REDUCTION} pixels a side, not {seen}"
    if images and policy.get("use_group_norm") and policy.get("pretrained_backbone_weights") is not None:
        yield "policy.pretrained_backbone_weights come with batch norm; set policy.use_group_norm=false"


POLICY_CHECKS: dict[str, Callable[[Policy], Iterator[str]]] = {"act": _check_act, "diffusion": _check_diffusion}

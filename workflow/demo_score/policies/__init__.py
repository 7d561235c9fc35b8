"""Policies: from observations to chunks of actions. One interface for training, rollouts and checkpoints.

A policy is a torch module (base.Policy) with
    loss(batch) -> (scalar tensor, {name: detached scalar})   batch: see data/chunks.py
    act(observations) -> (B, n_action_steps, action_dim)      observations: key -> (B, n_obs_steps, ...) float32
    reset(seeds) -> None                                      before each batch of episodes, with their seeds
    action_offsets(policy settings) -> range                  which steps, relative to now, a batch's actions cover
    chunk(observations, draw (B, *draw_shape) or None) -> (B, L, action_dim)   normalised; None: the draw's mean
    embedding(observations) -> (B, width)                     what it makes of an observation
    output(batch and output_draws(n, generator)) -> (B,)      whose gradients tell influence (methods/influence.py)
    parameter_groups(training settings) -> list[dict]         for the optimiser
    normalization: Normalization                              whose statistics training sets
All randomness of `act` follows from the seeds, each episode's from its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.overrides import TorchFunctionMode

from demo_score.config.checks import check_policy
from demo_score.policies.act import ACT
from demo_score.policies.base import Policy
from demo_score.policies.diffusion import DiffusionPolicy
from demo_score.policies.vision import load_pretrained
from demo_score.runtime.errors import UserError
from demo_score.runtime.memory import available_memory

POLICIES: dict[str, type[Policy]] = {"act": ACT, "diffusion": DiffusionPolicy}


def make_policy(settings: DictConfig, pretrained: bool = False) -> Policy:
    """Build the policy that `settings.policy` describes, untrained, with identity normalisation.

    `pretrained`: fetch policy.pretrained_backbone_weights, if any; for a policy that is going to be trained, not
    for one whose weights a checkpoint holds. Raises UserError for settings that make none.
    """
    check_policy(OmegaConf.to_container(settings.policy, resolve=True))
    policy = policy_class(settings)(settings.policy)
    if pretrained and policy.backbone is not None and settings.policy.pretrained_backbone_weights is not None:
        load_pretrained(policy.backbone, settings.policy.pretrained_backbone_weights)
    return policy


def check_memory(settings: DictConfig, device: torch.device) -> None:
    """Raise UserError where a policy of these settings cannot be trained in the memory of `device`.

    A lower bound: the weights, their gradient and AdamW's two means, all float32. Nothing is built for it.
    """
    check_policy(OmegaConf.to_container(settings.policy, resolve=True))
    n = sum(parameter.numel() for parameter in _without_weights(settings).parameters())
    there = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else available_memory()
    if (needed := 4 * 4 * n) > there:
        raise UserError(
            f"out of memory: a policy of these sizes has {n:,} weights, to train them takes {needed / 2**30:,.0f} GiB, "
            f"and there are {there / 2**30:,.0f}; set smaller sizes under policy"
        )


def weight_shapes(settings: DictConfig) -> dict[str, torch.Size]:
    """The names and shapes of what a checkpoint of these settings holds. Nothing is built for it."""
    return {name: tensor.shape for name, tensor in _without_weights(settings).state_dict().items()}


def _without_weights(settings: DictConfig) -> Policy:
    """The policy, whose tensors have shapes and no memory."""
    with torch.device("meta"), _Unfilled():
        return policy_class(settings)(settings.policy)


class _Unfilled(TorchFunctionMode):
    """No weights are drawn: without memory for them torch would import its compiler for that, a second long."""

    def __torch_function__(
        self, function: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if function in (Tensor.uniform_, Tensor.normal_):
            return args[0]
        return (torch.empty if function is torch.randn else function)(*args, **kwargs or {})


def action_offsets(settings: DictConfig) -> range:
    """Which steps, relative to now, the actions of a training batch cover."""
    return policy_class(settings).action_offsets(settings.policy)


def policy_class(settings: DictConfig) -> type[Policy]:
    """The class that policy.name names."""
    name = settings.policy.name
    if name not in POLICIES:
        raise UserError(f"policy.name={name}: no such policy; there are {', '.join(sorted(POLICIES))}")
    return POLICIES[name]

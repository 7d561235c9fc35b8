"""Policies: from observations to chunks of actions. One interface for training, rollouts and checkpoints.

A policy is a torch module with
    loss(batch) -> (scalar tensor, {name: detached scalar})   batch: see data/chunks.py
    act(observations) -> (B, n_action_steps, action_dim)      observations: key -> (B, ...) float32, raw units
    normalization: Normalization                              whose statistics training sets
    reset(seeds) -> None                                      before each batch of episodes, with their seeds
"""

from omegaconf import DictConfig
from torch import nn

from demo_score.errors import UserError
from demo_score.policies.act import ACT

POLICIES: dict[str, type[nn.Module]] = {"act": ACT}


def make_policy(settings: DictConfig) -> nn.Module:
    """Build the policy that `settings.policy` describes, untrained, with identity normalisation."""
    name = settings.policy.name
    if name not in POLICIES:
        raise UserError(f"policy.name={name}: no such policy; there are {', '.join(sorted(POLICIES))}")
    return POLICIES[name](settings.policy)

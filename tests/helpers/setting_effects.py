"""Whether another value of a setting leads to another behaviour."""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from demo_score.config.reference import read_settings_file
from demo_score.config.settings import compose_settings
from demo_score.config.tree import CONFIGS
from demo_score.runtime.errors import UserError
from guide import SMALL_IMAGES, SMALL_POLICY
from omegaconf import DictConfig

Probe = Callable[..., object]  # overrides -> what can be observed


def keys_of(*files: str) -> set[str]:
    return {setting.key for file in files for setting in read_settings_file(CONFIGS / file)}


def observed(probe: Probe, *overrides: str) -> object:
    """What a probe sees, or the error that it meets."""
    try:
        return probe(*overrides)
    except UserError as error:
        return f"error: {error}"


BASELINES: dict[object, object] = {}  # what is seen without the other value, once a probe


def assert_effective(probe: Probe, name: object, override: str) -> None:
    if name not in BASELINES:
        BASELINES[name] = observed(probe)
        assert observed(probe) == BASELINES[name], "the probe itself wavers"
    assert observed(probe, override) != BASELINES[name]


def digest(*values: object) -> str:
    content = hashlib.sha256()
    for value in values:
        if isinstance(value, torch.Tensor):
            value = value.detach().numpy()
        content.update(value.tobytes() if isinstance(value, np.ndarray) else str(value).encode())
    return content.hexdigest()


def composed_policy(policy: str, *overrides: str) -> DictConfig:
    env = {"act": "aloha", "diffusion": "pusht"}[policy.removesuffix("_state")]
    small = SMALL_POLICY[policy.removesuffix("_state")].split()
    if policy.endswith("_state"):
        small = [part for part in small if not part.startswith(("policy.pretrained", "policy.crop", "policy.spatial"))]
        return compose_settings([f"env={env}_state", f"policy={policy}", "seed=0", *small, *overrides])[0]
    return compose_settings(
        [f"env={env}", f"policy={policy}", "seed=0", *SMALL_IMAGES[env].split(), *small, *overrides]
    )[0]

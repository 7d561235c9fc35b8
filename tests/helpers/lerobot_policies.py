"""Policies of ours that LeRobot has counterparts for, and what they do; run by itself, for tests/peers.

lerobot_policies.py export FOLDER     each of them as LeRobot's folder, with answers.safetensors beside its files
lerobot_policies.py compare FOLDER    by how much a policy of LeRobot's does here otherwise than its answers say
"""

import sys
from pathlib import Path

import torch
from demo_score.config.settings import compose_settings
from demo_score.policies import make_policy
from demo_score.policies.base import Policy
from demo_score.policies.checkpoints import load_policy, read_checkpoint_settings
from demo_score.policies.lerobot.folder import write_folder
from omegaconf import DictConfig
from policy_settings import TINY_ACT, TINY_DIFFUSION, TINY_KEYPOINTS, random_observations
from safetensors.torch import load_file, save_file
from torch import Tensor

SIZES = ["env.state_dim=3", "env.environment_state_dim=2", "env.action_dim=2"]
RECORDED = ["env=recorded", "env.obs_type=environment_state_agent_pos", *SIZES, "training.eval_freq=0", "seed=1"]
ONE_EACH = ["policy.actions_per_query=1", "policy.chunk_size=6", "policy.n_action_steps=4"]
DDIM = ["policy.noise_scheduler_type=DDIM", "policy.num_inference_steps=5"]  # draws once, at the start
OURS = {
    "act_state": [*TINY_ACT, *ONE_EACH],
    "act": [*TINY_ACT, *ONE_EACH, "policy.pretrained_backbone_weights=null"],
    "diffusion_state": [*TINY_DIFFUSION, "policy.n_groups=8"],
    "diffusion": [*TINY_DIFFUSION, *TINY_KEYPOINTS, "policy.n_groups=8", *DDIM],
}
IMAGES = ["env.obs_type=pixels_agent_pos", "env.cameras=[top]", "env.image_size=[64,80]"]


def our_settings(policy: str, *changes: str) -> DictConfig:
    images = IMAGES if policy in ("act", "diffusion") else []
    sized = ["training.offline_steps=1", "training.save_freq=1", "training.batch_size=1", "training.lr=1e-4"]
    return compose_settings([*RECORDED, *images, f"policy={policy}", *OURS[policy], *sized, *changes])[0]


def our_policy(settings: DictConfig) -> Policy:
    """With random weights and statistics."""
    torch.manual_seed(3)
    policy = make_policy(settings).eval()
    for name, buffer in policy.normalization.named_buffers():
        if buffer.dim() == 1:
            buffer.copy_(torch.rand(len(buffer)) + 0.5 * name.endswith(("std", "range")))
    return policy


def draws_of(policy: Policy, n: int) -> Tensor:
    return torch.randn(n, *policy.draw_shape, generator=torch.Generator().manual_seed(4))


def actions_of(policy: Policy, observations: dict[str, Tensor], draws: Tensor) -> Tensor:
    with torch.no_grad():
        return policy.normalization.restore("action", policy.chunk(observations, draws))


def difference(folder: Path) -> float:
    """By how much a policy's actions are others than those in its answers.safetensors: a share of the largest action.

    Beyond four times what the last bit of the inputs decides of an observation's actions: there is one, of a Diffusion
    Policy that was trained for 50 steps, of which that is several times 1e-5.
    """
    answers = load_file(folder / "answers.safetensors")
    draws, actions = answers.pop("draws"), answers.pop("actions")
    images = [f"env.image_size={list(seen.shape[-2:])}" for key, seen in answers.items() if "images" in key]
    cameras = [*IMAGES[1:2], "env.obs_type=pixels_agent_pos", *images] if images else []
    overrides = [] if (folder / "settings.yaml").is_file() else [*RECORDED, *cameras]
    policy = load_policy(folder, read_checkpoint_settings(folder, overrides), torch.device("cpu"))
    assert len(actions) == 20 and actions.std() > 0.01
    ours = actions_of(policy, answers, draws)
    others = [actions_of(policy, {key: shaken(seen) for key, seen in answers.items()}, shaken(draws)) for _ in range(8)]
    undecided = torch.stack([(other - ours).abs() for other in others]).amax((0, 2, 3))
    beyond = (ours - actions).abs().amax((1, 2)) - 4 * undecided
    return (beyond.max().clamp(min=0) / actions.abs().max()).item()


def shaken(values: Tensor) -> Tensor:
    """Every number one float32 up or down, at random."""
    return torch.nextafter(values, torch.where(torch.rand_like(values) < 0.5, -torch.inf, torch.inf))


def export(folder: Path) -> None:
    for name in OURS:
        settings = our_settings(name)
        policy = our_policy(settings)
        write_folder(folder / name, policy, settings)
        observations, draws = random_observations(settings, 20), draws_of(policy, 20)
        if settings.policy.name == "act":  # which LeRobot gives no latent but 0
            draws = torch.zeros_like(draws)
        answers = {"draws": draws, "actions": actions_of(policy, observations, draws).contiguous()}
        save_file(observations | answers, folder / name / "answers.safetensors")


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "compare":
        print(difference(where))
    else:
        export(where)

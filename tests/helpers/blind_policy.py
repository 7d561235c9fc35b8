"""An ACT with a camera that hands a cube over as one demonstration did, by its joints; run by itself, for tests/peers.

blind_policy.py SEED FOLDER     as LeRobot's folder; SEED: the start of the demonstration

From starts near that one it succeeds. No training from images on a CPU makes a policy that does so in a minute: here
images count for nothing, so that nothing needs to look at them while it learns.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from demo_score.config.settings import compose_settings
from demo_score.demonstrations.collect import demonstrate
from demo_score.envs import make_env
from demo_score.observations import ACTION, STATE
from demo_score.policies import make_policy
from demo_score.policies.act import ACT
from demo_score.policies.lerobot.folder import write_folder
from omegaconf import OmegaConf
from policy_settings import TINY_ACT
from torch import Tensor, nn

STEPS, CHUNK = 400, 100  # control steps of an episode, and of a chunk
LEARNING = 1000  # gradient steps
SHAKEN = 0.01  # standard deviation of what is added to normalised joints
FEATURES = 512, 15, 20  # of ResNet18 at 480x640
SETTINGS = ["env=aloha_cube", "policy=act", *TINY_ACT, f"policy.chunk_size={CHUNK}", f"policy.n_action_steps={CHUNK}"]
SETTINGS += ["policy.actions_per_query=1", "policy.dim_model=64", "policy.n_heads=4", "policy.dim_feedforward=256"]
SETTINGS += ["policy.pretrained_backbone_weights=null", "training.offline_steps=1", "training.eval_freq=0", "seed=1"]


class Dark(nn.Module):
    """In place of a backbone."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), *FEATURES)


def demonstrated(seed: int) -> tuple[Tensor, Tensor]:
    """Joints at every CHUNK-th step, (4, 1, state_dim), and the actions from there, (4, CHUNK, action_dim)."""
    env = OmegaConf.to_container(compose_settings(["env=aloha_cube_state"], complete=False)[0].env, resolve=True)
    episode = demonstrate(make_env(env), "reliable", seed)
    actions, joints = torch.from_numpy(episode.actions), torch.from_numpy(episode.observations[STATE]).float()
    actions = torch.cat([actions, actions[-1:].expand(STEPS - len(actions), -1)])
    return joints[:STEPS:CHUNK, None], actions.unflatten(0, (-1, CHUNK))


def imitate(policy: ACT, joints: Tensor, chunks: Tensor) -> None:
    """Learn that these chunks follow from these joints, whatever the image."""
    for parameter in policy.image_projection.parameters():
        nn.init.zeros_(parameter).requires_grad_(False)
    for key, values in ((STATE, joints), (ACTION, chunks)):
        flat = values.flatten(0, 1)
        policy.normalization.set_scale(key, flat.mean(dim=0), flat.std(dim=0).clamp(min=0.01))
    wanted = policy.normalization.normalize(ACTION, chunks)
    now = policy._now({STATE: joints, **{key: torch.zeros(len(joints), 1, 3, 1, 1) for key in policy.image_keys}})
    sight, policy.backbone = policy.backbone, Dark()
    optimizer = torch.optim.AdamW([one for one in policy.parameters() if one.requires_grad], lr=2e-3, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, LEARNING)
    for _ in range(LEARNING):
        shaken = now | {STATE: now[STATE] + SHAKEN * torch.randn_like(now[STATE])}
        loss = F.l1_loss(policy._predict(shaken, torch.zeros(len(joints), policy.settings.latent_dim)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    policy.backbone = sight
    print(f"mean error {loss.item():.2g} standard deviations")


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    settings = compose_settings(SETTINGS)[0]
    policy = make_policy(settings).eval()
    imitate(policy, *demonstrated(int(sys.argv[1])))
    write_folder(Path(sys.argv[2]), policy, settings)


if __name__ == "__main__":
    main()

"""Policy loss, a baseline of CUPID's: how well the base policy has learned a demonstration."""

from demo_score.config.models.base import Section, whole
from demo_score.methods.base import CHECKPOINT, Evidence, Method, Score


class Settings(Section):
    """Of policy loss."""

    stride: whole(1, 1000000) = 20
    """Every so many frames of a demonstration count."""
    draws: whole(1, 100000) = 64
    """Draws over which the loss is averaged: of ACT's latent, of Diffusion's noise and step."""


def score(evidence: Evidence, settings: Settings) -> list[Score]:
    """Minus the training loss of each demonstration's frames as one batch, mean over draws.

    It is the whole loss: ACT's has kl_weight times the divergence of the latent in it.
    """
    import torch

    from demo_score.methods.policies import Opened, Windows

    opened = Opened.of(evidence.checkpoints[-1])
    windows = Windows(evidence.demonstrations, opened, settings.stride, "demonstration")
    with torch.no_grad(), torch.random.fork_rng(devices=_gpus(opened.device)):
        torch.manual_seed(evidence.seed)
        return [-_loss(opened.policy, batch, settings.draws) for batch in windows.episode_batches()]


def _loss(policy, batch, draws: int) -> float:
    """The mean loss over draws: that of a batch in which each frame is there once a draw."""
    most = max(1, 4096 // len(batch["action"]))
    parts = [min(most, draws - done) for done in range(0, draws, most)]
    losses = [policy.loss({key: values.repeat_interleave(n, 0) for key, values in batch.items()})[0] for n in parts]
    return sum(float(loss) * n for loss, n in zip(losses, parts, strict=True)) / draws


def _gpus(device) -> list:
    return [device] if device.type == "cuda" else []


METHOD = Method(
    source="Agia et al. 2025; github.com/agiachris/cupid, eval_policy_loss_diffusion.py",
    needs=frozenset({CHECKPOINT}),
    settings=Settings,
    score=score,
    differs="Every twentieth frame counts; the mean is over a demonstration's frames together, so that a chunk that "
    "ends in padding counts by its actions. ACT, which they do not have: the loss as trained, its divergence included.",
)

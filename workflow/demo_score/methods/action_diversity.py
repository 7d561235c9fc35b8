"""Action diversity, a baseline of CUPID's: how much the policy's chunks vary where a demonstration has been."""

from demo_score.config.models.base import Section, whole
from demo_score.methods.base import CHECKPOINT, Evidence, Method, Score
from demo_score.runtime.errors import UserError


class Settings(Section):
    """Of action diversity."""

    stride: whole(1, 1000000) = 20
    """Every so many frames of a demonstration count."""
    samples: whole(2, 100000) = 32
    """Chunks that are sampled at a frame."""


def score(evidence: Evidence, settings: Settings) -> list[Score]:
    """The variance over sampled chunks, mean over their steps and dimensions and over frames.

    Raises UserError for a policy that draws nothing.
    """
    from demo_score.methods.policies import Opened, Windows

    opened = Opened.of(evidence.checkpoints[-1])
    if opened.policy.draw_shape is None:
        raise UserError(
            "action_diversity: this policy always does the same (policy.use_vae=false); leave action_diversity out"
        )
    windows = Windows(evidence.demonstrations, opened, settings.stride, "demonstration", as_trained=False)
    variances = windows.map(_variance(opened, settings.samples, evidence.seed), size=max(1, 2048 // settings.samples))
    return [float(frames.mean()) for frames in windows.per_episode(variances)]


def _variance(opened, samples: int, seed: int):
    """Batch -> (B,) variances of `samples` chunks each; every chunk of every batch has draws of its own."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    policy = opened.policy

    def compute(batch):
        n = len(batch["action"])
        repeated = {key: batch[key].repeat_interleave(samples, 0) for key in opened.settings.policy.input_shapes}
        draw = torch.randn(n * samples, *policy.draw_shape, generator=generator)
        chunks = policy.chunk(repeated, draw).double().unflatten(0, (n, samples))
        return chunks.var(dim=1, correction=0).mean((1, 2))

    return compute


METHOD = Method(
    source="Agia et al. 2025; github.com/agiachris/cupid, eval_action_variance_diffusion.py",
    needs=frozenset({CHECKPOINT}),
    settings=Settings,
    score=score,
    differs="Every twentieth frame counts; actions are normalised, so that each joint counts alike. ACT, which they do "
    "not have: its latent is drawn from the prior, whether or not it is in rollouts.",
)

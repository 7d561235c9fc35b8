"""How influence is computed: see influence.py, which needs torch."""

from demo_score.config.models.base import Section, number, whole


class InfluenceSettings(Section):
    """Of the influence of demonstrations' frames on rollouts' (CUPID, Agia et al. 2025)."""

    projection: whole(1, 4000) = 512
    """Dimensions to which gradients are projected; no more than a quarter of the demonstrations' frames are used."""
    regularization: number(ge=0, le=1000) = 0.1
    """What is added to the diagonal of the gradients' second moments, as a share of its mean. With less, two seeds of
    the projection rank demonstrations more differently. 0: nothing, as in CUPID, which fails where frames are alike."""
    stride: whole(1, 1000000) = 10
    """Every so many frames of a demonstration count."""
    draws: whole(1, 100000) = 64
    """Draws of noise and diffusion step over which a frame's gradient is averaged; ACT draws nothing."""

"""Shorter is better: the control that every other method must beat."""

from demo_score.methods.base import Evidence, Method, NoSettings, Score


def score(evidence: Evidence, settings: NoSettings) -> list[Score]:
    """Minus the number of control steps of each demonstration."""
    return [-float(len(episode)) for episode in evidence.demonstrations]


METHOD = Method(
    source="minus the control steps: shorter is better. A control: most metrics exploit length (arXiv 2606.10229)",
    score=score,
)

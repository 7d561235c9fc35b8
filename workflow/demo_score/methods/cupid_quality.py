"""CUPID-Quality (Agia et al. 2025): CUPID, and two scores of how demonstrations support rollouts of any outcome."""

import numpy as np

from demo_score.methods import cupid
from demo_score.methods.base import INFLUENCE, Evidence, Method, NoSettings, Score
from demo_score.methods.influence_file import read_influence


def score(evidence: Evidence, settings: NoSettings) -> list[Score]:
    """.5 mm(cupid) + .25 mm(-sum_r min_t max_h tau) + .25 mm(sum_r max_t min_h tau), mm over demonstrations."""
    influence = read_influence(evidence)
    supported, contradicted = -influence.total("min_max"), influence.total("max_min")
    scores = 0.5 * min_max(influence.net("sum")) + 0.25 * min_max(supported) + 0.25 * min_max(contradicted)
    return scores.tolist()


def min_max(scores: np.ndarray) -> np.ndarray:
    """Stretched to [0, 1]; all 0 where they are equal."""
    span = scores.max() - scores.min()
    return (scores - scores.min()) / span if span else np.zeros_like(scores)


METHOD = Method(
    source="Agia et al. 2025; github.com/agiachris/cupid, error_util.py: min_of_max_influence, max_of_min_influence",
    needs=frozenset({INFLUENCE}),
    score=score,
    differs=cupid.METHOD.differs,
)

"""CUPID (Agia et al. 2025): a demonstration's influence on the rollouts that succeeded minus on those that failed."""

from demo_score.methods.base import INFLUENCE, Evidence, Method, NoSettings, Score
from demo_score.methods.influence_file import read_influence


def score(evidence: Evidence, settings: NoSettings) -> list[Score]:
    """sum over successes minus over failures of sum_t sum_h tau, t a rollout's frame and h the demonstration's."""
    return read_influence(evidence).net("sum").tolist()


METHOD = Method(
    source="Agia et al. 2025; github.com/agiachris/cupid, error_util.py: sum_of_sum_influence, net",
    needs=frozenset({INFLUENCE}),
    score=score,
    differs="Demonstrations count at every tenth frame (influence.stride), gradients are those of the base policy's "
    "last checkpoint, whichever made a rollout, their projection is smaller, and G^T G is regularized "
    "(influence.regularization; CUPID: 0). ACT has no output function of CUPID's: the mean square of its predicted, "
    "normalised actions, at the latent's posterior mean.",
)

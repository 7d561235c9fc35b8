"""CUPID (Agia et al. 2025) with means over frames, as a sum grows with a demonstration's length."""

from demo_score.methods import cupid
from demo_score.methods.base import INFLUENCE, Evidence, Method, NoSettings, Score
from demo_score.methods.influence_file import read_influence


def score(evidence: Evidence, settings: NoSettings) -> list[Score]:
    """The sum over successes minus over failures of the mean of tau over a rollout's frames and the demonstration's."""
    return read_influence(evidence).net("mean").tolist()


METHOD = Method(
    source="Agia et al. 2025; github.com/agiachris/cupid, error_util.py: mean_of_mean_influence, net",
    needs=frozenset({INFLUENCE}),
    score=score,
    differs=cupid.METHOD.differs,
)

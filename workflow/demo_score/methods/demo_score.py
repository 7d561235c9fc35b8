"""Demo-SCORE (Chen et al. 2025, arXiv 2503.03707): the scores of the filter, as the workflow's step 4 makes them."""

from demo_score.methods.base import FILTER, Evidence, Method, NoSettings, Score


def score(evidence: Evidence, settings: NoSettings) -> list[Score]:
    """The filter's score of each demonstration: the mean predicted probability of success over its frames."""
    return list(evidence.filter_scores)


METHOD = Method(
    source="Chen, Lessing, Liu, Finn 2025, arXiv 2503.03707; docs/differences.md",
    needs=frozenset({FILTER}),
    score=score,
)

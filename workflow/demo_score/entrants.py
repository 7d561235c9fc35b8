"""What takes part in the arena, in the order of its tables: methods, by the names of their files, and controls.

Imports none of the methods: whoever checks a configuration reads this first.
"""

METHODS = (
    "demo_score",
    "cupid",
    "cupid_mean",
    "cupid_quality",
    "deminf",
    "scizor",
    "success_similarity",
    "policy_loss",
    "compatibility",
    "state_diversity",
    "action_diversity",
    "smoothness",
    "length",
)
RANDOM, LENGTH_MATCHED, ORACLE, ALL = "random", "length_matched", "oracle", "all"
CONTROLS = {
    RANDOM: "Random of equal size",  # several a run, each with a number behind it
    LENGTH_MATCHED: "Random of matched length",
    ORACLE: "Oracle (knows the strategies)",
    ALL: "All demonstrations",
}
INFLUENCE = "influence"  # what the cupid methods share: has settings, but no scores
OWN = "own"  # the size of keep: as many as the filter of Demo-SCORE keeps in the run


def control_of(entrant: str) -> str | None:
    """The control that an entrant is, whichever of its random choices; None for a method."""
    kind = entrant.rstrip("_0123456789")
    return kind if kind in CONTROLS else None

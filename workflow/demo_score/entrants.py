"""What takes part in the arena, in the order of its tables: methods, by the names of their files, and controls.

Imports none of the methods: whoever checks a configuration reads this first.
"""

METHODS = {  # the file's name, and what tables and figures call it
    "demo_score": "Demo-SCORE",
    "cupid": "CUPID",
    "cupid_mean": "CUPID, means",
    "cupid_quality": "CUPID-Quality",
    "deminf": "DemInf",
    "scizor": "SCIZOR",
    "success_similarity": "Success similarity",
    "policy_loss": "Policy loss",
    "compatibility": "Compatibility",
    "state_diversity": "State diversity",
    "action_diversity": "Action diversity",
    "smoothness": "Smoothness",
    "length": "Length",
}
RANDOM, LENGTH_MATCHED, ORACLE, ALL = "random", "length_matched", "oracle", "all"
CONTROLS = {
    RANDOM: "Random of equal size",  # several a run, each with a number behind it
    LENGTH_MATCHED: "Random of matched length",
    ORACLE: "Oracle (knows the strategies)",
    ALL: "All demonstrations",
}
INFLUENCE = "influence"  # what the cupid methods share: has settings, but no scores
OWN = "own"  # the arena's own size of keep: as many as Demo-SCORE's filter keeps in the run, or arena.own_percent


def control_of(entrant: str) -> str | None:
    """The control that an entrant is, whichever of its random choices; None for a method."""
    kind = entrant.rstrip("_0123456789")
    return kind if kind in CONTROLS else None


def title(entrant: str) -> str:
    """What tables and figures call a method, a control, or scores that some other program made (their own name)."""
    control = control_of(entrant)
    return CONTROLS[control] if control else METHODS.get(entrant, entrant)

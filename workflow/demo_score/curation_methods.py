"""The curation methods of the arena, in the order of its tables.

Imports none of them: whoever checks a configuration reads this first. Commands that score and keep demonstrations, and
those that train and evaluate, do not read it: another method makes nothing stale that they made.
"""

from demo_score.entrants import CONTROLS, control_of

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


def title(entrant: str) -> str:
    """What tables and figures call a method, a control, or scores that some other program made (their own name)."""
    control = control_of(entrant)
    return CONTROLS[control] if control else METHODS.get(entrant, entrant)

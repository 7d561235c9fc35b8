"""What takes part in the arena beside methods: controls; and the names of sizes."""

RANDOM, LENGTH_MATCHED, ORACLE, ALL = "random", "length_matched", "oracle", "all"
CONTROLS = {
    RANDOM: "Random of equal size",  # several a run, each with a number behind it
    LENGTH_MATCHED: "Random of matched length",
    ORACLE: "Oracle (knows the strategies)",
    ALL: "All demonstrations",
}
OWN = "own"  # the arena's own size of keep: as many as Demo-SCORE's filter keeps in the run, or arena.own_percent


def control_of(entrant: str) -> str | None:
    """The control that an entrant is, whichever of its random choices; None for a method."""
    kind = entrant.rstrip("_0123456789")
    return kind if kind in CONTROLS else None

"""What takes part in the arena beside methods: controls; and the names of sizes."""

import argparse

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


def size_argument(text: str) -> str:
    """A size of keep on a command line: argparse's `type`."""
    if text != OWN and not (text.isascii() and text.isdigit() and 0 < int(text) < 100):
        raise argparse.ArgumentTypeError(f"'{text}' is no size; give {OWN}, or a percentage from 1 to 99")
    return text

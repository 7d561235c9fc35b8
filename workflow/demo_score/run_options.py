"""Options that commands share: of which run their tables tell, by which what is made over runs (make_tables.py) goes,
and the checkpoint by which classifiers see.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

from demo_score.conditions import CONDITIONS
from demo_score.config.seeds import seed_argument
from demo_score.runtime.errors import UserError


class OfRun(NamedTuple):
    """Which policy outcomes are of: its run, what it was trained on, and in the arena how many were kept."""

    seed: int | None = None
    condition: str | None = None
    keep: str | None = None


BY_HAND = OfRun()  # nothing is said of it


def add_run_seed(parser: argparse.ArgumentParser) -> None:
    """The option --run-seed."""
    parser.add_argument("--run-seed", type=seed_argument, help="seed of the run, for tables over runs (make_tables.py)")


def add_features_of(parser: argparse.ArgumentParser) -> None:
    """The option --features-of."""
    help_text = "checkpoint whose policy.features are an input: it looks at all episodes"
    parser.add_argument("--features-of", type=Path, metavar="CHECKPOINT", help=help_text)


def add_run(parser: argparse.ArgumentParser, arena: bool = False) -> None:
    """The options --run-seed and --condition, and for policies of the `arena` --keep."""
    add_run_seed(parser)
    help_text = f"what the policy was trained on, likewise: {', '.join(CONDITIONS)}"
    if arena:
        parser.add_argument("--keep", help="in the arena, whose entrant --condition names: how many were kept")
        help_text += "; in the arena any name"
    parser.add_argument("--condition", metavar="NAME", help=help_text)


def of_run(arguments: argparse.Namespace) -> OfRun:
    """What these options say. Raises UserError for a condition that there is not."""
    keep = getattr(arguments, "keep", None)
    if keep is None and arguments.condition not in (None, *CONDITIONS):
        raise UserError(f"--condition {arguments.condition}: there is none; give one of {', '.join(CONDITIONS)}")
    return OfRun(arguments.run_seed, arguments.condition, keep)

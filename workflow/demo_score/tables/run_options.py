"""Options of the commands whose tables tell of a run: what is made over runs (make_tables.py) goes by them."""

import argparse

from demo_score.conditions import CONDITIONS
from demo_score.config.seeds import seed_argument


def add_run_seed(parser: argparse.ArgumentParser) -> None:
    """The option --run-seed."""
    parser.add_argument("--run-seed", type=seed_argument, help="seed of the run, for tables over runs (make_tables.py)")


def add_run(parser: argparse.ArgumentParser) -> None:
    """The options --run-seed and --condition."""
    add_run_seed(parser)
    help_text = f"what the policy was trained on, likewise: {', '.join(CONDITIONS)}"
    parser.add_argument("--condition", choices=list(CONDITIONS), metavar="NAME", help=help_text)

"""Seeds: whole numbers from 0 to 2**32 - 1, which every generator here takes. One reader for all commands."""

import argparse

from demo_score.runtime.errors import UserError

N_SEEDS = 2**32
MOST = 1000000  # of anything that is counted on a command line


def seed_argument(text: str) -> int:
    """A seed on a command line: argparse's `type`."""
    if not (text.isascii() and text.isdigit() and int(text) < N_SEEDS):
        raise argparse.ArgumentTypeError(f"'{text}' is no seed; give a whole number from 0 to {N_SEEDS - 1}")
    return int(text)


def count_argument(text: str) -> int:
    """How many of something, at least one: argparse's `type`."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of these; give a whole number from 1 to {MOST}")
    return int(text)


def check_seeds(first: int, n_seeds: int, setting: str, count: str) -> None:
    """Raise UserError where the seeds from `first` on do not all exist; `setting` and `count` name the two numbers."""
    if not 0 <= first <= N_SEEDS - n_seeds:
        raise UserError(
            f"{setting}={first}: {count} need the seeds up to {first + n_seeds - 1}, and they end at {N_SEEDS - 1}; "
            f"set a smaller {setting}"
        )

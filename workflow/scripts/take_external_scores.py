"""Take scores that some other program made into the arena: a table with demonstrations, episode, score (and seed).

take_external_scores.py mine --path mine.csv --demonstrations demonstrations/all.txt --names reliable unreliable \\
    --run-seed 10000 --out scores/mine.csv
"""

import argparse
from pathlib import Path

from _library import run_command
from demo_score.config.seeds import seed_argument
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", help="what the arena calls them")
    parser.add_argument("--path", type=Path, required=True, help="table of scores (.csv)")
    parser.add_argument("--demonstrations", type=Path, required=True, help="list, table or data set")
    parser.add_argument("--names", nargs="+", required=True, help="of its data sets in config.yaml, in order")
    parser.add_argument("--run-seed", dest="seed", type=seed_argument, required=True, help="seed of the run")
    parser.add_argument("--out", type=Path, required=True, help="table of scores (.csv)")
    arguments = parser.parse_args()
    from demo_score.arena.external import take_external_scores

    n = take_external_scores(**vars(arguments))
    return f"{arguments.out}: scores of {n} demonstrations by {arguments.method}"


if __name__ == "__main__":
    run_command(main)

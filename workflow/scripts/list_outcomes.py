"""Write the outcomes of stored rollouts as a table: a row an episode.

list_outcomes.py rollouts/003000.hdf5 rollouts/004500.hdf5 --run-seed 10000 --condition base --out rollouts.csv
"""

import argparse
from pathlib import Path

from _library import run_command
from demo_score.run_options import add_run, of_run
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rollouts", type=Path, nargs="+", help="of collect_rollouts.py")
    add_run(parser)
    parser.add_argument("--out", type=Path, required=True, help="table (.csv)")
    arguments = parser.parse_args()
    from demo_score.rollout.outcomes import list_outcomes

    n_episodes = list_outcomes(arguments.rollouts, arguments.out, of_run(arguments))
    return f"{arguments.out}: outcomes of {n_episodes} rollouts"


if __name__ == "__main__":
    run_command(main)

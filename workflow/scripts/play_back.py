"""Carry out the recorded actions of a file again, in the environment that it names, and compare how they end.

play_back.py results/aloha_cube_state/demonstrations/reliable.hdf5 --out playback.csv
play_back.py data/lift/mh/low_dim_v15.hdf5 --episodes 100 --out playback.csv
"""

import argparse
import sys
from pathlib import Path

from _library import run_command
from demo_score.config.seeds import count_argument
from demo_score.runtime.arguments import Parser
from demo_score.runtime.files import check_writable


def main() -> str:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="HDF5 of this repository, or of robomimic, with robosuite's states")
    parser.add_argument("--episodes", type=count_argument, help="how many, from the first (all)")
    parser.add_argument("--out", type=Path, required=True, help="table, a row an episode")
    arguments = parser.parse_args()
    from demo_score.demonstrations.playback import play_back

    check_writable(arguments.out)
    table = play_back(arguments.file, arguments.out, arguments.episodes)
    same = int((table["recorded"] == table["success"]).sum())
    summary = (
        f"{arguments.file}: {same} of {len(table)} episodes end as recorded, {int(table['success'].sum())} in success; "
        f"observations differ by at most {table['difference'].max():.3g}"
    )
    if same < len(table):
        sys.exit(f"error: {summary}; another version of the simulator, or another file?")
    return summary


if __name__ == "__main__":
    run_command(main)

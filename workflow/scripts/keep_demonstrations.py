"""Choose the demonstrations that an entrant of the arena trains on: as many of the highest scores as the others keep.

keep_demonstrations.py cupid --keep own --filter-scores demo_score/scores.csv --scores cupid.csv --run-seed 10000 \\
    --kept kept.csv --out datasets_file.txt
"""

import argparse
from pathlib import Path

from _library import run_command
from demo_score.config.seeds import seed_argument
from demo_score.entrants import CONTROLS, OWN, size_argument
from demo_score.runtime.arguments import Parser
from demo_score.runtime.files import check_outputs


def main() -> str:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entrant", help=f"a method, or a control: {', '.join(CONTROLS)} (random_1, random_2, ...)")
    parser.add_argument("--keep", type=size_argument, required=True, help=f"{OWN}, or a percentage")
    parser.add_argument("--own-percent", type=int, help=f"how many {OWN} is; by default as many as the filter kept")
    parser.add_argument("--filter-scores", type=Path, required=True, help="scores.csv of apply_filter.py")
    parser.add_argument("--scores", type=Path, help="of score_demonstrations.py, for a method")
    parser.add_argument("--oracle", nargs="*", default=[], help="strategies that the oracle keeps")
    parser.add_argument("--run-seed", dest="seed", type=seed_argument, required=True, help="seed of the run")
    parser.add_argument("--kept", type=Path, required=True, help="table of what is kept (.csv)")
    parser.add_argument("--out", type=Path, required=True, help="list of it (.txt)")
    arguments = parser.parse_args()
    from demo_score.arena.keep import keep_demonstrations

    inputs = [path for path in (arguments.filter_scores, arguments.scores) if path]
    check_outputs({"--kept": arguments.kept, "--out": arguments.out}, inputs)
    n = keep_demonstrations(**vars(arguments))
    return f"{arguments.out}: {n} demonstrations for {arguments.entrant}"


if __name__ == "__main__":
    run_command(main)

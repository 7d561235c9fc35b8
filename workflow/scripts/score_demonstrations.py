"""Score all demonstrations by a curation method of the arena (docs/arena.md).

score_demonstrations.py smoothness --demonstrations demonstrations/all.txt --run-seed 10000 --out scores.csv
"""

import argparse
from pathlib import Path

from _library import run_command
from demo_score.config.seeds import seed_argument
from demo_score.runtime.arguments import Parser, json_argument


def main() -> str:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", help="a file of workflow/demo_score/methods, without .py (docs/arena.md)")
    parser.add_argument("--demonstrations", type=Path, required=True, help="list, table or data set")
    parser.add_argument("--rollouts", type=Path, nargs="*", default=[], help="likewise, labelled")
    parser.add_argument("--checkpoints", type=Path, nargs="*", default=[], help="folders of the base policy's")
    parser.add_argument("--influence", type=Path, help="of compute_influence.py")
    parser.add_argument("--filter-scores", type=Path, help="scores.csv of apply_filter.py")
    parser.add_argument("--settings", type=json_argument, default={}, help="of the method, as JSON; others by default")
    parser.add_argument("--run-seed", type=seed_argument, required=True, help="seed of the run, and of what is drawn")
    parser.add_argument("--out", type=Path, required=True, help="table of scores (.csv)")
    arguments = vars(parser.parse_args())
    from demo_score.arena.scoring import Sources, score_demonstrations

    method, settings = arguments.pop("method"), arguments.pop("settings")
    seed, out = arguments.pop("run_seed"), arguments.pop("out")
    n = score_demonstrations(method, settings, Sources(**arguments), seed, out)
    return f"{out}: scores of {n} demonstrations by {method}"


if __name__ == "__main__":
    run_command(main)

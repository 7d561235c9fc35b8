"""Compute the influence of each demonstration on each rollout through the base policy (docs/arena.md)."""

from pathlib import Path

from _library import run_command
from demo_score.config.seeds import seed_argument
from demo_score.runtime.arguments import Parser, json_argument


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--demonstrations", type=Path, required=True, help="list, table or data set")
    parser.add_argument("--rollouts", type=Path, nargs="+", required=True, help="likewise, labelled")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of the base policy's")
    parser.add_argument("--settings", type=json_argument, default={}, help="as JSON; others by default")
    parser.add_argument("--run-seed", dest="seed", type=seed_argument, required=True, help="seed of the run")
    parser.add_argument("--out", type=Path, required=True, help="file (.safetensors)")
    arguments = parser.parse_args()
    from demo_score.arena.influence import influence_of_files

    influence_of_files(**vars(arguments))
    return f"{arguments.out}: influence of each demonstration on each rollout"


if __name__ == "__main__":
    run_command(main)

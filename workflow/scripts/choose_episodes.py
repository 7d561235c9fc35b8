"""Choose the episodes that a condition of the comparison trains on, from the scores of the filter."""

from pathlib import Path

from _library import run_command
from demo_score.conditions import FINAL
from demo_score.config.seeds import seed_argument
from demo_score.runtime.arguments import Parser
from demo_score.runtime.files import check_outputs


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("condition", help=f"one of {', '.join(FINAL)}")
    parser.add_argument("--scores", type=Path, required=True, help="scores.csv of apply_filter.py")
    parser.add_argument("--seed", type=seed_argument, required=True, help="of the random choices")
    parser.add_argument("--oracle", nargs="*", default=[], help="strategies that the oracle keeps")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    from demo_score.curation.choice import choose_episodes
    from demo_score.data.lists import count_episodes, write_list

    check_outputs({"--out": arguments.out}, [arguments.scores])
    chosen = choose_episodes(arguments.condition, arguments.scores, arguments.seed, arguments.oracle)
    write_list(arguments.out, chosen)
    return f"{arguments.out}: {count_episodes(chosen)} for {arguments.condition}"


if __name__ == "__main__":
    run_command(main)

"""Write the tables of an experiment and print its summary."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from demo_score.analysis.tables import make_tables
from demo_score.runtime.arguments import Parser
from demo_score.runtime.errors import run_command


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--evaluations", nargs="*", type=Path, default=[], help="seed<seed>/<condition>/evaluation.csv")
    parser.add_argument("--rollouts", nargs="+", type=Path, required=True, help="[seed<seed>/]rollouts/<step>.csv")
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="seed<seed>/demo_score/scores.csv")
    parser.add_argument(
        "--classifiers", nargs="+", type=Path, required=True, help="seed<seed>/demo_score/classifier.yaml"
    )
    parser.add_argument("--problems", nargs="?", type=Path, help="problems.csv of data that were given")
    parser.add_argument("--oracle", nargs="*", help="strategies that the oracle keeps; writes detection.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables and summary.md")
    print(make_tables(**vars(parser.parse_args())))


if __name__ == "__main__":
    run_command(main)

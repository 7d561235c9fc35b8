"""Write the tables of an experiment and print its summary."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--evaluations", nargs="*", type=Path, default=[], help="of eval.py, with --condition")
    parser.add_argument("--rollouts", nargs="+", type=Path, required=True, help="of list_outcomes.py or eval.py")
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="of apply_filter.py, with --run-seed")
    parser.add_argument(
        "--classifiers", nargs="+", type=Path, required=True, help="of select_classifier.py, with --run-seed"
    )
    parser.add_argument("--problems", nargs="?", type=Path, help="problems.csv of user-supplied data")
    help_text = "of compare_architectures.py, none where there is but one; writes architectures.csv"
    parser.add_argument("--architectures", nargs="*", type=Path, help=help_text)
    parser.add_argument("--oracle", nargs="*", help="strategies that the oracle keeps; writes detection.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables and summary.md")
    arguments = parser.parse_args()
    from demo_score.analysis.tables import make_tables

    print(make_tables(**vars(arguments)))


if __name__ == "__main__":
    run_command(main)

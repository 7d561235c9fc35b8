"""Write the first page of the report: verdict and summary of each experiment, and whether published ones agree."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("experiments", nargs="+", type=Path, help="results/<experiment>, with its tables")
    parser.add_argument("--published", type=Path, default=Path("results/published"), help="(results/published)")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    from demo_score.reporting.answer import write_answer

    print(write_answer(**vars(arguments)))


if __name__ == "__main__":
    run_command(main)

"""Compare runs in results/ with those in results/published: each number, the difference, its interval, a verdict."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="(results)")
    parser.add_argument("--published", type=Path, default=Path("results/published"), help="(results/published)")
    arguments = parser.parse_args()
    from demo_score.analysis.compare import compare_all

    print(compare_all(**vars(arguments)))


if __name__ == "__main__":
    run_command(main)

"""Write the tables of an arena and print its summary (docs/arena.md)."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--evaluations", nargs="*", type=Path, default=[], help="of eval.py, with --condition and --keep"
    )
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="of score_demonstrations.py, say")
    parser.add_argument("--kept", nargs="+", type=Path, required=True, help="of keep_demonstrations.py")
    parser.add_argument("--costs", nargs="+", type=Path, required=True, help="of list_costs.py")
    parser.add_argument("--oracle", nargs="*", help="strategies that the oracle keeps; writes arena_detection.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of summary.md and tables/")
    arguments = parser.parse_args()
    from demo_score.analysis.arena.tables import make_arena_tables

    print(make_arena_tables(**vars(arguments)))


if __name__ == "__main__":
    run_command(main)

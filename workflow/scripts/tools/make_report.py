"""Write the report of the experiments that `run` in config.yaml names; other options are snakemake's."""

from pathlib import Path

from _library import run_command
from demo_score.reporting.report import make_report
from demo_score.runtime.arguments import Parser


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/report.html"), help="(results/report.html)")
    parser.add_argument(
        "--videos", action="store_true", help="make what is missing, and videos where they can be drawn"
    )
    parser.add_argument("--cores", default="all", help="(all)")
    arguments, options = parser.parse_known_args()
    make_report(arguments.out, arguments.videos, arguments.cores, options)
    print(f"Report: {arguments.out}")


if __name__ == "__main__":
    run_command(main, idle=False)  # snakemake waits for its jobs, as long as they take

"""Copy a finished experiment's tables and figures to results/published, with what made them.

publish.py results/aloha_cube_state --command "make"
publish.py results/aloha_cube_state --command "ATEN_CPU_CAPABILITY=avx2 make" --without-figures \\
    --out results/published/arithmetics/avx2/aloha_cube_state
"""

import argparse
from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path, help="folder results/<experiment>")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--command", required=True, help="the command that made it")
    parser.add_argument("--out", type=Path, help="default: results/published/<experiment>")
    parser.add_argument("--without-figures", action="store_true", help="tables, and what they are made of, alone")
    arguments = parser.parse_args()
    from demo_score.provenance.publish import publish

    out = arguments.out or arguments.experiment.parent / "published" / arguments.experiment.name
    publish(arguments.experiment, arguments.config, arguments.command, out, not arguments.without_figures)
    return f"{out}: {arguments.experiment}, published"


if __name__ == "__main__":
    run_command(main)

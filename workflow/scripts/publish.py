"""Copy a finished experiment's tables and figures to results/published, with what made them.

publish.py results/aloha_cube_state --command "make"
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo_score.errors import run_command
from demo_score.provenance.publish import publish


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", type=Path, help="folder results/<experiment>")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--command", required=True, help="the command that made it")
    parser.add_argument("--out", type=Path, help="default: results/published/<experiment>")
    arguments = parser.parse_args()
    out = arguments.out or arguments.experiment.parent / "published" / arguments.experiment.name
    publish(arguments.experiment, arguments.config, arguments.command, out)


if __name__ == "__main__":
    run_command(main)

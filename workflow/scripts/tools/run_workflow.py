"""Run snakemake, and on a terminal show how far each of its long jobs has come. All options are snakemake's."""

import argparse
import sys
from pathlib import Path

from _library import run_command
from demo_score.experiments.files import check_cache, check_options
from demo_score.reporting.terminal import run_with_progress


def main() -> None:
    _, options = argparse.ArgumentParser(description=__doc__).parse_known_args()
    check_options(options)
    check_cache()
    sys.exit(run_with_progress([sys.executable, "-m", "snakemake", *options], Path("logs")))


if __name__ == "__main__":
    run_command(main, idle=False)  # snakemake waits for its jobs, as long as they take

"""Tell what a data set holds, and what is wrong with it. Exit status: 0, 1 with problems, 2 if it cannot be opened."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("path", type=Path, help="LeRobot folder, robomimic HDF5 file, or folder of ALOHA episodes")
    parser.add_argument("--labels", type=Path, help="labels.csv: episode,success and, if wished, checkpoint")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-images", dest="images", action="store_false", help="do not look into images and videos")
    arguments = parser.parse_args()
    from demo_score.ingest.inspection import inspect, report

    inspection = inspect(arguments.path, arguments.labels, arguments.images)
    print(json.dumps(asdict(inspection), indent=2, default=str) if arguments.json else report(inspection))
    sys.exit(1 if inspection.problems else 0)


if __name__ == "__main__":
    run_command(main)

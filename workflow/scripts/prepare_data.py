"""Find, check and list user-supplied demonstrations and rollouts: LeRobot, robomimic, ALOHA, or our own files.

prepare_data.py --settings data.yaml --out-dir DIR, with in data.yaml what config.yaml says of an experiment's data:

    demonstrations:
      mine: {path: FOLDER_OR_FILE}
    rollouts: {eps: ["003000", "004000"], path: "rollouts/{checkpoint}"}
    problems: refuse
"""

import argparse
from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=Path, required=True, help="YAML file of the data")
    parser.add_argument("--out-dir", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--content", help="stands in the tables for what the data hold: others where the data are")
    arguments = parser.parse_args()
    from demo_score.ingest.preparation import prepare_data, read_data_settings

    settings = read_data_settings(arguments.settings)
    prepare_data(settings, arguments.out_dir, str(arguments.settings), arguments.content)
    return f"{arguments.out_dir}: tables of the episodes that passed"


if __name__ == "__main__":
    run_command(main)

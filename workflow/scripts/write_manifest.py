"""Write what an experiment's tables follow from: manifest.json, and run.json (commit, machine, times) beside it."""

import json
from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--settings", type=json.loads, required=True, help="the experiment in config.yaml, as JSON")
    parser.add_argument("--seed-inputs", nargs="+", type=Path, required=True, help="seed<seed>/inputs.json")
    parser.add_argument("--shared", nargs="*", type=Path, default=[], help="files that all seeds share")
    parser.add_argument("--tables", nargs="+", type=Path, required=True)
    parser.add_argument("--data", nargs="?", type=Path, help="data.yaml of user-supplied data")
    parser.add_argument("--out", type=Path, required=True, help="tables/manifest.json")
    arguments = parser.parse_args()
    from demo_score.provenance.manifest import write_manifest

    write_manifest(**vars(arguments))
    return f"{arguments.out}: what the tables are made of"


if __name__ == "__main__":
    run_command(main)

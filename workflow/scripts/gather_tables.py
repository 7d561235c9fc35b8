"""Put tables of one kind together: those of all entrants of a run's arena, say.

gather_tables.py --kind arena_kept arena/own/*/kept.csv --out arena/kept.csv
"""

import argparse
from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser
from demo_score.runtime.files import check_outputs
from demo_score.tables import TABLES


def main() -> str:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--kind", choices=TABLES, required=True, metavar="KIND", help="a heading of docs/tables.md")
    parser.add_argument("--out", type=Path, required=True, help="table (.csv)")
    arguments = parser.parse_args()
    from demo_score.tables.gathering import gather

    check_outputs({"--out": arguments.out}, arguments.tables)
    n = gather(TABLES[arguments.kind], arguments.tables, arguments.out)
    return f"{arguments.out}: {n} rows of {len(arguments.tables)} tables"


if __name__ == "__main__":
    run_command(main)

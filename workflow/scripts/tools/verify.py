"""Say which numbers no longer follow from what they were made of; exit status 1 if there are any.

verify.py                          all of results/, results/published and the numbers that documents report
verify.py results/<experiment>     one experiment
"""

import argparse
import sys
from pathlib import Path

from _library import run_command
from demo_score.analysis.formatting import count
from demo_score.provenance.documents import DOCUMENTS
from demo_score.runtime.arguments import Parser
from demo_score.runtime.errors import UserError


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"))
    documents = [path for path in map(Path, DOCUMENTS) if path.is_file()]
    help_text = f"Markdown that reports numbers of results/published ({' '.join(DOCUMENTS)})"
    parser.add_argument("--documents", nargs="*", type=Path, default=documents, help=help_text)
    arguments = parser.parse_args()
    from demo_score.provenance.verify import verify

    if missing := [path for path in arguments.documents if not path.is_file()]:
        raise UserError(f"--documents {missing[0]}: no such document; correct the path")
    problems, notes = verify(arguments.results, arguments.documents)
    for line in (*(f"note: {line}" for line in notes), *problems):
        print(line)
    print(count(len(problems), "problem") if problems else "All numbers that were checked follow from their inputs.")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    run_command(main)

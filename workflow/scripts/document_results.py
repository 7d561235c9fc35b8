"""Write the tables of results in README.md anew, from results/published. `make docs` calls it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo_score.provenance.readme import with_tables
from demo_score.runtime.arguments import Parser
from demo_score.runtime.errors import run_command
from demo_score.runtime.files import write_text


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--document", type=Path, default=Path("README.md"), help="with markers (README.md)")
    parser.add_argument("--published", type=Path, default=Path("results/published"), help="(results/published)")
    arguments = parser.parse_args()
    text = arguments.document.read_text(encoding="utf-8")
    write_text(arguments.document, with_tables(text, arguments.published))
    return f"{arguments.document}: with the tables of {arguments.published}"


if __name__ == "__main__":
    run_command(main)

"""Write the tables of settings, keys and parameters in docs/, and the JSON schemas, anew. `make docs` calls it."""

import os
import sys
from pathlib import Path

from _library import run_command
from demo_score.config.reference import documents
from demo_score.config.schema_files import schema_files
from demo_score.runtime.arguments import Parser
from demo_score.runtime.files import write_text

DOCS = Path(__file__).resolve().parents[3] / "docs"


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a document is out of date")
    check = parser.parse_args().check
    for path, text in {**documents(DOCS), **schema_files()}.items():
        if text == path.read_text(encoding="utf-8"):
            continue
        if check:
            sys.exit(f"error: {os.path.relpath(path)} is out of date; run `make docs`")
        write_text(path, text)
    return f"{os.path.relpath(DOCS)}: the tables and schemas are up to date"


if __name__ == "__main__":
    run_command(main)

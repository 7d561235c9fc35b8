"""Write the tables of results in the documents anew, from results/published. `make docs` calls it."""

from pathlib import Path

from _library import run_command
from demo_score.provenance.documents import DOCUMENTS
from demo_score.runtime.arguments import Parser
from demo_score.runtime.files import read_text, write_text


def main() -> str:
    parser = Parser(description=__doc__)
    documents = [path for path in map(Path, DOCUMENTS) if path.is_file()]
    help_text = f"Markdown with markers ({' '.join(DOCUMENTS)})"
    parser.add_argument("--documents", nargs="*", type=Path, default=documents, help=help_text)
    parser.add_argument("--published", type=Path, default=Path("results/published"), help="(results/published)")
    arguments = parser.parse_args()
    from demo_score.provenance.readme import with_tables

    for document in arguments.documents:
        text = read_text(document)
        if (new := with_tables(text, arguments.published)) != text:
            write_text(document, new)
    return f"{', '.join(map(str, arguments.documents))}: with the tables of {arguments.published}"


if __name__ == "__main__":
    run_command(main)

"""Write the SHA-256 of files, by their paths, as JSON."""

from pathlib import Path

from _library import run_command
from demo_score.provenance.manifest import write_digests
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="seed<seed>/inputs.json")
    arguments = parser.parse_args()
    write_digests(arguments.files, arguments.out)
    return f"{arguments.out}: digests of {len(arguments.files)} files"


if __name__ == "__main__":
    run_command(main)

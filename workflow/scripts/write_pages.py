"""Write an HTML page for each table (.csv), text (.md, .json) or video (.mp4): DIR/<name>.html."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out-dir", type=Path, required=True, dest="out")
    arguments = parser.parse_args()
    from demo_score.reporting.pages import write_pages

    write_pages(**vars(arguments))
    return f"{arguments.out}: pages of {len(arguments.files)} tables"


if __name__ == "__main__":
    run_command(main)

"""Write a keep-list in the forms that LeRobot, robomimic and ALOHA's users take, and as a table of all episodes."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("list_path", type=Path, metavar="LIST", help="dataset list, or episode table, of what is kept")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--filter-key", dest="key", default="demo_score", help="robomimic: mask/<this> in a copy")
    parser.add_argument("--sources", type=Path, nargs="+", help="all data sets considered, or lists of them")
    arguments = parser.parse_args()
    from demo_score.ingest.keep_lists import export_keep_list

    kept, dropped = export_keep_list(**vars(arguments))
    return f"{arguments.out}: the list in the forms of each tool; {kept} episodes are kept, {dropped} are not"


if __name__ == "__main__":
    run_command(main)

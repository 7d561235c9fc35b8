"""List all episodes of some data sets (LeRobot, robomimic, ALOHA), as a dataset list."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser
from demo_score.runtime.files import check_outputs


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="data sets")
    parser.add_argument("--out", type=Path, required=True, help="dataset list (.txt)")
    arguments = parser.parse_args()
    from demo_score.data.lists import all_episodes, count_episodes, write_list

    check_outputs({"--out": arguments.out}, arguments.files)
    listed = all_episodes(arguments.files)
    write_list(arguments.out, listed)
    return f"{arguments.out}: {count_episodes(listed)}"


if __name__ == "__main__":
    run_command(main)

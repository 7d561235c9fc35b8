"""Write where the hands, or the pusher, go in collected demonstrations."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("demonstrations", nargs="+", type=Path, help="files of collect_demonstrations.py")
    parser.add_argument("--out", type=Path, required=True, help="paths.csv")
    arguments = parser.parse_args()
    from demo_score.demonstrations.paths import write_paths

    write_paths(**vars(arguments))
    return f"{arguments.out}: the hands' paths of {len(arguments.demonstrations)} files"


if __name__ == "__main__":
    run_command(main)

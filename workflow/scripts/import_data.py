"""Write a data set's episodes (LeRobot, robomimic, ALOHA, or a list of such) to one of our HDF5 files."""

import argparse
from pathlib import Path

from _library import run_command
from demo_score.data.choices import ACT, CHOICES, JPEGS, REFUSE
from demo_score.runtime.arguments import Parser


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("source", type=Path, help="data set, dataset list (.txt) or episode table (.csv)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.hdf5", help="file to write")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--episodes", dest="indices", type=_indices, metavar="0,1,2", help="only these (all)")
    chosen.add_argument("--filter-key", help="robomimic: only the episodes of mask/<this>")
    parser.add_argument("--labels", type=Path, help="labels.csv: episode,success and, if wished, checkpoint")
    parser.add_argument("--keys", nargs="+", help="only these observations, such as observation.state (all)")
    parser.add_argument("--problems", choices=CHOICES, default=REFUSE, help="what to do with bad episodes (refuse)")
    parser.add_argument("--aloha-jpeg", choices=JPEGS, default=ACT, help="ALOHA: how JPEGs were made (act)")
    arguments = parser.parse_args()
    from demo_score.ingest.conversion import import_data

    print(f"{arguments.out}: {import_data(**vars(arguments))} episodes")


def _indices(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of numbers; give 0,1,2, say") from None


if __name__ == "__main__":
    run_command(main)

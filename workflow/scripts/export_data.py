"""Write a data set's episodes, or those of a list, as LeRobot v3.0, a folder of ALOHA files, or robomimic HDF5."""

from pathlib import Path

from _library import run_command
from demo_score.data.choices import ACT, CHOICES, FORMATS, JPEGS, KINDS_OF_IMAGES, REFUSE
from demo_score.runtime.arguments import Parser


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("source", type=Path, help="data set, dataset list (.txt) or episode table (.csv)")
    parser.add_argument("--to", choices=FORMATS, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder, which must not exist, or robomimic file")
    parser.add_argument(
        "--fps", type=float, help="frames a second, where the source does not tell, or tells what is wrong"
    )
    parser.add_argument("--images", choices=KINDS_OF_IMAGES, default="video", help="LeRobot: image is PNG, exact")
    parser.add_argument("--codec", default="libsvtav1", help="LeRobot: libsvtav1, h264 or hevc (libsvtav1)")
    parser.add_argument("--sim", action="store_true", help="ALOHA: the episodes are simulated")
    parser.add_argument("--problems", choices=CHOICES, default=REFUSE, help="what to do with bad episodes (refuse)")
    parser.add_argument("--aloha-jpeg", choices=JPEGS, default=ACT, help="ALOHA: how JPEGs were made (act)")
    arguments = parser.parse_args()
    from demo_score.ingest.conversion import export_data

    print(f"{arguments.out}: {export_data(**vars(arguments))} episodes")


if __name__ == "__main__":
    run_command(main)

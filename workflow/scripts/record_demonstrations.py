"""Draw the first demonstration that was kept and the first that was dropped: a strip of frames, and a video."""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--scores", type=Path, required=True, help="scores.csv of apply_filter.py")
    parser.add_argument("--strip", type=Path, required=True, help="file ending in .png or .svg")
    parser.add_argument("--video", type=Path, help="file ending in .mp4")
    arguments = parser.parse_args()
    from demo_score.demonstrations.recording import record_demonstrations

    record_demonstrations(**vars(arguments))
    return f"{', '.join(str(path) for path in (arguments.strip, arguments.video) if path)}: demonstrations by score"


if __name__ == "__main__":
    run_command(main)

"""Draw an evaluation's first success and first failure: a strip of frames, and with --video both side by side.

record_rollouts.py -p checkpoints/008000 --evaluation evaluation.csv --video episodes.mp4 --strip episodes.png
    eval.n_episodes=200 eval.batch_size=50 seed=16000
"""

from pathlib import Path

from _library import run_command
from demo_score.command_line import checkpoint_parser


def main() -> str:
    parser = checkpoint_parser(__doc__, out_dir=False)
    parser.add_argument("--evaluation", type=Path, required=True, help="table of eval.py with the same overrides")
    parser.add_argument("--strip", type=Path, required=True, help="file ending in .png or .svg")
    parser.add_argument("--video", type=Path, help="file ending in .mp4")
    arguments = parser.parse_args()
    from demo_score.rollout.recording import record

    record(arguments.checkpoint, arguments.overrides, arguments.evaluation, arguments.strip, arguments.video)
    return f"{', '.join(str(path) for path in (arguments.strip, arguments.video) if path)}: a success and a failure"


if __name__ == "__main__":
    run_command(main)

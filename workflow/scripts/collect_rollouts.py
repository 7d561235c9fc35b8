"""Step 2: roll out a checkpoint, label each rollout, and store them as DIR/<checkpoint>.hdf5.

collect_rollouts.py -p checkpoints/003000 --out-dir DIR eval.n_episodes=100 eval.batch_size=50 seed=12000
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo_score.command_line import checkpoint_parser, rollout_arguments
from demo_score.rollout.runs import collect_rollouts
from demo_score.runtime.errors import run_command


def main() -> str:
    arguments = rollout_arguments(checkpoint_parser(__doc__))
    collect_rollouts(arguments.checkpoint, arguments.overrides, arguments.out_dir)
    return f"{arguments.out_dir / arguments.checkpoint.name}.hdf5: the rollouts"


if __name__ == "__main__":
    run_command(main)

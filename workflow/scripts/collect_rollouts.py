"""Step 2: roll out a checkpoint, label each rollout, and store them as DIR/<checkpoint>.hdf5.

collect_rollouts.py -p checkpoints/003000 --out-dir DIR eval.n_episodes=100 eval.batch_size=50 seed=12000
"""

from _library import run_command
from demo_score.command_line import checkpoint_parser, rollout_arguments


def main() -> str:
    arguments = rollout_arguments(checkpoint_parser(__doc__))
    from demo_score.rollout.runs import collect_rollouts

    path = collect_rollouts(arguments.checkpoint, arguments.overrides, arguments.out_dir)
    return f"{path}: the rollouts"


if __name__ == "__main__":
    run_command(main)

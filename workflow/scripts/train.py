"""Steps 1 and 5: train a policy on a dataset list.

train.py env=aloha_cube_state policy=act_state seed=10000 +datasets_file=LIST.txt hydra.run.dir=DIR
"""

from _library import run_command
from demo_score.command_line import read_settings, settings_parser


def main() -> str:
    settings, run_dir = read_settings(settings_parser(__doc__).parse_args())
    from demo_score.training.loop import train  # torch takes seconds to import: only for settings that are right

    train(settings, run_dir)
    return f"{run_dir}: checkpoints, the last after {settings.training.offline_steps} steps, and metrics.csv"


if __name__ == "__main__":
    run_command(main)

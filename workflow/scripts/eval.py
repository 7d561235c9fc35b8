"""Evaluate a checkpoint; one row an episode in DIR/evaluation.csv (or DIR/NAME.csv).

eval.py -p checkpoints/008000 --out-dir DIR eval.n_episodes=200 eval.batch_size=50 seed=16000
"""

from _library import run_command
from demo_score.command_line import checkpoint_parser, rollout_arguments
from demo_score.run_options import add_run, of_run
from demo_score.runtime.files import check_file_name


def main() -> str:
    parser = checkpoint_parser(__doc__)
    parser.add_argument("--name", default="evaluation", help="of the table, without .csv (evaluation)")
    add_run(parser, arena=True)
    arguments = rollout_arguments(parser)
    from demo_score.rollout.runs import evaluate

    check_file_name(arguments.name, "--name")
    evaluate(arguments.checkpoint, arguments.overrides, arguments.out_dir, arguments.name, of_run(arguments))
    return f"{arguments.out_dir / f'{arguments.name}.csv'}: a row an episode"


if __name__ == "__main__":
    run_command(main)

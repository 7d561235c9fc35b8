"""Take a checkpoint that was trained elsewhere, ours or LeRobot's, as one of an experiment's base policy.

take_checkpoint.py outputs/train/act/checkpoints/002000 --out results/mine/seed1/base/checkpoints/002000 env=aloha_state
"""

from pathlib import Path

from _library import run_command
from demo_score.command_line import SettingsParser


def main() -> str:
    parser = SettingsParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder such as checkpoints/003000, or LeRobot's")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="env=NAME, and settings to change")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    arguments = parser.parse_args()
    from demo_score.policies.taking import take_checkpoint  # torch takes seconds to import

    take_checkpoint(arguments.checkpoint, arguments.overrides, arguments.out)
    return f"{arguments.out}: the checkpoint"


if __name__ == "__main__":
    run_command(main)

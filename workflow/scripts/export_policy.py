"""Write a checkpoint as the folder that LeRobot 0.6.1 opens: lerobot-eval, lerobot-record, ACTPolicy.from_pretrained.

export_policy.py checkpoints/003000 --to lerobot --out outputs/pretrained_model
"""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder such as checkpoints/003000")
    parser.add_argument("--to", choices=["lerobot"], required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder, which must not exist")
    arguments = parser.parse_args()
    from demo_score.policies.exporting import export_policy  # torch takes seconds to import

    export_policy(arguments.checkpoint, arguments.out)
    return f"{arguments.out}: the policy, for LeRobot's --policy.path"


if __name__ == "__main__":
    run_command(main)

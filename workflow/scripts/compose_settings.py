"""Write the settings that overrides make, resolved and complete, into one file.

compose_settings.py env=aloha_cube_state policy=act_state seed=10000 --out settings.yaml
"""

from pathlib import Path

from _library import run_command
from demo_score.command_line import read_settings, settings_parser
from demo_score.config.settings import save


def main() -> str:
    parser = settings_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    settings, _ = read_settings(arguments)
    save(settings, arguments.out)
    return f"{arguments.out}: complete settings"


if __name__ == "__main__":
    run_command(main)

"""Collect successful demonstrations of a scripted strategy in the environment of the settings.

collect_demonstrations.py env=aloha_cube_state --strategy reliable --n-episodes 60 --seed 1000000 --out FILE.hdf5
"""

from pathlib import Path

from _library import run_command
from demo_score.command_line import read_environment, settings_parser
from demo_score.config.seeds import count_argument, seed_argument
from demo_score.runtime.cores import available_threads
from demo_score.runtime.files import check_writable


def main() -> str:
    parser = settings_parser(__doc__)
    parser.add_argument("--strategy", required=True)
    parser.add_argument("--n-episodes", type=count_argument, required=True)
    parser.add_argument("--seed", type=seed_argument, required=True, help="environment seed of the first attempt")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    from demo_score.data.formats.robomimic import write_episodes
    from demo_score.demonstrations.collect import collect_demonstrations

    check_writable(arguments.out)
    env = read_environment(arguments)
    episodes = collect_demonstrations(
        env, arguments.strategy, arguments.n_episodes, arguments.seed, available_threads()
    )
    write_episodes(arguments.out, episodes, {"env_name": env["task"], **env})
    return f"{arguments.out}: {len(episodes)} demonstrations of {arguments.strategy}"


if __name__ == "__main__":
    run_command(main)

"""Make weights for training of a table of scores (the arena's scores/<method>.csv).

weigh_episodes.py SCORES.csv --out weights.csv                          for training.sample_weights
weigh_episodes.py SCORES.csv --lerobot DATA_SET --chunk 100 --out progress.parquet     for lerobot-train, as RA-BC's
"""

from pathlib import Path

from _library import run_command
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("scores", type=Path, help="table of scores, one for each episode")
    parser.add_argument("--out", type=Path, required=True, help="weights (CSV), or progress (parquet)")
    parser.add_argument("--lerobot", type=Path, metavar="DATA_SET", help="write LeRobot's form, of this data set")
    parser.add_argument("--chunk", type=int, default=100, help="LeRobot: policy.chunk_size of the training (100)")
    arguments = parser.parse_args()
    from demo_score.arena.weights import write_progress, write_weights

    if arguments.lerobot is None:
        return f"{arguments.out}: weights of {write_weights(arguments.scores, arguments.out)} episodes"
    n = write_progress(arguments.scores, arguments.lerobot, arguments.chunk, arguments.out)
    return f"{arguments.out}: progress of {n} frames, for --sample_weighting.progress_path"


if __name__ == "__main__":
    run_command(main)

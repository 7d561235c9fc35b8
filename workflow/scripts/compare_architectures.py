"""Step 4: the architectures of a sweep side by side, by the held-out rollouts and by the demonstrations."""

from pathlib import Path

from _library import run_command
from demo_score.config.seeds import seed_argument
from demo_score.run_options import add_features_of
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--classifiers", type=Path, nargs="+", required=True, help="of all of a run's sweeps")
    parser.add_argument("--threshold", choices=["mean", "balanced"], default="mean", help="as of select_classifier.py")
    parser.add_argument("--demonstrations", type=Path, required=True, help="list, table or data set")
    parser.add_argument("--oracle", nargs="*", default=[], help="strategies that are to be kept, where that is known")
    parser.add_argument("--run-seed", type=seed_argument, required=True, help="seed of the run")
    parser.add_argument("--out", type=Path, required=True, help="table (.csv)")
    add_features_of(parser)
    arguments = parser.parse_args()
    from demo_score.curation.architectures import compare_architectures

    return f"{arguments.out}: {compare_architectures(**vars(arguments))} architectures"


if __name__ == "__main__":
    run_command(main)

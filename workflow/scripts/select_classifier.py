"""Step 4: choose the classifier that filters."""

from pathlib import Path

from _library import run_command
from demo_score.run_options import add_run_seed
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--model-arch", required=True, help="an architecture's name, or best")
    parser.add_argument("--threshold", choices=["mean", "balanced"], default="mean", help="rule; mean: published")
    parser.add_argument("--classifiers", type=Path, nargs="+", required=True, help="files of train_classifiers.py")
    parser.add_argument("--out", type=Path, required=True, help="the choice and its reason (.yaml)")
    add_run_seed(parser)
    arguments = parser.parse_args()
    from demo_score.curation.selection import select_classifier

    chosen = select_classifier(**vars(arguments))
    return f"{arguments.out}: classifier {chosen['member']} of {chosen['model_arch']}, {chosen['reason']}"


if __name__ == "__main__":
    run_command(main)

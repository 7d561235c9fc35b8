"""Write how the classifier's score of each episode comes about in time: its score if the episode ended there."""

from pathlib import Path

from _library import run_command
from demo_score.run_options import add_features_of
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--classifier", type=Path, required=True, help="classifier.yaml of select_classifier.py")
    parser.add_argument("--scores", type=Path, required=True, help="scores.csv of apply_filter.py")
    parser.add_argument("--out", type=Path, required=True, help="traces.csv")
    add_features_of(parser)
    arguments = parser.parse_args()
    from demo_score.curation.traces import trace_scores

    trace_scores(**vars(arguments))
    return f"{arguments.out}: scores in time of the episodes of {arguments.scores}"


if __name__ == "__main__":
    run_command(main)

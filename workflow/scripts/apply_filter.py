"""Step 4: score demonstrations and rollouts, and list those to train on."""

from pathlib import Path

from _library import run_command
from demo_score.run_options import add_features_of, add_run_seed
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--classifier", type=Path, required=True, help="the choice of select_classifier.py")
    parser.add_argument("--demonstrations", type=Path, required=True, help="list, table or data set")
    parser.add_argument("--rollouts", type=Path, nargs="+", required=True, help="likewise, of all checkpoints")
    parser.add_argument("--scores", type=Path, required=True, help="table of all scores (.csv)")
    parser.add_argument("--demos-only", type=Path, required=True, help="list of kept demonstrations")
    parser.add_argument("--rollouts-plus-demos", type=Path, required=True, help="list of kept rollouts and those")
    add_run_seed(parser)
    help_text = "refuse to keep none or all of the demonstrations: policies are to train on the choice"
    parser.add_argument("--must-choose", action="store_true", help=help_text)
    add_features_of(parser)
    arguments = parser.parse_args()
    from demo_score.curation.scoring import apply_filter

    apply_filter(**vars(arguments))
    return f"{arguments.scores}: all scores; {arguments.demos_only}, {arguments.rollouts_plus_demos}: what is kept"


if __name__ == "__main__":
    run_command(main)

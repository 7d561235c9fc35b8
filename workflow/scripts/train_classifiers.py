"""Step 3: train all classifiers of one architecture on one split of the rollouts."""

from pathlib import Path

from _library import run_command
from demo_score.run_options import add_features_of
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="YAML file of the sweep")
    parser.add_argument("--model-arch", required=True, help="a name in model_archs")
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="rollouts: data sets, lists or tables")
    parser.add_argument("--cross-val", type=Path, nargs="+", required=True, help="rollouts of other checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="classifiers (.safetensors)")
    parser.add_argument("--metrics", type=Path, required=True, help="losses of every evaluated epoch (.csv)")
    add_features_of(parser)
    arguments = parser.parse_args()
    from demo_score.curation.sweep import train_classifiers

    n_members = train_classifiers(**vars(arguments))
    return f"{arguments.out}: {n_members} classifiers {arguments.model_arch}; {arguments.metrics}: their losses"


if __name__ == "__main__":
    run_command(main)

"""List what the methods of a run cost, from what Snakemake measured of their jobs."""

from pathlib import Path

from _library import run_command
from demo_score.config.seeds import seed_argument
from demo_score.runtime.arguments import Parser, json_argument


def main() -> str:
    parser = Parser(description=__doc__)
    parser.add_argument("--benchmarks", type=json_argument, required=True, help="method -> benchmark files, as JSON")
    parser.add_argument("--rollouts", type=Path, nargs="*", default=[], help="the labelled rollouts of the run")
    parser.add_argument("--run-seed", type=seed_argument, required=True, help="seed of the run")
    parser.add_argument("--out", type=Path, required=True, help="table (.csv)")
    arguments = parser.parse_args()
    from demo_score.arena.costs import list_costs

    benchmarks = {method: list(map(Path, paths)) for method, paths in arguments.benchmarks.items()}
    list_costs(benchmarks, arguments.rollouts, arguments.run_seed, arguments.out)
    return f"{arguments.out}: costs of {len(benchmarks)} methods"


if __name__ == "__main__":
    run_command(main)

"""What each method costs: the labelled rollouts that it needs, and the time of the jobs that make its scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from demo_score.data.lists import read_entries
from demo_score.methods.base import FILTER, INFLUENCE, NEEDS, ROLLOUTS
from demo_score.methods.registry import load
from demo_score.runtime.errors import UserError
from demo_score.tables import ARENA_COSTS

BY_OUTCOMES = {ROLLOUTS, INFLUENCE, FILTER}  # needs that are made of labelled rollouts


def list_costs(benchmarks: Mapping[str, Sequence[Path]], rollouts: Sequence[Path], seed: int, out: Path) -> None:
    """Write the costs of methods in the run `seed`.

    benchmarks: method -> what Snakemake measured of its jobs; none for scores that some other program made. The
    seconds of jobs that were made before their benchmarks were kept are not known.
    """
    n_rollouts = sum(len(read_entries(path)) for path in rollouts)
    ARENA_COSTS.write(out, [_row(seed, method, paths, n_rollouts) for method, paths in benchmarks.items()])


def _row(seed: int, method: str, paths: Sequence[Path], n_rollouts: int) -> dict:
    needs = load(method).needs
    known = paths and all(path.is_file() for path in paths)
    return {
        "seed": seed,
        "method": method,
        "needs": " ".join(need for need in NEEDS if need in needs),
        "rollouts": n_rollouts if needs & BY_OUTCOMES else 0,
        "core_seconds": sum(map(_seconds, paths)) if known else None,
    }


def _seconds(path: Path) -> float:
    """The processor time of a job; of one too short for Snakemake to look at, its duration."""
    try:
        last = pd.read_csv(path, sep="\t", na_values="-").iloc[-1]
        return float(last["s"] if pd.isna(last["cpu_time"]) else last["cpu_time"])
    except (KeyError, ValueError, IndexError, pd.errors.ParserError):
        raise UserError(f"{path}: no benchmark of Snakemake's; remove it, and run the method again") from None

"""The tables of an arena, and its summary."""

from pathlib import Path

from demo_score.analysis.arena.agreement import agreement_table
from demo_score.analysis.arena.costs import cost_table
from demo_score.analysis.arena.detection import arena_detection_table
from demo_score.analysis.arena.inputs import (
    check_same_demonstrations,
    read_costs,
    read_evaluations,
    read_kept,
    read_scores,
)
from demo_score.analysis.arena.summary import summarise_arena
from demo_score.analysis.arena.uplift import uplift_table
from demo_score.runtime.files import check_writable, write_text
from demo_score.tables import TABLES


def make_arena_tables(
    evaluations: list[Path],
    scores: list[Path],
    kept: list[Path],
    costs: list[Path],
    out: Path,
    oracle: list[str] | None = None,
) -> str:
    """Write arena_uplift, arena_detection, arena_agreement, arena_costs (.csv) to `out`/tables, and `out`/summary.md.

    Returns the summary. Without `evaluations` there is no arena_uplift; without `oracle`, the strategies that the
    oracle keeps, no arena_detection. Raises UserError for inputs that are damaged, or do not belong together.
    """
    check_writable(out, folder=True)
    scored, choices = read_scores(scores), read_kept(kept)
    check_same_demonstrations(scored, choices)
    tables = {"arena_agreement": agreement_table(scored, choices), "arena_costs": cost_table(read_costs(costs))}
    if oracle is not None:
        tables["arena_detection"] = arena_detection_table(scored, choices, oracle)
    if evaluations:
        tables["arena_uplift"] = uplift_table(read_evaluations(evaluations), choices)
    for name, table in tables.items():
        TABLES[name].write(out / "tables" / f"{name}.csv", table)
    summary = summarise_arena(tables)
    write_text(out / "summary.md", summary)
    return summary

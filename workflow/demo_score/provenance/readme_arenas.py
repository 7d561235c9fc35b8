"""What `make docs` writes of all published arenas together: what methods gain in each, and which mislead them."""

from pathlib import Path

import pandas as pd

from demo_score.analysis.arena.order import in_order
from demo_score.analysis.formatting import NONE, cells, digits, estimate, heading
from demo_score.curation_methods import METHODS, title
from demo_score.entrants import ALL, LENGTH_MATCHED, ORACLE, OWN
from demo_score.runtime.errors import UserError
from demo_score.tables import ALL_RUNS, TABLES

FINDS, MISTAKES = 0.6, 0.4  # AUROC above and below which a score counts as one that detects, and as one that inverts
VERDICTS = ("Better than random", "No difference shown", "Worse than random", "Detection and policy disagree")


def uplifts_of_arenas(published: Path) -> str:
    """Markdown: a row an entrant, a column a published arena; uplift with its interval over runs, and the AUROC."""
    pools = _pools(published)
    known = {entrant for pool in pools.values() for entrant in pool.index}
    lines = heading(["Method", *(f"`{name}`" for name in pools)])
    for entrant in in_order(known & {*METHODS, LENGTH_MATCHED, ORACLE, ALL}):
        found = [pool.loc[entrant] if entrant in pool.index else None for pool in pools.values()]
        lines.append(cells([title(entrant), *map(_uplift, found)]))
    return "\n".join(lines)


def verdicts_of_arenas(published: Path) -> str:
    """Markdown: a row a published arena, and in which direction the uplift's interval over runs leaves 0, by method."""
    lines = heading(["Pool", *VERDICTS])
    for name, pool in _pools(published).items():
        methods = pool[pool.index.isin(METHODS)].sort_values("uplift", ascending=False, kind="stable")
        better, worse = methods["low"] > 0, methods["high"] < 0
        misled = worse & (methods["auroc"] > FINDS) | better & (methods["auroc"] < MISTAKES)
        found = [methods[chosen] for chosen in (better, ~better & ~worse, worse, misled)]
        lines.append(cells([f"`{name}`", *("; ".join(map(title, part.index)) or NONE for part in found)]))
    return "\n".join(lines)


def _pools(published: Path) -> dict[str, pd.DataFrame]:
    """Published arena, in the order of their names -> by entrant, at its own size and over runs: uplift, and AUROC."""
    folders = [path.parents[2] for path in sorted(published.glob("*/arena/tables/arena_uplift.csv"))]
    if not folders:
        raise UserError(f"{published}: holds no arena; publish one, or take its markers out of the document")
    return {folder.name: _pool(folder) for folder in folders}


def _pool(folder: Path) -> pd.DataFrame:
    uplift, detection = (
        TABLES[name].read(folder / TABLES[name].file, [key, "seed", *columns])
        for name, key, columns in (
            ("arena_uplift", "entrant", ["keep", "uplift", "low", "high"]),
            ("arena_detection", "method", ["auroc"]),
        )
    )
    uplift = uplift[(uplift["seed"] == ALL_RUNS) & (uplift["keep"] == OWN)].set_index("entrant")
    auroc = detection[detection["seed"] == ALL_RUNS].set_index("method")["auroc"]
    return uplift[["uplift", "low", "high"]].join(auroc)


def _uplift(row: pd.Series | None) -> str:
    if row is None:
        return NONE
    auroc = "" if pd.isna(row["auroc"]) else f"; {digits(row['auroc'])}"
    return estimate(row["uplift"], row["low"], row["high"], "+") + auroc

"""The table of an arena's summary: methods in the order of their uplift, the controls below."""

import pandas as pd

from demo_score.analysis.formatting import NONE, cells, count, digits, estimate, heading, p_value, percent
from demo_score.curation_methods import title
from demo_score.entrants import OWN, RANDOM, control_of
from demo_score.tables import ALL_RUNS

Tables = dict[str, pd.DataFrame]
OF_METHODS = ["AUROC", "AUROC, like lengths", "Core-seconds", "Rollouts"]


def means_of(table: pd.DataFrame) -> pd.DataFrame:
    """The rows over all runs."""
    return table[table["seed"] == ALL_RUNS]


def ranked(uplift: pd.DataFrame, keep: str = OWN) -> pd.DataFrame:
    """The rows of methods over all runs at a size, the highest uplift first."""
    rows = means_of(uplift)
    rows = rows[(rows["keep"] == keep) & rows["entrant"].map(control_of).isna()]
    return rows.sort_values("uplift", ascending=False, kind="stable")


def controls(uplift: pd.DataFrame, keep: str = OWN) -> pd.DataFrame:
    """The rows of controls over all runs at a size."""
    rows = means_of(uplift)
    return rows[(rows["keep"] == keep) & rows["entrant"].map(control_of).notna()]


def ranking(tables: Tables) -> list[str]:
    """Lines of Markdown: a row an entrant at OWN."""
    methods, others = ranked(tables["arena_uplift"]), controls(tables["arena_uplift"])
    rows = pd.concat([methods, others])
    runs = count(int(rows["runs"].max()), "run")
    header = ["", "Method", f"Success, mean over {runs} (%)", "n", "Uplift over random (points)", "Sign-flip p"]
    header += ["Holm p", "Letters", "Gap closed (%)", *OF_METHODS]
    lines = heading(header)
    for place, row in enumerate(methods.to_dict("records"), start=1):
        lines.append(cells([str(place), *_numbers(row), *of_method(row["entrant"], tables)]))
    for row in others.to_dict("records"):
        lines.append(cells([NONE, *_numbers(row), *[NONE] * len(OF_METHODS)]))
    return lines


def of_method(method: str, tables: Tables) -> list[str]:
    """The cells OF_METHODS: what a method detects, and what it costs."""
    found = _row(tables.get("arena_detection"), method)
    cost = _row(tables["arena_costs"], method)
    areas = [digits(found[name]) if found else NONE for name in ("auroc", "auroc_within_length")]
    return [*areas, *([digits(cost["core_seconds"], 0), digits(cost["rollouts"], 0)] if cost else [NONE, NONE])]


def curves(uplift: pd.DataFrame, sizes: list[str]) -> list[str]:
    """Lines of Markdown: a row an entrant, a column a size; success, its interval, and uplift."""
    rows = means_of(uplift)
    entrants = [*ranked(uplift)["entrant"], *controls(uplift)["entrant"]]
    entrants = [name for name in entrants if rows.loc[rows["entrant"] == name, "keep"].nunique() > 1]
    header = ["Method", *(_size(rows[rows["keep"] == keep], keep) for keep in sizes)]
    lines = heading(header)
    for name in entrants:
        of_entrant = {row["keep"]: row for row in rows[rows["entrant"] == name].to_dict("records")}
        shown = [_success(of_entrant[keep]) if keep in of_entrant else NONE for keep in sizes]
        lines.append(cells([title(name), *shown]))
    return lines


def _size(rows: pd.DataFrame, keep: str) -> str:
    share = rows.loc[rows["entrant"] == RANDOM, "share"].item()
    name = f"Demo-SCORE's own ({percent(share)}%)" if keep == OWN else f"{keep}%"
    return f"{name}, {count(int(rows['runs'].max()), 'run')}"


def _success(row: dict) -> str:
    text = estimate(row["rate"], row["rate_low"], row["rate_high"])
    return text if row["entrant"] == RANDOM else f"{text}; {percent(row['uplift'], '+')}"


def _numbers(row: dict) -> list[str]:
    p = [p_value(row[name]) if row["runs"] > 1 else NONE for name in ("sign_flip_p", "holm_p")]
    return [
        title(row["entrant"]),
        estimate(row["rate"], row["rate_low"], row["rate_high"]),
        str(row["n"]),
        estimate(row["uplift"], row["low"], row["high"], "+"),
        *p,
        row["letters"] or NONE,
        NONE if pd.isna(row["gap_closed"]) else percent(row["gap_closed"]),
    ]


def _row(table: pd.DataFrame | None, method: str) -> dict | None:
    if table is None:
        return None
    rows = means_of(table)
    return next(iter(rows[rows["method"] == method].to_dict("records")), None)
